//! What a storage holds: the object store itself, sessions over the newest epoch, archived reference data.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use anyhow::{Context, bail};
use jobs::reference::{FolderStamp, ReferenceArchive, ReferenceData};
use jobs::snapshot::SnapshotReader;
use object_store::ObjectStore;
use pipeline::log::{Access, local_folder, open_store};
use pipeline::publisher::{EpochRecord, newest_epoch};
use pipeline::query::catalog::Snapshot;
use pipeline::query::{Engine, Lease, Session, SpillFolder};
use pipeline::time::Zone;
use tokio::sync::Mutex;

use crate::config::{Config, shown_url};
use crate::exit::CommandError;

/// The object store of a configuration, to own it.
pub(crate) fn object_store(config: &Config) -> anyhow::Result<Arc<dyn ObjectStore>> {
    open(config, Access::Write(config.storage.mode))
}

fn open(config: &Config, access: Access) -> anyhow::Result<Arc<dyn ObjectStore>> {
    open_store(&config.storage.url, access).with_context(|| {
        format!(
            "storage cannot be opened url={}",
            shown_url(&config.storage.url)
        )
    })
}

/// Opens sessions over the newest epoch. It keeps what it has read of tables and files, so that the next session reads only what is
/// new.
pub(crate) struct EpochReader<'c> {
    config: &'c Config,
    store: Arc<dyn ObjectStore>,
    snapshots: SnapshotReader,
    engine: Engine,
    /// The lease of the last epoch opened: the next session of that epoch shares it.
    lease: Mutex<Weak<Lease>>,
    has_warned: AtomicBool,
}

impl<'c> EpochReader<'c> {
    pub(crate) fn new(config: &'c Config) -> anyhow::Result<Self> {
        let store = open(config, Access::Read)?;
        let spill = SpillFolder::in_storage(&local_folder(&config.storage.url)?);
        Ok(Self {
            config,
            snapshots: SnapshotReader::new(store.clone(), Zone(config.time.zone))?,
            engine: Engine::new(store.clone(), config.limits.memory, &spill)?,
            store,
            lease: Mutex::default(),
            has_warned: AtomicBool::new(false),
        })
    }

    /// The object store itself.
    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Pins the newest epoch, holds its files and opens it.
    pub(crate) async fn session(&self) -> anyhow::Result<Session> {
        Ok(self.newest().await?.1)
    }

    /// The same with the record of the epoch.
    pub(crate) async fn newest(&self) -> anyhow::Result<(EpochRecord, Session)> {
        match self.newest_if_any().await? {
            Some(newest) => Ok(newest),
            None => bail!(self.nothing_published()),
        }
    }

    /// The same; `None` if nothing has been published yet.
    pub(crate) async fn newest_if_any(&self) -> anyhow::Result<Option<(EpochRecord, Session)>> {
        let Some((epoch, lease, snapshot)) = self.pinned().await? else {
            return Ok(None);
        };
        let session = Session::open(&snapshot, &self.engine).await?;
        Ok(Some((epoch, session.holding(lease))))
    }

    /// The newest epoch, once every file of its tables and their Delta logs has been read; the first object that is not what was
    /// published is an error that names it.
    pub(crate) async fn newest_checked(&self) -> anyhow::Result<(EpochRecord, Session)> {
        let Some((epoch, lease, snapshot)) = self.pinned().await? else {
            bail!(self.nothing_published());
        };
        self.snapshots.check_logs(&epoch).await?;
        self.engine.check_files(&snapshot).await?;
        let session = Session::open(&snapshot, &self.engine).await?;
        Ok((epoch, session.holding(lease)))
    }

    fn nothing_published(&self) -> String {
        format!(
            "nothing has been published yet in [storage] url={}; start `vitrine run` or `vitrine demo` first",
            shown_url(&self.config.storage.url)
        )
    }

    /// The newest epoch with its tables as it pins them, held by a lease.
    async fn pinned(&self) -> anyhow::Result<Option<(EpochRecord, Option<Arc<Lease>>, Snapshot)>> {
        let Some(epoch) = newest_epoch(self.store.clone()).await? else {
            return Ok(None);
        };
        if let Some(identity) = &epoch.identity {
            identity.require_zone(Zone(self.config.time.zone))?;
        }
        // Before anything of the epoch is read.
        let lease = self.lease(&epoch).await;
        let snapshot = self.snapshots.snapshot(&epoch).await?;
        Ok(Some((epoch, lease, snapshot)))
    }

    /// The reference data that were in force in an epoch.
    pub(crate) async fn reference(
        &self,
        epoch: &EpochRecord,
    ) -> anyhow::Result<Arc<ReferenceData>> {
        Ok(self.snapshots.reference(epoch).await?)
    }

