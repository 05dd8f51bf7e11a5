//! Where logs and tables live: one object store, opened from the configured URL.

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};

use super::error::store_failed;
use super::fsync::FsyncStore;
use super::permissions::StorageMode;
use crate::error::{Error, ErrorKind, Result};

/// The folder of all logs, which every storage has.
const LOGS: &str = "log";

/// What a storage is opened for.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// To read it: nothing is made where there is none.
    Read,
    /// To own it: folders are made if missing.
    Write(StorageMode),
}

impl Default for Access {
    fn default() -> Self {
        Self::Write(StorageMode::default())
    }
}

/// Opens the storage of `[storage] url`.
///
/// Only `file:///absolute/folder`. The store's root is that folder, and what it acknowledges survives power loss.
pub fn open_store(url: &str, access: Access) -> Result<Arc<dyn ObjectStore>> {
    let root = local_folder(url)?;
    Ok(Arc::new(match access {
        Access::Write(mode) => FsyncStore::open(&root, mode)?,
        Access::Read if is_storage(&root) => {
            FsyncStore::open_existing(&root, StorageMode::default())?
        }
        Access::Read => {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "there is no storage at {}: check [storage] url; `vitrine run` makes it",
                    root.display()
                ),
            ));
        }
    }))
}

/// Whether a folder has logs: who makes a storage claims one first. One that may not be looked into is not called none.
fn is_storage(root: &FsPath) -> bool {
    match fs::metadata(root.join(LOGS)) {
        Ok(found) => found.is_dir(),
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// The folder that `[storage] url` names.
pub fn local_folder(url: &str) -> Result<PathBuf> {
    let folder = url
        .strip_prefix("file://")
        .filter(|path| path.starts_with('/'));
    folder.map(PathBuf::from).ok_or_else(|| {
        Error::new(
            ErrorKind::Configuration,
            "[storage] url is no local folder: give an absolute one as file:///path",
        )
    })
}

/// The bytes of an object, `None` where there is none.
pub(crate) async fn get_if_there(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
) -> Result<Option<Bytes>> {
    let found = match store.get(path).await {
        Ok(found) => found.bytes().await,
        Err(error) => Err(error),
    };
    unless_missing(path, found)
}

/// Deletes objects. One that is gone already is as good as deleted: an earlier run may have been cut short.
pub(crate) async fn delete_all(store: &Arc<dyn ObjectStore>, paths: Vec<Path>) -> Result<()> {
    let names = paths.clone();
    let deleted = store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
    deleted
        .zip(stream::iter(names))
        .map(|(deleted, path)| unless_missing(&path, deleted.map(drop)).map(drop))
        .try_collect()
        .await
}

/// `None` where the store answers that there is nothing.
pub(super) fn unless_missing<T>(path: &Path, answer: Result<T, StoreError>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(store_failed(path)(error)),
    }
}

/// The names of one log's objects.
#[derive(Debug, Clone)]
pub struct LogFolder {
    log: String,
}

impl LogFolder {
    /// The folder of the log `name`, for example `shard-3` or `publisher`.
    pub fn new(name: &str) -> Self {
        Self {
            log: name.to_owned(),
        }
    }

    /// The log's name.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The folder of all records.
    pub fn records(&self) -> Path {
        Path::from_iter([LOGS, self.log.as_str(), "record"])
    }

    /// The folder of all checkpoints.
    pub fn checkpoints(&self) -> Path {
        Path::from_iter([LOGS, self.log.as_str(), "checkpoint"])
    }

    /// The name of record `number`: the number alone.
    pub fn record(&self, number: u64) -> Path {
        self.records().join(format!("{number:020}"))
    }

    /// The name of a checkpoint: the record it covers, then the claim and nonce of who wrote it.
    pub fn checkpoint(&self, covers: u64, claim: super::ClaimId) -> Path {
        self.checkpoints().join(format!(
            "{covers:020}-{:020}-{:032x}",
            claim.number, claim.nonce
        ))
    }
}

/// The number that a record's or checkpoint's name begins with; `None` for a foreign object.
pub(super) fn number_of(path: &Path) -> Option<u64> {
    let name = path.filename()?;
    let digits = name.split('-').next()?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::ClaimId;

    #[test]
    fn urls_other_than_a_local_folder_are_refused_with_a_sentence() {
        for url in [
            "s3://bucket/prefix",
            "file://relative",
            "/var/lib",
            "",
            "gs://x",
        ] {
            let error = open_store(url, Access::default())
                .expect_err(url)
                .to_string();
            assert!(
                error.contains("file:///path") && error.contains("[storage] url"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_records_name_is_its_number_alone() {
        let folder = LogFolder::new("shard-3");
        assert_eq!(
            folder.record(42).as_ref(),
            "log/shard-3/record/00000000000000000042"
        );
        let checkpoint = folder.checkpoint(
            41,
            ClaimId {
                number: 37,
                nonce: 0xabc,
            },
        );
        assert!(
            checkpoint
                .as_ref()
                .starts_with("log/shard-3/checkpoint/00000000000000000041-00000000000000000037-")
        );
        assert_eq!(number_of(&folder.record(42)), Some(42));
        assert_eq!(number_of(&checkpoint), Some(41));
        assert_eq!(number_of(&Path::from("log/shard-3/record/readme")), None);
    }
}
