//! Where versions of the reference data come from.

use async_trait::async_trait;

use crate::error::Result;

/// Versions of the reference data, archived by content, so that a replay reads what was in force.
#[async_trait]
pub trait ReferenceStore<R>: Send + Sync {
    /// The reference state with this version of the data, and nothing learnt from events yet.
    async fn reference(&self, version: &str) -> Result<R>;
}
