//! Reference data archived by content: `<storage>/reference/<version>/<table>.arrow`.
//!
//! Only the columns of the contract are archived (K48): what else the files say about people stays where it is.
//!
//! A seal names the version in force. Recovery and audit read exactly that version, whatever the folder `[reference] dir` holds by
//! then. A new version takes effect at a seal and runs its readers again.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use pipeline::error::ErrorKind;
use pipeline::shard::ReferenceStore;

use super::data::{decode, encode, hash_of, version_of_encoded};
use super::{ReferenceData, RetailReference};
use crate::error::{Error, Result};

const ENDING: &str = ".arrow";

/// The archive of one storage.
pub struct ReferenceArchive {
    store: Arc<dyn ObjectStore>,
    /// The version added or read last: every shard asks for the same one.
    cache: Mutex<Option<Arc<ReferenceData>>>,
}

impl ReferenceArchive {
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            cache: Mutex::default(),
        }
    }

    /// Stores the tables of `reference` under its version.
    ///
    /// # Errors
    /// A storage that cannot be written.
    pub async fn add(&self, reference: &Arc<ReferenceData>) -> Result<()> {
        for (name, rows) in reference.tables() {
            let path = folder(reference.version()).join(format!("{name}{ENDING}"));
            // What is damaged is written again.
            if self.holds(&path, reference.hash(name)).await {
                continue;
            }
            let mut bytes = Vec::new();
            encode(rows, &mut bytes).map_err(Error::from_source(
                ErrorKind::Internal,
                format!("reference data cannot be encoded table={name}"),
            ))?;
            let message = format!("reference data cannot be archived path={path}");
            self.store
                .put(&path, bytes.into())
                .await
                .map_err(Error::from_source(ErrorKind::Unavailable, message))?;
        }
        self.remember(reference);
        Ok(())
    }

    /// Reads a version that was added earlier.
    ///
    /// # Errors
    /// A storage that cannot be read; archived files that are missing or do not have the content that the version names.
    pub async fn read(&self, version: &str) -> Result<Arc<ReferenceData>> {
        if let Some(reference) = self.cached(version) {
            return Ok(reference);
        }
        let tables = self
            .archived_tables(version)
            .await
            .map_err(Error::from_source(
                ErrorKind::Unavailable,
                format!("archived reference data cannot be read version={version}"),
            ))?;
        let encoded = tables
            .iter()
            .map(|(name, bytes)| (name.as_str(), &bytes[..]));
        let found = version_of_encoded(encoded);
        if found != version {
            return Err(Error::new(
                ErrorKind::Damaged,
                format!(
                    "damaged path={}: archived reference data do not have the content of their version, found={found}; restore this \
                     folder from a copy",
                    folder(version)
                ),
            ));
        }
        let unusable = || {
            format!(
                "archived reference data cannot be used folder={}",
                folder(version)
            )
        };
        let mut decoded = Vec::new();
        for (name, bytes) in tables {
            let rows =
                decode(&bytes).map_err(Error::from_source(ErrorKind::Damaged, unusable()))?;
            decoded.push((name, rows));
        }
        let reference = ReferenceData::from_tables(version, decoded)
            .map_err(Error::from_source(ErrorKind::Damaged, unusable()))?;
        let reference = Arc::new(reference);
        self.remember(&reference);
        Ok(reference)
    }

    async fn holds(&self, path: &Path, hash: Option<[u8; 32]>) -> bool {
        let found = match self.store.get(path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        found.is_ok_and(|found| Some(hash_of(&found)) == hash)
    }

    /// Name and bytes of each table.
    async fn archived_tables(
        &self,
        version: &str,
    ) -> Result<Vec<(String, Bytes)>, object_store::Error> {
        let listing = self.store.list(Some(&folder(version)));
        let mut objects: Vec<_> = listing.try_collect().await?;
        objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        let mut tables = Vec::new();
        for object in objects {
            let name = object.location.filename().unwrap_or_default();
            let name = name.strip_suffix(ENDING).unwrap_or(name).to_owned();
            tables.push((name, self.store.get(&object.location).await?.bytes().await?));
        }
        Ok(tables)
    }

    fn remember(&self, reference: &Arc<ReferenceData>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        *cache = Some(reference.clone());
    }

    fn cached(&self, version: &str) -> Option<Arc<ReferenceData>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.clone().filter(|data| data.version() == version)
    }
}

fn folder(version: &str) -> Path {
    Path::from("reference").join(version)
}

#[async_trait]
impl ReferenceStore<RetailReference> for ReferenceArchive {
    async fn reference(&self, version: &str) -> pipeline::error::Result<RetailReference> {
        let reference = self.read(version).await.map_err(|error| {
            let message = format!(
                "reference data of version={version} cannot be read from the storage's archive"
            );
            pipeline::error::Error::new(error.kind(), message).caused_by(error)
        })?;
        Ok(RetailReference::new(reference))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::reference::fixture::reference_data;

    /// Adds the file `ref_unit.csv` with one unit, and returns what it holds.
    async fn add(archive: &ReferenceArchive, unit: &str) -> Arc<ReferenceData> {
        let rows = format!(
            "unit_id,unit_kind,parent_id,open_time,close_time,valid_from,valid_to\n{unit},CALL_CENTRE,,,,2020-01-01T00:00:00Z,\n"
        );
        let reference = Arc::new(reference_data(&[("ref_unit.csv", &rows)]));
        archive.add(&reference).await.unwrap();
        reference
    }

    #[tokio::test]
    async fn a_version_can_be_read_after_the_files_have_changed() {
        let archive = ReferenceArchive::new(Arc::new(InMemory::new()));
        let first = add(&archive, "U1").await;
        let second = add(&archive, "U2").await;
        assert_ne!(first.version(), second.version());
        let path = folder(first.version()).join("ref_unit.arrow");
        let written = archive.store.head(&path).await.unwrap().e_tag;
        add(&archive, "U1").await;
        let kept = archive.store.head(&path).await.unwrap().e_tag;
        assert_eq!(kept, written, "what is there is not written again");
        add(&archive, "U2").await;
        let read = archive.read(first.version()).await.unwrap();
        assert_eq!(read.version(), first.version());
        let again = archive.read(first.version()).await.unwrap();
        assert!(Arc::ptr_eq(&read, &again), "read once");
        let missing = archive.read("nowhere").await.err().unwrap();
        assert_eq!(missing.kind(), ErrorKind::Damaged);
    }

    #[tokio::test]
    async fn f4_a_damaged_file_is_named_by_its_folder_and_mended_by_the_next_run_with_the_same_data()
     {
        let archive = ReferenceArchive::new(Arc::new(InMemory::new()));
        let reference = add(&archive, "U1").await;
        let path = folder(reference.version()).join("ref_unit.arrow");
        let damaged = "unit_id\nU2\n";
        archive.store.put(&path, damaged.into()).await.unwrap();
        let reader = ReferenceArchive::new(archive.store.clone());
        let error = reader.read(reference.version()).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        let named = format!("path={}", folder(reference.version()));
        assert!(error.to_string().contains(&named), "{error}");

        add(&archive, "U1").await;
        assert!(reader.read(reference.version()).await.is_ok());
    }

    #[tokio::test]
    async fn empty_data_can_be_read_again() {
        let archive = ReferenceArchive::new(Arc::new(InMemory::new()));
        let empty = Arc::new(ReferenceData::empty());
        archive.add(&empty).await.unwrap();
        let other = ReferenceArchive::new(archive.store.clone());
        assert!(other.read(empty.version()).await.is_ok());
    }
}
