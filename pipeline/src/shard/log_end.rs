//! Where a shard would go on, by a look at its log that claims nothing (K39).

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use schemas::time::TimestampMs;

use super::input::ShardInputs;
use super::recover::checkpoint;
use super::seal::{InputSeal, SEAL_LAYOUT, decode_seal};
use super::settings::{ShardSettings, shard_log};
use crate::error::Result;
use crate::log::{LogReader, RecordKind};
use crate::source::Start;

/// What the newest seal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// Where reading goes on.
    pub starts: Vec<Start>,
    /// The instant to which an earlier run drained this shard.
    pub drained_to: Option<TimestampMs>,
}

impl LogEnd {
    /// Reads the newest seal; the checkpoint where records have been trimmed. Fails as restoring would: another layout, damage, an
    /// input that is gone.
    pub async fn read(store: &Arc<dyn ObjectStore>, settings: &ShardSettings) -> Result<Self> {
        let (sealed, drained_to) = newest(store, settings.shard).await?;
        let mut inputs = ShardInputs::new(settings, None, None, BTreeSet::new())?;
        for input in &sealed {
            inputs.restore(input)?;
        }
        Ok(Self {
            starts: inputs.starts(),
            drained_to,
        })
    }
}

async fn newest(
    store: &Arc<dyn ObjectStore>,
    shard: u32,
) -> Result<(Vec<InputSeal>, Option<TimestampMs>)> {
    let reader = LogReader::new(store.clone(), &shard_log(shard), SEAL_LAYOUT);
    let Some(last) = reader.last_number().await? else {
        return Ok((Vec::new(), None));
    };
    let mut entries = reader.read_back(last);
    while let Some(entry) = entries.try_next().await? {
        if entry.kind == RecordKind::Data {
            let seal = decode_seal(shard, &entry.payload)?;
            return Ok((seal.inputs, seal.drained_to));
        }
    }
    let recovered = reader.recovered().await?;
    let checkpoint = checkpoint(shard, &recovered)?;
    Ok(checkpoint.map_or_else(Default::default, |checkpoint| {
        (checkpoint.inputs, checkpoint.drained_to)
    }))
}
