//! Reference data archived by content: `<storage>/reference/<version>/<file>`.
//!
//! A seal names the version that was in force. Recovery and audit read exactly that, whatever lies in `[reference] dir` today;
//! a new version takes effect at a seal and runs its readers again.

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use async_trait::async_trait;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use pipeline::error::{Error, ErrorKind, Result};
use pipeline::shard::ReferenceStore;

use super::{ReferenceData, RetailReference};

/// The archive of one storage.
pub struct ReferenceArchive {
    store: Arc<dyn ObjectStore>,
    /// What was kept or read last: every shard asks for the same version.
    last: Mutex<Option<Arc<ReferenceData>>>,
}

impl ReferenceArchive {
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            last: Mutex::default(),
        }
    }

    /// Reads `dir`, keeps its files under their content's hash, and returns what they say. An absent folder is empty data.
    pub async fn keep(&self, dir: &FilePath) -> anyhow::Result<Arc<ReferenceData>> {
        let files = match dir.exists() {
            true => ReferenceData::files(dir)?,
            false => BTreeMap::new(),
        };
        let reference = Arc::new(ReferenceData::from_files(&files)?);
        for (name, bytes) in files {
            let path = folder(reference.version()).join(name);
            // Equal content under an equal name: writing it again changes nothing.
            if self.store.head(&path).await.is_err() {
                self.store
                    .put(&path, bytes.into())
                    .await
                    .with_context(|| format!("reference data cannot be archived path={path}"))?;
            }
        }
        self.remember(&reference);
        Ok(reference)
    }

    fn remember(&self, reference: &Arc<ReferenceData>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(reference.clone());
    }

    /// The last one, if it is of this version.
    fn remembered(&self, version: &str) -> Option<Arc<ReferenceData>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().filter(|last| last.version() == version)
    }

    /// A version that was kept.
    pub async fn read(&self, version: &str) -> anyhow::Result<Arc<ReferenceData>> {
        if let Some(reference) = self.remembered(version) {
            return Ok(reference);
        }
        let mut files = BTreeMap::new();
        let listed: Vec<_> = self
            .store
            .list(Some(&folder(version)))
            .try_collect()
            .await?;
        for object in listed {
            let bytes = self.store.get(&object.location).await?.bytes().await?;
            if let Some(name) = object.location.filename() {
                files.insert(name.to_owned(), bytes.to_vec());
            }
        }
        let reference = ReferenceData::from_files(&files)?;
        anyhow::ensure!(
            reference.version() == version,
            "the archived files have another content: version={}",
            reference.version()
        );
        let reference = Arc::new(reference);
        self.remember(&reference);
        Ok(reference)
    }
}

fn folder(version: &str) -> Path {
    Path::from("reference").join(version)
}

#[async_trait]
impl ReferenceStore<RetailReference> for ReferenceArchive {
    async fn reference(&self, version: &str) -> Result<RetailReference> {
        let reference = self.read(version).await.map_err(|error| {
            let kind = if error.is::<object_store::Error>() {
                ErrorKind::Unavailable
            } else {
                ErrorKind::Damaged
            };
            let message = format!(
                "reference data of version={version} cannot be read from the storage's archive"
            );
            Error::new(kind, message).caused_by(error)
        })?;
        Ok(RetailReference::new(reference))
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn a_version_can_be_read_after_the_files_have_changed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ref_unit.csv");
        let rows = |unit: &str| {
            format!(
                "unit_id,unit_kind,parent_id,open_time,close_time,valid_from,valid_to\n{unit},CALL_CENTRE,,,,2020-01-01T00:00:00Z,\n"
            )
        };
        let archive = ReferenceArchive::new(Arc::new(InMemory::new()));
        std::fs::write(&file, rows("U1")).unwrap();
        let first = archive.keep(dir.path()).await.unwrap();
        std::fs::write(&file, rows("U2")).unwrap();
        let second = archive.keep(dir.path()).await.unwrap();
        assert_ne!(first.version(), second.version());
        let read = archive.read(first.version()).await.unwrap();
        assert_eq!(read.version(), first.version());
        let again = archive.read(first.version()).await.unwrap();
        assert!(Arc::ptr_eq(&read, &again), "read once");
        assert!(archive.read("nowhere").await.is_err());
    }

    #[tokio::test]
    async fn an_absent_folder_is_empty_data_and_can_be_read_back() {
        let archive = ReferenceArchive::new(Arc::new(InMemory::new()));
        let empty = archive
            .keep(FilePath::new("/nowhere/at/all"))
            .await
            .unwrap();
        let other = ReferenceArchive::new(archive.store.clone());
        assert!(other.read(empty.version()).await.is_ok());
    }
}
