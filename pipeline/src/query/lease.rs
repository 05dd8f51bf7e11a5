//! Leases: a reader says which epoch it reads, so that housekeeping leaves that epoch's files.
//!
//! ```text
//! leases/<epoch, 20 digits>-<uuid v7>      the table versions that the epoch pins and their hash, as JSON
//! ```
//!
//! The object is written again every 20 s while the [`Lease`] lives, and deleted with it. It counts while it is younger than
//! 60 s, so a reader that died holds nothing up for long; and for 24 h after it was taken (its name says when), so a reader
//! that hangs does not hold files for ever. The versions stand inside: a lease outlives the epoch's record in the log.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::{NoContext, Timestamp, Uuid};

use crate::error::{Error, ErrorKind, Result};
use crate::log::{get_if_there, store_failed};
use crate::observe::{LeaseLapsed, LeaseNotRenewed};
use crate::publisher::EpochRecord;
use crate::time::wall;

const FOLDER: &str = "leases";
/// A lease whose object is older than this does not count.
const LIFE: DurationMs = DurationMs::MINUTE;

/// How often a lease is renewed and how long it may be held.
#[derive(Debug, Clone, Copy)]
struct LeaseTimes {
    renew_every: Duration,
    limit: Duration,
}

const TIMES: LeaseTimes = LeaseTimes {
    renew_every: Duration::from_secs(20),
    limit: Duration::from_secs(24 * 3_600),
};

/// The files of one epoch are held while this lives.
#[derive(Debug)]
pub struct Lease {
    epoch: i64,
    until: Instant,
    /// Dropped to end the renewal, which then deletes the object.
    end: oneshot::Sender<()>,
    renewal: JoinHandle<()>,
}

impl Lease {
    /// Writes the lease and renews it from here on; needs a runtime. An error means that nothing is held.
    pub async fn take(store: Arc<dyn ObjectStore>, epoch: &EpochRecord) -> Result<Self> {
        Self::take_for(store, epoch, TIMES).await
    }

    async fn take_for(
        store: Arc<dyn ObjectStore>,
        epoch: &EpochRecord,
        times: LeaseTimes,
    ) -> Result<Self> {
        let content = encode(epoch.versions())?;
        let until = wall::monotonic() + times.limit;
        let object = LeaseObject {
            path: path_of(epoch.epoch, wall::now()),
            content: content.into(),
            store,
        };
        object.put().await.map_err(store_failed(&object.path))?;
        let (end, ended) = oneshot::channel();
        let renewal = tokio::spawn(object.renew(times.renew_every, until, ended));
        Ok(Self {
            epoch: epoch.epoch,
            until,
            end,
            renewal,
        })
    }

    /// The epoch whose files are held.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Whether it has been held for as long as it may be: it holds nothing any more.
    pub fn is_over(&self) -> bool {
        wall::monotonic() >= self.until
    }

    /// Deletes the object before it returns. A lease that is merely dropped does it soon after, if the runtime still runs.
    pub async fn close(self) {
        drop(self.end);
        // An interrupted renewal leaves an object that stops counting within a minute.
        let _ = self.renewal.await;
    }
}

/// What a lease holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LeaseContent {
    /// Table (`schema.name`) → version.
    tables: BTreeMap<String, i64>,
    /// Of `tables` as JSON: a changed digit would hold other files.
    sha256: String,
}

fn encode(tables: BTreeMap<String, i64>) -> Result<Vec<u8>> {
    let encoded = sha256_of(&tables).and_then(|sha256| {
        let content = LeaseContent { tables, sha256 };
        serde_json::to_vec(&content)
    });
    encoded.map_err(Error::from_source(
        ErrorKind::Internal,
        "a lease cannot be encoded",
    ))
}

/// `None` where the bytes are not what a reader wrote.
fn decode(content: &[u8]) -> Option<BTreeMap<String, i64>> {
    let content: LeaseContent = serde_json::from_slice(content).ok()?;
    let is_whole = sha256_of(&content.tables).ok()? == content.sha256;
    is_whole.then_some(content.tables)
}

fn sha256_of(tables: &BTreeMap<String, i64>) -> serde_json::Result<String> {
    let text = serde_json::to_vec(tables)?;
    Ok(hex::encode(Sha256::digest(text)))
}

