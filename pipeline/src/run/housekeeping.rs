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
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::age_clock::AgeClock;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Trimmed, delete_all, get_if_there, store_failed, trim};
use crate::observe::{
    HousekeepingDone, HousekeepingFailed, HousekeepingIdle, HousekeepingPartFailed,
};
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

/// What went from `sinks/records`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedRecords {
    pub files: u64,
    pub bytes: u64,
}

/// What one run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Housekept {
    /// Wall clock at its start.
    #[serde(rename = "ran_at_ms")]
    pub ran_at: TimestampMs,
    pub tables: Vacuumed,
    pub logs: Trimmed,
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

    fn report(&self) {
        if self.is_empty() {
            HousekeepingIdle { done: self }.report();
            return;
        }
        HousekeepingDone {
            files: self.tables.files,
            records: self.logs.records,
            bytes: self.bytes(),
            waiting_files: self.tables.waiting_files,
        }
        .report();
    }
}

/// The last run that was written down; `None` if there was none.
pub async fn last_housekept(store: &Arc<dyn ObjectStore>) -> Result<Option<Housekept>> {
    let path = Path::from(LAST);
    let Some(bytes) = get_if_there(store, &path).await? else {
        return Ok(None);
    };
    let last = serde_json::from_slice(&bytes).map_err(Error::from_source(
        ErrorKind::Damaged,
        format!("path={path} cannot be read: delete it, housekeeping writes it anew"),
    ))?;
    Ok(Some(last))
}

