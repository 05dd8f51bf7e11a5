//! Housekeeping: what nobody needs any more goes, on a schedule and beside everything else.
//!
//! ```text
//! StorageNeeds: newest epoch, open intent, cuts, delivered ─▶ Housekeeper, every 10 min
//!     ├▶ tables     files that were replaced, staged files of dead owners     pins: newest epoch, recent epochs, leases
//!     ├▶ log/       records below the cuts, older checkpoints
//!     ├▶ sinks/     records that have been delivered
//!     ├▶ leases/    leases that no longer count
//!     └▶ housekeeping/last.json: what went and what waits, for `vitrine status`
//! ```
//!
//! It only deletes, and each deletion may be repeated or cut short. A part that fails does not keep the others from being
//! done; it is one warning, and tried again the next time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use futures::{TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::error::{Error, ErrorKind, Result};
use crate::log::store_failed;
use crate::publisher::{EpochRecord, StorageNeeds};
use crate::query::leases;
use crate::table::{Pins, Tables, Vacuumed};
use crate::time::wall;

/// How old a record of a log has to be before it may go: an owner that was silent ends well before that.
const RECORD_LIFE: Duration = Duration::from_secs(24 * 3_600);
const LAST: &str = "housekeeping/last.json";
const SINK_RECORDS: &str = "sinks/records";
/// A run in which nothing went is written down this long after what was written last.
const WRITE_EVERY: Duration = Duration::from_secs(3_600);

/// When housekeeping runs, and how old things have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HousekeepingSettings {
    pub every: Duration,
    /// Of files of tables, counted from when they were replaced.
    pub minimum_age: Duration,
    /// Of records of logs and of delivered records.
    pub record_life: Duration,
}

impl Default for HousekeepingSettings {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(600),
            minimum_age: Duration::from_secs(3_600),
            record_life: RECORD_LIFE,
        }
    }
}

/// A log, and the version of the payload that its checkpoints have to be of to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogToTrim {
    pub name: String,
    pub layout: u16,
}

/// What went from logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrimmedLogs {
    pub records: u64,
    pub checkpoints: u64,
    pub bytes: u64,
}

/// Trims one log to a cut; records have to be as old as the last argument says.
pub type TrimLog =
    Arc<dyn Fn(LogToTrim, u64, Duration) -> BoxFuture<'static, Result<TrimmedLogs>> + Send + Sync>;

/// What went from `sinks/records`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedRecords {
    pub files: u64,
    pub bytes: u64,
}

/// What one run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Housekept {
    /// Wall clock, ms UTC.
    pub ran_at_ms: i64,
    pub tables: Vacuumed,
    pub logs: TrimmedLogs,
    pub sink_records: DeletedRecords,
    /// Leases of readers that ended without saying so.
    pub leases: u64,
}

impl Housekept {
    /// Whether nothing went.
    pub fn is_empty(&self) -> bool {
        let logs = self.logs.records + self.logs.checkpoints;
        self.tables.files + logs + self.sink_records.files + self.leases == 0
    }

    /// Bytes that went.
    pub fn bytes(&self) -> u64 {
        self.tables.bytes + self.logs.bytes + self.sink_records.bytes
    }
}

/// The last run that was written down; `None` if there was none.
pub async fn last_housekept(store: &Arc<dyn ObjectStore>) -> Result<Option<Housekept>> {
    let path = Path::from(LAST);
    let found = match store.get(&path).await {
        Ok(found) => found.bytes().await,
        Err(error) => Err(error),
    };
    match found {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(Error::from_source(
                ErrorKind::Damaged,
                format!("path={path} cannot be read: delete it, housekeeping writes it anew"),
            )),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(source) => Err(store_failed(&path)(source)),
    }
}

/// Deletes what nobody needs any more.
pub struct Housekeeper {
    store: Arc<dyn ObjectStore>,
    tables: Arc<Tables>,
    logs: Vec<LogToTrim>,
    settings: HousekeepingSettings,
    trim: TrimLog,
    state: Mutex<State>,
}

/// What runs tell each other.
#[derive(Default)]
struct State {
    recent: VecDeque<RecentEpoch>,
    written: Option<Instant>,
}

/// An epoch that was the newest one a while ago. Who read its record then may not have written his lease yet.
struct RecentEpoch {
    epoch: i64,
    seen: Instant,
    tables: BTreeMap<String, i64>,
}

impl Housekeeper {
    pub fn new(
        store: Arc<dyn ObjectStore>,
        tables: Arc<Tables>,
        logs: Vec<LogToTrim>,
        settings: HousekeepingSettings,
        trim: TrimLog,
    ) -> Self {
        Self {
            store,
            tables,
            logs,
            settings,
            trim,
            state: Mutex::default(),
        }
    }