/// A lease's object and how to keep it there.
struct LeaseObject {
    store: Arc<dyn ObjectStore>,
    path: Path,
    content: Bytes,
}

impl LeaseObject {
    async fn put(&self) -> Result<(), StoreError> {
        let content = self.content.clone();
        self.store.put(&self.path, content.into()).await?;
        Ok(())
    }

    async fn renew(self, every: Duration, until: Instant, mut ended: oneshot::Receiver<()>) {
        let mut is_failing = false;
        loop {
            tokio::select! {
                _ = &mut ended => break,
                () = wall::sleep(every) => {}
            }
            if wall::monotonic() >= until {
                LeaseLapsed { lease: &self.path }.report();
                break;
            }
            match self.put().await {
                Ok(()) => is_failing = false,
                Err(error) if !is_failing => {
                    LeaseNotRenewed {
                        lease: &self.path,
                        error: &error,
                    }
                    .report();
                    is_failing = true;
                }
                Err(_) => {}
            }
        }
        // One that stays stops counting within a minute, and housekeeping deletes it.
        let _ = self.store.delete(&self.path).await;
    }
}

/// All leases of a storage at one instant.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leases {
    /// What the leases that count hold: table → version, for each lease.
    pub held: Vec<BTreeMap<String, i64>>,
    /// Objects of leases that do not count any more.
    pub lapsed: Vec<Path>,
}

/// Reads all leases. An error where one that counts cannot be read: what it holds is then unknown.
///
/// `now` is between which instants now lies, where the wall clock was set not long ago: a lease lapses once it has by all of them.
pub async fn leases(
    store: &Arc<dyn ObjectStore>,
    now: &RangeInclusive<TimestampMs>,
) -> Result<Leases> {
    let folder = Path::from(FOLDER);
    let listed: Vec<_> = store
        .list(Some(&folder))
        .try_collect()
        .await
        .map_err(store_failed(&folder))?;
    let mut leases = Leases::default();
    for object in listed {
        let path = object.location;
        let Some(taken_at) = taken_at(&path) else {
            continue;
        };
        let renewed_at = TimestampMs::from_datetime(object.last_modified);
        if !counts(taken_at, renewed_at, now) {
            leases.lapsed.push(path);
            continue;
        }
        let Some(content) = get_if_there(store, &path).await? else {
            // Its reader has ended meanwhile.
            continue;
        };
        leases
            .held
            .push(decode(&content).ok_or_else(|| damaged(&path))?);
    }
    Ok(leases)
}

fn damaged(path: &Path) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "damaged path={path}: a lease that cannot be read, so no table is vacuumed: end its reader, or delete it"
        ),
    )
}

/// A clock that was set back must not let a dead reader's lease count until it has come round again: one that seems to have been
/// renewed more than a day from now does not count. Its reader, if there is one, renews it within seconds.
fn counts(
    taken_at: TimestampMs,
    renewed_at: TimestampMs,
    now: &RangeInclusive<TimestampMs>,
) -> bool {
    let (earliest, latest) = (*now.start(), *now.end());
    let limit = DurationMs::from_std(TIMES.limit);
    earliest - renewed_at < LIFE && earliest - taken_at < limit && renewed_at - latest <= limit
}

fn path_of(epoch: i64, taken_at: TimestampMs) -> Path {
    let ms = taken_at.as_ms().unsigned_abs();
    let nanos = u32::try_from(ms % 1_000 * 1_000_000).unwrap_or_default();
    let id = Uuid::new_v7(Timestamp::from_unix(NoContext, ms / 1_000, nanos));
    Path::from(FOLDER).join(format!("{epoch:020}-{id}"))
}

/// When the lease of that name was taken; `None` for a foreign object.
fn taken_at(path: &Path) -> Option<TimestampMs> {
    let (epoch, id) = path.filename()?.split_once('-')?;
    let is_epoch = epoch.len() == 20 && epoch.bytes().all(|digit| digit.is_ascii_digit());
    let (seconds, nanos) = Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    let ms = i64::try_from(seconds).ok()?.checked_mul(1_000)? + i64::from(nanos / 1_000_000);
    is_epoch.then_some(TimestampMs::from_ms(ms))
}

#[cfg(test)]
mod tests;