/// Deletes what nobody needs any more.
pub struct Housekeeper {
    store: Arc<dyn ObjectStore>,
    tables: Arc<Tables>,
    logs: Vec<LogToTrim>,
    settings: HousekeepingSettings,
    recent: VecDeque<RecentEpoch>,
    ages: AgeClock,
    /// When a run was last written down.
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
    ) -> Self {
        Self {
            store,
            tables,
            logs,
            settings,
            recent: VecDeque::new(),
            ages: AgeClock::new(settings.minimum_age.max(settings.record_life)),
            written: None,
        }
    }

    /// Runs after each `every` until `stop` is set or its sender is gone. A failure is a warning.
    ///
    /// The publisher starts it once it owns the storage and has rolled an open intent forward: before that nobody knows which
    /// staged files are still to be named.
    pub async fn run(
        mut self,
        needs: watch::Receiver<StorageNeeds>,
        mut stop: watch::Receiver<bool>,
    ) {
        while !*stop.borrow() {
            let one = async {
                wall::sleep(self.settings.every).await;
                let needs = needs.borrow().clone();
                self.run_once(&needs).await
            };
            tokio::select! {
                ran = one => match ran {
                    Ok(done) => done.report(),
                    Err(error) => HousekeepingFailed { error: &error }.report(),
                },
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Does everything once. The error is that of the first part that failed; all others have been done then.
    async fn run_once(&mut self, needs: &StorageNeeds) -> Result<Housekept> {
        self.ages.look();
        let now = self.ages.now(self.settings.minimum_age);
        let mut done = Housekept {
            ran_at: *now.end(),
            ..Housekept::default()
        };
        let mut failure = None;
        match leases(&self.store, &now).await {
            Ok(leases) => {
                self.tables(needs, &leases.held, &mut done, &mut failure)
                    .await;
                done.leases = leases.lapsed.len() as u64;
                if let Err(error) = delete_all(&self.store, leases.lapsed).await {
                    done.leases = 0;
                    note(&mut failure, error);
                }
            }
            // Without knowing what readers hold, no file may go.
            Err(error) => note(&mut failure, error),
        }
        self.logs(needs, &mut done, &mut failure).await;
        if let Err(error) = self.sink_records(needs, &mut done).await {
            note(&mut failure, error);
        }
        if let Err(error) = self.write(&done).await {
            note(&mut failure, error);
        }
        failure.map_or(Ok(done), Err)
    }

    async fn tables(
        &mut self,
        needs: &StorageNeeds,
        held: &[BTreeMap<String, i64>],
        done: &mut Housekept,
        failure: &mut Option<Error>,
    ) {
        let Some(newest) = &needs.newest_epoch else {
            return;
        };
        let recent = self.recent(newest);
        for table in newest.tables.keys() {
            let versions = held.iter().chain(&recent);
            let pins = Pins {
                versions: versions
                    .filter_map(|tables| tables.get(table).copied())
                    .collect(),
                staged: needs.open_intent.get(table).cloned().unwrap_or_default(),
                claim: needs.claim,
            };
            let old = self.ages.before(self.settings.minimum_age);
            match self.tables.vacuum(table, &pins, old).await {
                Ok(vacuumed) => done.tables.add(vacuumed),
                Err(error) => note(failure, error),
            }
        }
    }

    /// The newest epoch's versions and those of the epochs that were the newest less than the minimum age ago.
    fn recent(&mut self, newest: &EpochRecord) -> Vec<BTreeMap<String, i64>> {
        let recent = &mut self.recent;
        let now = wall::monotonic();
        recent.retain(|old| now.duration_since(old.seen) < self.settings.minimum_age);
        match recent.back_mut() {
            Some(last) if last.epoch == newest.epoch => last.seen = now,
            _ => recent.push_back(RecentEpoch {
                epoch: newest.epoch,
                seen: now,
                tables: newest.versions(),
            }),
        }
        recent.iter().map(|epoch| epoch.tables.clone()).collect()
    }

    async fn logs(&self, needs: &StorageNeeds, done: &mut Housekept, failure: &mut Option<Error>) {
        for LogToTrim { name, layout } in &self.logs {
            let Some(cut) = needs.cuts.get(name) else {
                continue;
            };
            let old = self.ages.before(self.settings.record_life);
            match trim(&self.store, name, *layout, *cut, old).await {
                Ok(trimmed) => done.logs.add(trimmed),
                Err(error) => note(failure, error),
            }
        }
    }

    async fn sink_records(&self, needs: &StorageNeeds, done: &mut Housekept) -> Result<()> {
        let Some(delivered) = needs.delivered else {
            return Ok(());
        };
        let folder = Path::from(SINK_RECORDS);
        let old = self.ages.before(self.settings.record_life);
        let listed = self.store.list(Some(&folder)).try_collect::<Vec<_>>();
        let (mut going, mut deleted) = (Vec::new(), DeletedRecords::default());
        for file in listed.map_err(store_failed(&folder)).await? {
            let is_delivered = epoch_of(&file.location).is_some_and(|epoch| epoch < delivered);
            if is_delivered && TimestampMs::from_datetime(file.last_modified) <= old {
                deleted.files += 1;
                deleted.bytes += file.size;
                going.push(file.location);
            }
        }
        delete_all(&self.store, going).await?;
        done.sink_records = deleted;
        Ok(())
    }

    /// Writes down a run in which something went, and one an hour otherwise: an idle service is to leave its storage alone.
    async fn write(&mut self, done: &Housekept) -> Result<()> {
        let is_recent = |written: Instant| written.elapsed() < WRITE_EVERY;
        if done.is_empty() && self.written.is_some_and(is_recent) {
            return Ok(());
        }
        let path = Path::from(LAST);
        let text = serde_json::to_vec_pretty(done).map_err(Error::from_source(
            ErrorKind::Internal,
            "what housekeeping did cannot be encoded",
        ))?;
        let put = self.store.put(&path, text.into()).await;
        put.map_err(store_failed(&path))?;
        self.written = Some(wall::monotonic());
        Ok(())
    }
}

fn note(failure: &mut Option<Error>, error: Error) {
    match failure {
        None => *failure = Some(error),
        Some(_) => HousekeepingPartFailed { error: &error }.report(),
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
