//! A small storage, and sessions over its newest epoch.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use jobs::snapshot::SnapshotReader;
use pipeline::log::{Access, open_store};
use pipeline::publisher::newest_epoch;
use pipeline::query::{Engine, Session, SpillFolder};
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
        let store = open_store(&url(&self.project.storage()), Access::Read)?;
        let epoch = newest_epoch(store.clone()).await?.context("no epoch")?;
        let zone = Zone(chrono_tz::Asia::Shanghai);
        let snapshots = SnapshotReader::new(store.clone(), zone)?;
        let snapshot = snapshots.snapshot(&epoch).await?;
        let engine = Engine::new(store, MEMORY_BYTES, &SpillFolder::none())?;
        Ok(Session::open(&snapshot, &engine).await?)
    }
}

fn url(folder: &Path) -> String {
    format!("file://{}", folder.display())
}
