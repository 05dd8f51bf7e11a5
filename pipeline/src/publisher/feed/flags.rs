//! The flag of rows about which no fact decides: what reference data say of it.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::time::Day;

/// What one version of the reference data says of the flag of every series and day.
pub trait SeriesFlags: Debug + Send + Sync {
    /// Equal texts: equal flags, whatever version of the reference data they come from.
    fn version(&self) -> &str;
    /// Whether the flag is set where the feed's query says nothing of it.
    fn is_set(&self, series: &str, day: Day) -> bool;
}

/// Flags of the versions of the reference data.
#[async_trait]
pub trait FlagStore: Send + Sync {
    /// What the reference data of this version say.
    async fn flags(&self, reference: &str) -> Result<Arc<dyn SeriesFlags>>;
}

/// Flags, and the version of the reference data that they are of.
#[derive(Clone, Debug)]
pub(crate) struct LoadedFlags {
    pub(crate) reference: String,
    pub(crate) flags: Arc<dyn SeriesFlags>,
}
