//! A small storage, and sessions over its newest epoch.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use jobs::catalogue;
use jobs::reference::ReferenceArchive;
use pipeline::log::{Access, open_store};
use pipeline::publisher::newest_epoch;
use pipeline::query::catalog::{Finality, PinnedFile, PinnedTable, Snapshot};
use pipeline::query::{Engine, Session, SpillFolder};
use pipeline::table::Tables;
use pipeline::time::Zone;
use tempfile::TempDir;
use tests::events::Events;
use tests::project::Project;

/// What the queries of one session may use together.
const MEMORY_BYTES: usize = 256 << 20;

/// Three days of thirty retailers, as `vitrine run --drain` stores them.
pub(crate) struct SmallStorage {
    project: Project,
    _events: TempDir,
}

impl SmallStorage {
    pub(crate) fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        let args = ["--days", "3", "--customers", "30", "--partitions", "1"];
        let events = Events::simulate(folder.path().join("events"), &args)?;
        let project = Project::on_files(&events)?;
        project.run(&["run", "--drain"])?;
        Ok(Self {
            project,
            _events: folder,
        })
    }

    /// Every file with its size and time.
    pub(crate) fn files(&self) -> Result<BTreeMap<PathBuf, (u64, Option<SystemTime>)>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.project.storage()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let metadata = entry.metadata()?;
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else {
                    files.insert(entry.path(), (metadata.len(), metadata.modified().ok()));
                }
            }
        }
        Ok(files)
    }

    /// Opens the newest epoch as `vitrine sql` does, but holds no lease: nothing is to be written here.
    pub(crate) async fn session(&self) -> Result<Session> {
        let zone = Zone(chrono_tz::Asia::Shanghai);
        let store = open_store(&url(&self.project.storage()), Access::Read)?;
        let epoch = newest_epoch(store.clone()).await?.context("no epoch")?;
        let stored = Tables::new(store.clone());
        let mut tables = Vec::new();
        for spec in catalogue::stored_tables(zone)? {
            let name = spec.full_name();
            let files = match epoch.tables.get(&name) {
                Some(pinned) => stored.pinned_files(&name, pinned).await?,
                None => Default::default(),
            };
            let key = schemas::table::all_tables()
                .into_iter()
                .filter(|table| matches!(table.schema_name, "metrics" | "feeds"))
                .find(|table| format!("{}.{}", table.schema_name, table.name) == name)
                .map(|table| table.key.iter().map(|name| (*name).to_owned()).collect());
            let files = files.iter().map(|file| PinnedFile {
                path: file.location.clone(),
                size: file.size,
                partition_values: file.partition_values.clone().into_iter().collect(),
                rows: Some(file.rows),
            });
            tables.push(PinnedTable {
                schema_name: spec.schema_name.clone(),
                name: spec.name.clone(),
                schema: spec.schema.clone(),
                partition_by: spec.partition_by.clone(),
                key: key.unwrap_or_default(),
                files: files.collect(),
            });
        }
        let reference = ReferenceArchive::new(store.clone())
            .read(&epoch.reference)
            .await?;
        let finality = epoch.finality.iter().map(|row| Finality {
            table: row.table.clone(),
            window_kind: row.window_kind.clone(),
            final_until: row.until,
        });
        let snapshot = Snapshot {
            epoch: epoch.epoch,
            committed_at: epoch.committed_at,
            zone: zone.0,
            tables,
            finality: finality.collect(),
            reference: reference
                .tables()
                .map(|(name, rows)| (name.to_owned(), rows.clone()))
                .collect(),
            views: catalogue::views()?,
        };
        let engine = Engine::new(store, MEMORY_BYTES, &SpillFolder::none())?;
        Ok(Session::open(&snapshot, &engine).await?)
    }
}

fn url(folder: &Path) -> String {
    format!("file://{}", folder.display())
}
