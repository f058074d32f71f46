//! One file or folder a command.

pub(crate) mod control;
pub(crate) mod data;
pub(crate) mod deploy;
pub(crate) mod drift;
pub(crate) mod experiments;
pub(crate) mod gateway;
pub(crate) mod kpi;
pub(crate) mod models;
pub(crate) mod pipeline;
pub(crate) mod runs;
pub(crate) mod serve;
