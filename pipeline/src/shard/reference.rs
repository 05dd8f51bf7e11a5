//! Versions of the reference: which reference data are in force, and how they change while a shard runs or is replayed.

use std::sync::Arc;

use async_trait::async_trait;

use super::state::ShardState;
use crate::error::Result;
use crate::history::ReferenceState;

/// Where versions of the reference come from: reference data are archived by content, so that a replay reads what was in force.
#[async_trait]
pub trait ReferenceStore<R>: Send + Sync {
    /// The reference with this version of the reference data, and no event heard yet.
    async fn reference(&self, version: &str) -> Result<R>;
}

/// Which version of the reference data is in force, and where others are.
pub struct ReferenceVersions<R> {
    pub references: Arc<dyn ReferenceStore<R>>,
    pub in_force: String,
    /// To be put in force once the log has been replayed.
    pub wanted: String,
}

impl<R: ReferenceState> ReferenceVersions<R> {
    /// Puts `version` in force; says whether that was a change.
    pub async fn switch(&mut self, core: &mut ShardState<R>, version: &str) -> Result<bool> {
        if self.in_force == version {
            return Ok(false);
        }
        core.replace_reference(self.references.reference(version).await?)?;
        version.clone_into(&mut self.in_force);
        Ok(true)
    }
}
