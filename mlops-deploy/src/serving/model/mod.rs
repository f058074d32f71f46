//! Models that are loaded, which version answers, and how many predictions run at once.

mod loaded;
mod pool;
mod repository;

#[cfg(test)]
mod tests;

pub use loaded::LoadedModel;
pub use pool::{Place, Pool, PoolOptions};
pub use repository::{Repository, RepositoryOptions};
