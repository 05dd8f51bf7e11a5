//! Which object of a table's Delta log is damaged. Asked only where a list of files does not have the epoch's sum, where the log
//! cannot be read, and by `audit`.

use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::kernel::Action;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;

use super::files::{OpenTable, entry_name, files_of};
use super::pinned::{EntryHash, FileSum, TableVersion};
use crate::error::Result;
use crate::log::{get_if_there, store_failed};

const LAST_CHECKPOINT: &str = "_delta_log/_last_checkpoint";

/// The objects of a Delta log that decide what a version is.
struct DeltaLog<'t> {
    store: &'t Arc<dyn ObjectStore>,
    open: &'t OpenTable,
    /// The newest commit.
    newest: i64,
    /// Checkpoints, with their versions.
    checkpoints: Vec<(i64, Path)>,
}

/// What a commit says of the one before it.
enum Commit {
    Missing,
    Unreadable,
    Read {
        hash: EntryHash,
        previous: Option<EntryHash>,
    },
}

/// The object of the Delta log that is not what it was when `pinned` was committed, or that cannot be read; `None` where the log is
/// whole as far as anything vouches for it.
pub(super) async fn culprit(
    store: &Arc<dyn ObjectStore>,
    open: &OpenTable,
    pinned: &TableVersion,
) -> Result<Option<Path>> {
    let log = DeltaLog::list(store, open).await?;
    if let Some(path) = log.damaged_commit(pinned).await? {
        return Ok(Some(path));
    }
    match log.damaged_hint().await? {
        Some(path) => Ok(Some(path)),
        None => Ok(log.left_over(pinned).await),
    }
}

impl<'t> DeltaLog<'t> {
    async fn list(store: &'t Arc<dyn ObjectStore>, open: &'t OpenTable) -> Result<Self> {
        let folder = open.location("_delta_log");
        let listed: Vec<_> = store
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(store_failed(&folder))?;
        let mut log = Self {
            store,
            open,
            newest: -1,
            checkpoints: Vec::new(),
        };
        for object in listed {
            let path = object.location;
            let Some((digits, kind)) = path.filename().and_then(|name| name.split_once('.')) else {
                continue;
            };
            let Ok(version) = digits.parse() else {
                continue;
            };
            match kind {
                "json" => log.newest = log.newest.max(version),
                kind if kind.starts_with("checkpoint.") => log.checkpoints.push((version, path)),
                _ => {}
            }
        }
        Ok(log)
    }

    /// The object that is to blame where nothing else is: each can be read and has the hash that vouches for it, and yet the log
    /// gives no list of files, or another. `None` where it gives one now: the trouble has passed.
    async fn left_over(&self, pinned: &TableVersion) -> Option<Path> {
        let files = self.files_of(Some(pinned.version)).await;
        if files == Some(pinned.files) {
            // Nothing vouches for what lies behind the pinned version.
            let is_behind = self.newest > pinned.version && self.files_of(None).await.is_none();
            return is_behind.then(|| self.path(self.newest));
        }
        // Commits are whole, so it is what readers begin with.
        let checkpoint = self.checkpoint_before(pinned.version);
        checkpoint.map(|(_, path)| path.clone())
    }

    fn checkpoint_before(&self, version: i64) -> Option<&(i64, Path)> {
        let before = self.checkpoints.iter().filter(|(of, _)| *of <= version);
        before.max_by_key(|(of, _)| *of)
    }

    /// The sum over the files of a version, or the newest; `None` where they cannot be read.
    async fn files_of(&self, version: Option<i64>) -> Option<FileSum> {
        let mut table = DeltaTable::new(Arc::clone(&self.open.log_store));
        let version = version.and_then(|version| u64::try_from(version).ok());
        table.update_incremental(version).await.ok()?;
        let files = files_of(self.open, &table).ok()?;
        Some(FileSum::of(&files))
    }

    fn path(&self, version: i64) -> Path {
        self.open.location(&entry_name(version))
    }

    /// From the newest commit down to the last checkpoint, each compared with what the one after it, or the epoch, says of it.
    async fn damaged_commit(&self, pinned: &TableVersion) -> Result<Option<Path>> {
        let stop = self
            .checkpoint_before(pinned.version)
            .map_or(-1, |(of, _)| *of);
        let mut expected = None;
        let mut version = self.newest.max(pinned.version);
        while version > stop {
            if version == pinned.version {
                expected = Some(pinned.entry);
            }
            match self.commit(version).await? {
                Commit::Read { hash, previous } if expected.is_none_or(|named| named == hash) => {
                    expected = previous;
                }
                Commit::Missing | Commit::Unreadable | Commit::Read { .. } => {
                    return Ok(Some(self.path(version)));
                }
            }
            version -= 1;
        }
        Ok(None)
    }

    async fn commit(&self, version: i64) -> Result<Commit> {
        let Some(bytes) = get_if_there(self.store, &self.path(version)).await? else {
            return Ok(Commit::Missing);
        };
        Ok(
            match deltalake::logstore::get_actions(version.unsigned_abs(), &bytes) {
                Ok(actions) if actions.iter().any(is_known) => Commit::Read {
                    hash: EntryHash::of(&bytes),
                    previous: EntryHash::previous_of(&actions),
                },
                _ => Commit::Unreadable,
            },
        )
    }

    /// `_last_checkpoint`, where it cannot be read or names a checkpoint that is not there.
    async fn damaged_hint(&self) -> Result<Option<Path>> {
        #[derive(serde::Deserialize)]
        struct Hint {
            version: i64,
        }
        let path = self.open.location(LAST_CHECKPOINT);
        let Some(bytes) = get_if_there(self.store, &path).await? else {
            return Ok(None);
        };
        let named = serde_json::from_slice::<Hint>(&bytes).ok();
        let is_there = |hint: Hint| self.checkpoints.iter().any(|(of, _)| *of == hint.version);
        Ok((!named.is_some_and(is_there)).then_some(path))
    }
}

/// An empty commit has none of these.
fn is_known(action: &Action) -> bool {
    matches!(
        action,
        Action::CommitInfo(_)
            | Action::Add(_)
            | Action::Remove(_)
            | Action::Metadata(_)
            | Action::Txn(_)
    )
}
