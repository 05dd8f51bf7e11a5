//! A store in memory that fails as stores do: before the effect, or after it. For tests.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens to one put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// An error, and nothing was written.
    WithoutEffect,
    /// An error, though it was written: the ambiguous one.
    AfterSuccess,
    /// Written; a client that repeated the request is then told that the object exists (409).
    ExistsAfterSuccess,
    /// Written; a client that repeated the request is then told that its condition does not hold (412).
    ConditionAfterSuccess,
}

/// Passes everything on to `inner`; puts take their faults (and pauses, for interleaving) from a script.
#[derive(Debug, Clone)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    script: Arc<Mutex<VecDeque<(Fault, u8)>>>,
    undeletable: Arc<Mutex<Option<Path>>>,
    /// Deletions that still succeed.
    deletions: Arc<Mutex<usize>>,
}

/// Faults as an unlucky day brings them: runs of them, each as often as the other.
pub(crate) fn unlucky(random: &mut impl rand::Rng) -> Vec<Fault> {
    let faults = [
        Fault::WithoutEffect,
        Fault::AfterSuccess,
        Fault::ExistsAfterSuccess,
        Fault::ConditionAfterSuccess,
    ];
    let count = random.random_range(0..3);
    (0..count)
        .map(|_| faults[random.random_range(0..faults.len())])
        .collect()
}

impl FaultyStore {
    /// A store in memory; after the end of `script` nothing fails any more.
    pub(crate) fn new(script: impl IntoIterator<Item = (Fault, u8)>) -> Self {
        Self::around(Arc::new(InMemory::new()), script)
    }

    /// The same over another store.
    pub(crate) fn around(
        inner: Arc<dyn ObjectStore>,
        script: impl IntoIterator<Item = (Fault, u8)>,
    ) -> Self {
        Self {
            inner,
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            undeletable: Arc::default(),
            deletions: Arc::new(Mutex::new(usize::MAX)),
        }
    }

    /// Adds to the script.
    pub(crate) fn then(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script
            .lock()
            .unwrap()
            .extend(faults.into_iter().map(|fault| (fault, 0)));
    }

    /// From now on nothing below `folder` can be deleted.
    pub(crate) fn fail_deletions_below(&self, folder: &str) {
        *self.undeletable.lock().unwrap() = Some(Path::from(folder));
    }

    /// After so many more, no deletion succeeds: whoever deletes is cut short there.
    pub(crate) fn delete_only(&self, deletions: usize) {
        *self.deletions.lock().unwrap() = deletions;
    }

    /// Faults that nobody met.
    pub(crate) fn faults_left(&self) -> usize {
        self.script.lock().unwrap().len()
    }

    fn next(&self) -> (Fault, u8) {
        self.script
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or((Fault::None, 0))
    }
}

fn error() -> Error {
    Error::Generic {
        store: "FaultyStore",
        source: "injected".into(),
    }
}

async fn pause(times: u8) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

impl std::fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FaultyStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let (fault, pauses) = self.next();
        pause(pauses & 3).await;
        if fault == Fault::WithoutEffect {
            return Err(error());
        }
        let outcome = self.inner.put_opts(location, payload, options).await;
        pause(pauses >> 2 & 3).await;
        let path = location.to_string();
        let source = "injected".into();
        match fault {
            Fault::AfterSuccess => Err(error()),
            Fault::ExistsAfterSuccess => Err(Error::AlreadyExists { path, source }),
            Fault::ConditionAfterSuccess => Err(Error::Precondition { path, source }),
            Fault::None | Fault::WithoutEffect => outcome,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        tokio::task::yield_now().await;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let undeletable = self.undeletable.lock().unwrap().clone();
        let deletions = Arc::clone(&self.deletions);
        let allowed = locations.map(move |location| {
            let path = location?;
            let is_kept = undeletable
                .as_ref()
                .is_some_and(|folder| path.prefix_matches(folder));
            let mut left = deletions.lock().unwrap();
            if is_kept || *left == 0 {
                return Err(error());
            }
            *left -= 1;
            Ok(path)
        });
        self.inner.delete_stream(allowed.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
