//! JSON values straight into flat typed vectors: one pass, no tree, integers never through a float.

mod array;
mod loose;

pub(super) use array::{Array, Cell};
pub(super) use loose::Loose;
