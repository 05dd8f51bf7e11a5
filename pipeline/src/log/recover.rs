//! Reading a log from its newest usable checkpoint to its end.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::chain::Chain;
use super::error;
use super::objects::{Objects, checkpoint_named, record_named};
use super::record::{LogPosition, LogRecord, RecordKind, Unreadable};
use crate::error::Result;
use crate::observe::CheckpointIgnored;

/// What a new owner starts from.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// The newest usable checkpoint: the record it covers, and its payload.
    pub checkpoint: Option<(LogPosition, Bytes)>,
    /// The data records after it, ascending; claims are left out.
    pub records: Vec<(u64, Bytes)>,
}

impl Recovered {
    /// Adds a record that stands at the end of the chain.
    pub(super) fn ingest(&mut self, record: LogRecord) {
        if record.header.kind == RecordKind::Data {
            self.records.push((record.header.number, record.payload));
        }
    }
}

const READS_AT_ONCE: usize = 16;

/// Reads the chain and verifies it.
///
/// A checkpoint that another version wrote is an error, not passed over like a damaged one: the records behind an older
/// checkpoint may have been trimmed because of it.
pub(super) async fn read_chain(objects: &Objects) -> Result<(Chain, Recovered)> {
    // Listed before anything is read: whatever is listed was there, so it must be found on the way.
    let checkpoints = objects.list(&objects.folder.checkpoints()).await?;
    let records = objects.list(&objects.folder.records()).await?;
    let newest = records
        .last()
        .into_iter()
        .chain(checkpoints.last())
        .map(|(number, _)| *number)
        .max()
        .unwrap_or(0);

    let mut chain = Chain::default();
    let mut recovered = Recovered::default();
    for (number, meta) in checkpoints.iter().rev() {
        let Some(bytes) = objects.get(&meta.location).await? else {
            continue;
        };
        match usable_checkpoint(objects, *number, &bytes).await? {
            Ok(checkpoint) => {
                chain = Chain::at_checkpoint(&checkpoint.header);
                recovered.checkpoint = Some((chain.last, checkpoint.payload));
                break;
            }
            Err(why) => CheckpointIgnored {
                checkpoint: &meta.location,
                why: &why,
            }
            .report(),
        }
    }

    let listed = chain.next()..=newest;
    let mut reads = stream::iter(listed)
        .map(|number| objects.record(number))
        .buffered(READS_AT_ONCE);
    while let Some(read) = reads.try_next().await? {
        let Some(record) = read else { break };
        chain = extended(objects, chain, &record)?;
        recovered.ingest(record);
    }
    if chain.last.number < newest {
        return Err(error::hole(objects.folder.log(), chain.next(), newest));
    }
    while let Some(record) = objects.record(chain.next()).await? {
        chain = extended(objects, chain, &record)?;
        recovered.ingest(record);
    }
    Ok((chain, recovered))
}

/// The chain with one more record, or the error that names it.
pub(super) fn extended(objects: &Objects, chain: Chain, record: &LogRecord) -> Result<Chain> {
    let log = objects.folder.log();
    chain
        .extended(record)
        .map_err(|what| error::broken_chain(log, record.header.number, what))
}

/// Decodes a checkpoint and compares it with the chain; the inner error says why it is of no use.
pub(super) async fn usable_checkpoint(
    objects: &Objects,
    number: u64,
    bytes: &Bytes,
) -> Result<Result<LogRecord, String>> {
    let checkpoint = match checkpoint_named(number, bytes, objects.layout) {
        Ok(checkpoint) => checkpoint,
        Err(Unreadable::Damaged(damage)) => return Ok(Err(damage.to_string())),
        Err(Unreadable::OtherVersion(found)) => {
            let place = format_args!("checkpoint={number}");
            return Err(error::other_version(objects.folder.log(), place, found));
        }
    };
    let covered = stands(objects, number).await?;
    let next = stands(objects, number + 1).await?;
    Ok(if fits(checkpoint.header.previous, covered, next) {
        Ok(checkpoint)
    } else {
        Err("the chain differs from the one it was made from".to_owned())
    })
}

/// What the chain shows at a number.
enum Stands {
    Nothing,
    Damaged,
    Whole { hash: [u8; 32], previous: [u8; 32] },
}

async fn stands(objects: &Objects, number: u64) -> Result<Stands> {
    let path = objects.folder.record(number);
    let Some(bytes) = objects.get(&path).await? else {
        return Ok(Stands::Nothing);
    };
    Ok(match record_named(number, &bytes, objects.layout) {
        Ok(record) => Stands::Whole {
            hash: record.hash,
            previous: record.header.previous,
        },
        Err(Unreadable::Damaged(_)) => Stands::Damaged,
        Err(Unreadable::OtherVersion(found)) => return Err(objects.other_version(number, found)),
    })
}

/// Whether a checkpoint that names `hash` fits the chain at the record it covers and the one after it.
///
/// Damage at the covered record is what the checkpoint is there for: then the next record's word counts, and without one
/// the checkpoint's own. A missing one is a hole in the making: only the next record can vouch for it.
fn fits(hash: [u8; 32], covered: Stands, next: Stands) -> bool {
    match (covered, next) {
        (Stands::Whole { hash: found, .. }, _) => found == hash,
        (_, Stands::Whole { previous, .. }) => previous == hash,
        (Stands::Damaged, _) => true,
        (Stands::Nothing, _) => false,
    }
}

#[cfg(test)]
mod tests;
