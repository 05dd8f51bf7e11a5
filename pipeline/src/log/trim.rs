//! What nobody needs any more of a log, and deleting it.
//!
//! A record goes when **two** usable checkpoints cover it (the newest may turn out damaged), its number is below the cut (what
//! the newest epoch has ingested) and it is old enough. Checkpoints older than those two go as well. The record that a
//! kept checkpoint covers stays: it vouches for the checkpoint.
//!
//! All of this is read from the store, so trimming needs no [`Log`](super::Log) and stands in nobody's way. Two that trim at
//! once, or a former owner that still does, delete the same objects.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::objects::Objects;
use super::recover::usable_checkpoint;
use super::store::delete_all;
use crate::error::Result;

/// What has been deleted, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trimmed {
    pub records: u64,
    pub checkpoints: u64,
    pub bytes: u64,
}

impl Trimmed {
    /// Adds what was deleted of another log.
    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.checkpoints += other.checkpoints;
        self.bytes += other.bytes;
    }
}

/// Deletes what nobody needs any more of the log `name`, whose payloads have this layout.
///
/// `cut` is the number of the last seal that the newest epoch holds; records put at `old` or before may go, 24 h ago in service, longer than
/// a silent owner lives. A log of another version stays as it is, and gives
/// [`Incompatible`](crate::error::ErrorKind::Incompatible). After any error call it again: what has gone is not missed.
pub async fn trim(
    store: &Arc<dyn ObjectStore>,
    name: &str,
    layout: u16,
    cut: u64,
    old: TimestampMs,
) -> Result<Trimmed> {
    let objects = Objects::new(Arc::clone(store), name, layout);
    let superfluous = Superfluous::find(&objects, cut, old).await?;
    let trimmed = superfluous.sum();
    delete_all(store, superfluous.paths()).await?;
    Ok(trimmed)
}

/// What [`trim`] would delete now.
#[cfg(test)]
pub(super) async fn trimmable(
    store: &Arc<dyn ObjectStore>,
    name: &str,
    layout: u16,
    cut: u64,
    old: TimestampMs,
) -> Result<Trimmed> {
    let objects = Objects::new(Arc::clone(store), name, layout);
    let superfluous = Superfluous::find(&objects, cut, old).await?;
    Ok(superfluous.sum())
}

/// The objects that nobody needs any more.
#[derive(Default)]
struct Superfluous {
    records: Vec<ObjectMeta>,
    checkpoints: Vec<ObjectMeta>,
}

impl Superfluous {
    async fn find(objects: &Objects, cut: u64, old: TimestampMs) -> Result<Self> {
        let checkpoints = objects.list(&objects.folder.checkpoints()).await?;
        let mut records = objects.list(&objects.folder.records()).await?;
        records.retain(|(number, record)| {
            *number < cut && TimestampMs::from_datetime(record.last_modified) <= old
        });
        // Checkpoints may be large: none is read where nothing could go.
        let numbers: BTreeSet<u64> = checkpoints.iter().map(|(number, _)| *number).collect();
        if records.is_empty() && numbers.len() <= 2 {
            return Ok(Self::default());
        }
        let Some(kept) = second_usable(objects, &checkpoints).await? else {
            return Ok(Self::default());
        };
        Ok(Self {
            records: below(kept, records).collect(),
            checkpoints: below(kept, checkpoints).collect(),
        })
    }

    fn sum(&self) -> Trimmed {
        let all = self.records.iter().chain(&self.checkpoints);
        Trimmed {
            records: self.records.len() as u64,
            checkpoints: self.checkpoints.len() as u64,
            bytes: all.map(|object| object.size).sum(),
        }
    }

    fn paths(self) -> Vec<Path> {
        let all = self.records.into_iter().chain(self.checkpoints);
        all.map(|object| object.location).collect()
    }
}

/// The number that the second newest usable checkpoint covers; checkpoints of one number count once.
async fn second_usable(
    objects: &Objects,
    checkpoints: &[(u64, ObjectMeta)],
) -> Result<Option<u64>> {
    let mut newest = None;
    for (number, meta) in checkpoints.iter().rev() {
        if newest == Some(*number) {
            continue;
        }
        let Some(bytes) = objects.get(&meta.location).await? else {
            continue;
        };
        if usable_checkpoint(objects, *number, &bytes).await?.is_err() {
            continue;
        }
        if newest.is_some() {
            return Ok(Some(*number));
        }
        newest = Some(*number);
    }
    Ok(None)
}

fn below(number: u64, objects: Vec<(u64, ObjectMeta)>) -> impl Iterator<Item = ObjectMeta> {
    objects
        .into_iter()
        .filter(move |(of, _)| *of < number)
        .map(|(_, meta)| meta)
}

#[cfg(test)]
mod tests;
