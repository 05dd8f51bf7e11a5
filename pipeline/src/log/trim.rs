//! What nobody needs any more of a log, and deleting it.
//!
//! A record goes when **two** usable checkpoints cover it (the newest may turn out damaged), its number is below the cut (what
//! the newest epoch has ingested) and it is old enough. Checkpoints older than those two go as well. The record that a
//! kept checkpoint covers stays: it vouches for the checkpoint.
//!
//! All of this is read from the store, so trimming needs no [`Log`](super::Log) and stands in nobody's way. Two that trim at
//! once, or a former owner that still does, delete the same objects.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{Error as StoreError, ObjectMeta, ObjectStore};

use super::error;
use super::objects::Objects;
use super::recover::usable_checkpoint;
use crate::error::Result;
use crate::time::wall;

/// What has been deleted, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    pub records: usize,
    pub checkpoints: usize,
    pub bytes: u64,
}

/// Deletes what nobody needs any more of the log `name`, whose payloads have this layout.
///
/// `cut` is the number of the last seal that the newest epoch holds; `minimum_age` is 24 h in service, longer than a silent owner lives. A log of
/// another version stays as it is, and gives [`Incompatible`](crate::error::ErrorKind::Incompatible). After any error call it
/// again: what has gone is not missed.
pub async fn trim(
    store: &Arc<dyn ObjectStore>,
    name: &str,
    layout: u16,
    cut: u64,
    minimum_age: Duration,
) -> Result<Trimmed> {
    let objects = Objects::new(Arc::clone(store), name, layout);
    let superfluous = Superfluous::find(&objects, cut, minimum_age).await?;
    let trimmed = superfluous.sum();
    superfluous.delete(&objects).await?;
    Ok(trimmed)
}

/// What [`trim`] would delete now. Reads the two newest checkpoints whole, to see that they are usable.
pub async fn trimmable(
    store: &Arc<dyn ObjectStore>,
    name: &str,
    layout: u16,
    cut: u64,
    minimum_age: Duration,
) -> Result<Trimmed> {
    let objects = Objects::new(Arc::clone(store), name, layout);
    let superfluous = Superfluous::find(&objects, cut, minimum_age).await?;
    Ok(superfluous.sum())
}

/// The objects that nobody needs any more.
#[derive(Default)]
struct Superfluous {
    records: Vec<ObjectMeta>,
    checkpoints: Vec<ObjectMeta>,
}

impl Superfluous {
    async fn find(objects: &Objects, cut: u64, minimum_age: Duration) -> Result<Self> {
        let checkpoints = objects.list(&objects.folder.checkpoints()).await?;
        let Some(kept) = second_usable(objects, &checkpoints).await? else {
            return Ok(Self::default());
        };
        let minimum_age_ms = i64::try_from(minimum_age.as_millis()).unwrap_or(i64::MAX);
        let old_ms = wall::now_ms().saturating_sub(minimum_age_ms);
        let records = objects.list(&objects.folder.records()).await?;
        Ok(Self {
            records: below(kept.min(cut), records)
                .filter(|record| record.last_modified.timestamp_millis() <= old_ms)
                .collect(),
            checkpoints: below(kept, checkpoints).collect(),
        })
    }

    fn sum(&self) -> Trimmed {
        let all = self.records.iter().chain(&self.checkpoints);
        Trimmed {
            records: self.records.len(),
            checkpoints: self.checkpoints.len(),
            bytes: all.map(|object| object.size).sum(),
        }
    }

    async fn delete(self, objects: &Objects) -> Result<()> {
        let all = self.records.into_iter().chain(self.checkpoints);
        let paths: Vec<_> = all.map(|object| Ok(object.location)).collect();
        let deleted = objects.store.delete_stream(stream::iter(paths).boxed());
        deleted
            .map(|each| match each {
                // Somebody else has trimmed, too.
                Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
                Err(source) => Err(error::store_failed(objects.folder.records())(source)),
            })
            .try_collect()
            .await
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