    /// Runs after each `every` until `stop` is set or its sender is gone. A failure is a warning.
    ///
    /// The publisher starts it once it owns the storage and has rolled an open intent forward: before that nobody knows which
    /// staged files are still to be named.
    pub async fn run(self, inputs: watch::Receiver<StorageNeeds>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let one = async {
                wall::sleep(self.settings.every).await;
                let inputs = inputs.borrow().clone();
                self.run_once(&inputs).await
            };
            tokio::select! {
                ran = one => match ran {
                    Ok(done) if done.is_empty() => debug!(?done, "housekeeping: nothing went"),
                    Ok(done) => info!(
                        files = done.tables.files,
                        records = done.logs.records,
                        bytes = done.bytes(),
                        waiting_files = done.tables.waiting_files,
                        "housekeeping"
                    ),
                    Err(error) => warn!(?error, "housekeeping left something; it tries again next time"),
                },
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Does everything once. The error is that of the first part that failed; all others have been done then.
    async fn run_once(&self, inputs: &StorageNeeds) -> Result<Housekept> {
        let mut done = Housekept {
            ran_at_ms: wall::now_ms(),
            ..Housekept::default()
        };
        let mut failure = None;
        match self.leases(&mut done).await {
            Ok(held) => self.tables(inputs, &held, &mut done, &mut failure).await,
            Err(error) => note(&mut failure, error),
        }
        self.logs(inputs, &mut done, &mut failure).await;
        if let Err(error) = self.sink_records(inputs, &mut done).await {
            note(&mut failure, error);
        }
        if let Err(error) = self.write(&done).await {
            note(&mut failure, error);
        }
        failure.map_or(Ok(done), Err)
    }

    /// What readers hold; leases that do not count go.
    async fn leases(&self, done: &mut Housekept) -> Result<Vec<BTreeMap<String, i64>>> {
        let leases = leases(&self.store, done.ran_at_ms).await?;
        done.leases = leases.lapsed.len() as u64;
        self.delete(leases.lapsed).await?;
        Ok(leases.held)
    }

    async fn tables(
        &self,
        inputs: &StorageNeeds,
        held: &[BTreeMap<String, i64>],
        done: &mut Housekept,
        failure: &mut Option<Error>,
    ) {
        let Some(newest) = &inputs.newest_epoch else {
            return;
        };
        let recent = self.recent(newest);
        for table in newest.tables.keys() {
            let versions = held.iter().chain(&recent);
            let pins = Pins {
                versions: versions
                    .filter_map(|tables| tables.get(table).copied())
                    .collect(),
                staged: inputs.open_intent.get(table).cloned().unwrap_or_default(),
            };
            let age = self.settings.minimum_age;
            match self.tables.vacuum(table, &pins, age).await {
                Ok(vacuumed) => done.tables.add(vacuumed),
                Err(error) => note(failure, error),
            }
        }
    }

    /// The newest epoch's versions and those of the epochs that were the newest less than the minimum age ago.
    fn recent(&self, newest: &EpochRecord) -> Vec<BTreeMap<String, i64>> {
        let mut state = self.lock();
        let recent = &mut state.recent;
        let now = wall::monotonic();
        recent.retain(|old| now.duration_since(old.seen) < self.settings.minimum_age);
        match recent.back_mut() {
            Some(last) if last.epoch == newest.epoch => last.seen = now,
            _ => recent.push_back(RecentEpoch {
                epoch: newest.epoch,
                seen: now,
                tables: newest.tables.clone(),
            }),
        }
        recent.iter().map(|epoch| epoch.tables.clone()).collect()
    }

    async fn logs(&self, inputs: &StorageNeeds, done: &mut Housekept, failure: &mut Option<Error>) {
        for log in &self.logs {
            let Some(cut) = inputs.cuts.get(&log.name) else {
                continue;
            };
            match (self.trim)(log.clone(), *cut, self.settings.record_life).await {
                Ok(trimmed) => {
                    done.logs.records += trimmed.records;
                    done.logs.checkpoints += trimmed.checkpoints;
                    done.logs.bytes += trimmed.bytes;
                }
                Err(error) => note(failure, error),
            }
        }
    }

    async fn sink_records(&self, inputs: &StorageNeeds, done: &mut Housekept) -> Result<()> {
        let Some(delivered) = inputs.delivered else {
            return Ok(());
        };
        let folder = Path::from(SINK_RECORDS);
        let life_ms = i64::try_from(self.settings.record_life.as_millis()).unwrap_or(i64::MAX);
        let old_ms = done.ran_at_ms.saturating_sub(life_ms);
        let listed = self.store.list(Some(&folder)).try_collect::<Vec<_>>();
        let mut going = Vec::new();
        for file in listed.map_err(store_failed(&folder)).await? {
            let is_delivered = epoch_of(&file.location).is_some_and(|epoch| epoch < delivered);
            if is_delivered && file.last_modified.timestamp_millis() <= old_ms {
                done.sink_records.files += 1;
                done.sink_records.bytes += file.size;
                going.push(file.location);
            }
        }
        self.delete(going).await
    }

    async fn delete(&self, paths: Vec<Path>) -> Result<()> {
        let deleted = self
            .store
            .delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        // Already gone is as good as gone: an earlier run may have been cut short.
        deleted
            .map(|each| match each {
                Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
                Err(source) => Err(store_failed("what is to be deleted")(source)),
            })
            .try_collect()
            .await
    }

    /// Writes down a run in which something went, and one an hour otherwise: an idle service is to leave its storage alone.
    async fn write(&self, done: &Housekept) -> Result<()> {
        let is_recent = |written: Instant| written.elapsed() < WRITE_EVERY;
        let written = self.lock().written;
        if done.is_empty() && written.is_some_and(is_recent) {
            return Ok(());
        }
        let path = Path::from(LAST);
        let text = serde_json::to_vec_pretty(done).map_err(Error::from_source(
            ErrorKind::Internal,
            "what housekeeping did cannot be encoded",
        ))?;
        let put = self.store.put(&path, text.into()).await;
        put.map_err(store_failed(&path))?;
        self.lock().written = Some(wall::monotonic());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(failure: &mut Option<Error>, error: Error) {
    match failure {
        None => *failure = Some(error),
        Some(_) => debug!(?error, "housekeeping failed in one more part"),
    }
}

/// The epoch in the name `<claim>-<epoch>…` of staged records; `None` for a foreign object.
fn epoch_of(path: &Path) -> Option<i64> {
    let (claim, rest) = path.filename()?.split_once('-')?;
    let is_claim = !claim.is_empty() && claim.bytes().all(|byte| byte.is_ascii_digit());
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|_| is_claim)
}

#[cfg(test)]
mod tests;
