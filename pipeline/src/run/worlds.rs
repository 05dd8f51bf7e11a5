//! Versions of the world: which reference data are in force, and how they change while a shard runs or is replayed.

use std::sync::Arc;

use async_trait::async_trait;

use super::core::{CoreError, ShardCore};
use crate::history::World;

/// Where versions of the world come from: reference data are archived by content, so that a replay reads what was in force.
#[async_trait]
pub trait Worlds<W>: Send + Sync {
    /// The world with this version of the reference data, and no event heard yet.
    async fn world(&self, version: &str) -> Result<W, WorldError>;
}

/// Why a version of the reference data cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("reference data of version={version} cannot be read from the storage's archive")]
pub struct WorldError {
    pub version: String,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Why another version could not be put in force.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    #[error(transparent)]
    World(#[from] WorldError),
    #[error(transparent)]
    Core(#[from] CoreError),
}

/// Which version of the reference data is in force, and where others are.
pub struct References<W> {
    pub worlds: Arc<dyn Worlds<W>>,
    pub in_force: String,
    /// To be put in force once the log has been replayed.
    pub wanted: String,
}

impl<W: World> References<W> {
    /// Puts `version` in force; says whether that was a change.
    pub async fn switch(
        &mut self,
        core: &mut ShardCore<W>,
        version: &str,
    ) -> Result<bool, SwitchError> {
        if self.in_force == version {
            return Ok(false);
        }
        core.replace_world(self.worlds.world(version).await?)?;
        version.clone_into(&mut self.in_force);
        Ok(true)
    }
}
