//! An object store for readers of tables: a file is checked against its name before its first byte is handed out.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::OnceCell;

use super::content;

const STORE: &str = "VerifiedStore";
/// Files remembered as whole, about 10 MB; beyond that all are checked again.
const REMEMBERED: usize = 65_536;

/// Passes everything on to another store.
///
/// Files of tables never change, so each is read and hashed once as long as this lives, whoever asks for which of its ranges.
/// A file that is not what its name says is an error whose cause is a [`Damaged`](crate::error::ErrorKind::Damaged) that names it.
#[derive(Debug)]
pub struct VerifiedStore {
    inner: Arc<dyn ObjectStore>,
    checked: Mutex<HashMap<Path, Arc<OnceCell<()>>>>,
}

impl VerifiedStore {
    /// A store over `inner` that has checked nothing yet.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            checked: Mutex::default(),
        }
    }

    /// Checks a file now, unless that was done before.
    pub async fn check(&self, path: &Path) -> crate::error::Result<()> {
        let whole = {
            let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
            if checked.len() >= REMEMBERED && !checked.contains_key(path) {
                checked.clear();
            }
            Arc::clone(checked.entry(path.clone()).or_default())
        };
        let checking = whole.get_or_try_init(|| content::check_stored(&self.inner, path));
        checking.await.copied()
    }

    async fn check_before_read(&self, path: &Path) -> Result<()> {
        self.check(path).await.map_err(|error| StoreError::Generic {
            store: STORE,
            source: Box::new(error),
        })
    }
}

impl fmt::Display for VerifiedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STORE}({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for VerifiedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check_before_read(location).await?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.check_before_read(location).await?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::super::content::ContentHash;
    use super::*;

    fn named(content: &[u8]) -> Path {
        Path::from(ContentHash::of(content).file_name("1-1-00000-uuid"))
    }

    #[tokio::test]
    async fn a_damaged_file_is_an_error_that_names_it_and_a_whole_one_is_read_once() {
        let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let store = VerifiedStore::new(Arc::clone(&inner));
        let path = named(b"content");
        inner.put(&path, "Content".into()).await.unwrap();
        let error = store.get_range(&path, 0..3).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(path.as_ref()), "{cause}");
        assert!(store.get_ranges(&path, &[1..2, 3..4]).await.is_err());

        // Mended, it is read; and then not hashed again.
        inner.put(&path, "content".into()).await.unwrap();
        assert_eq!(store.get_range(&path, 0..3).await.unwrap(), "con");
        inner.put(&path, "Content".into()).await.unwrap();
        assert_eq!(store.get_range(&path, 0..3).await.unwrap(), "Con");
    }

    #[tokio::test]
    async fn what_no_name_vouches_for_is_passed_on() {
        let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let store = VerifiedStore::new(Arc::clone(&inner));
        let path = Path::from("part-0.parquet");
        store.put(&path, "anything".into()).await.unwrap();
        let read = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(read, "anything");
    }
}