    /// The lease of the epoch; without one, what is replaced meanwhile is still kept for an hour.
    async fn lease(&self, epoch: &EpochRecord) -> Option<Arc<Lease>> {
        let mut last = self.lease.lock().await;
        if let Some(lease) = last.upgrade()
            && lease.epoch() == epoch.epoch
            && !lease.is_over()
        {
            return Some(lease);
        }
        match Lease::take(self.store.clone(), epoch).await {
            Ok(lease) => {
                let lease = Arc::new(lease);
                *last = Arc::downgrade(&lease);
                Some(lease)
            }
            Err(error) => {
                if !self.has_warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        ?error,
                        "reading without a lease: a query that takes over an hour may lose its files"
                    );
                }
                None
            }
        }
    }
}

/// The reference data of a configuration, archived, and the stamp of their folder, if it stayed the same while it was read; a missing folder
/// is empty reference data, with a warning.
pub(crate) async fn reference_data(
    config: &Config,
    archive: &ReferenceArchive,
) -> anyhow::Result<(Arc<ReferenceData>, Option<FolderStamp>)> {
    let dir = config.reference.dir.clone();
    let (reference, stamp) = tokio::task::spawn_blocking(move || read_reference(&dir))
        .await
        .context("reading reference data stopped")?
        // Files that somebody has to correct, as `vitrine check` reports too.
        .map_err(|error| {
            let dir = config.reference.dir.display();
            CommandError::Usage(format!("[reference] dir={dir}: {error}"))
        })?;
    let reference = Arc::new(reference);
    archive.add(&reference).await?;
    for warning in reference.warnings() {
        tracing::warn!(%warning, "reference data");
    }
    Ok((reference, stamp))
}

/// The tables of a folder with its stamp; none if there is no folder.
fn read_reference(dir: &Path) -> jobs::error::Result<(ReferenceData, Option<FolderStamp>)> {
    if ReferenceData::folder_exists(dir)? {
        let (read, stamp) = FolderStamp::around(dir, ReferenceData::load)?;
        return Ok((read?, stamp));
    }
    tracing::warn!(dir = %dir.display(), "there is no reference data: every dimension is UNKNOWN; see [reference] dir");
    Ok((ReferenceData::empty(), None))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemas::time::TimestampMs;

    use super::*;

    fn config(folder: &tempfile::TempDir) -> Config {
        let mut config = Config::default();
        config.storage.url = format!("file://{}", folder.path().display());
        config
    }

    /// A storage in which nothing has been published.
    fn storage() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        folder
    }

    fn epoch(epoch: i64) -> EpochRecord {
        EpochRecord {
            epoch,
            committed_at: TimestampMs::from_ms(0),
            cut: BTreeMap::new(),
            tables: BTreeMap::new(),
            finality: Vec::new(),
            reference: String::new(),
            drained_to: None,
            clocks: BTreeMap::new(),
            unrevised: Vec::new(),
            identity: None,
        }
    }

    #[tokio::test]
    async fn a_missing_folder_is_empty_reference_data_and_a_wrong_file_is_wrong_usage() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config.reference.dir = folder.path().join("ref");
        let archive = ReferenceArchive::new(object_store(&config).unwrap());
        let (empty, _) = reference_data(&config, &archive).await.unwrap();
        assert_eq!(empty.version(), ReferenceData::empty().version());

        std::fs::create_dir(&config.reference.dir).unwrap();
        let file = config.reference.dir.join("ref_sku.csv");
        std::fs::write(&file, "sku_id,is_key_brand\nS1,perhaps\n").unwrap();
        let error = reference_data(&config, &archive).await.err().unwrap();
        let is_usage = matches!(error.downcast_ref(), Some(CommandError::Usage(_)));
        assert!(is_usage, "{error}");
        let text = error.to_string();
        assert!(
            text.contains("[reference] dir=") && text.contains("ref_sku.csv:2"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn sessions_of_one_epoch_share_a_lease() {
        let folder = storage();
        let config = config(&folder);
        let reader = EpochReader::new(&config).unwrap();
        let first = reader.lease(&epoch(7)).await.unwrap();
        let again = reader.lease(&epoch(7)).await.unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let next = reader.lease(&epoch(8)).await.unwrap();
        assert_eq!((first.epoch(), next.epoch()), (7, 8));
        let leases = || {
            std::fs::read_dir(folder.path().join("leases"))
                .unwrap()
                .count()
        };
        assert_eq!(leases(), 2);
        drop(again);
        Arc::into_inner(first).unwrap().close().await;
        assert_eq!(leases(), 1);
    }

    #[tokio::test]
    async fn a_storage_without_an_epoch_has_no_newest_one() {
        let folder = storage();
        let config = config(&folder);
        let reader = EpochReader::new(&config).unwrap();
        assert!(reader.newest_if_any().await.unwrap().is_none());
        let error = reader.newest().await.err().unwrap();
        assert!(
            error.to_string().contains("nothing has been published yet"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_storage_that_takes_no_lease_is_read_without_one() {
        let folder = storage();
        std::fs::write(folder.path().join("leases"), "in the way").unwrap();
        let config = config(&folder);
        let reader = EpochReader::new(&config).unwrap();
        assert!(reader.lease(&epoch(7)).await.is_none());
        assert!(reader.has_warned.load(Ordering::Relaxed));
        assert!(reader.lease(&epoch(8)).await.is_none());
    }
}
