//! Logs that another version of this program wrote: each object that is touched is refused, and nothing is changed.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

use super::faulty::{Fault, FaultyStore};
use super::record::{FORMAT, RecordPlace, decode, encode};
use super::trim::trimmable;
use super::{Log, LogFolder, LogReader, trim};
use crate::error::{Error, ErrorKind};
use crate::time::wall;

const NAME: &str = "shard-0";
const LAYOUT: u16 = 3;

/// The same object in another format. Format 1, of version 0.1, has no layout in its header.
pub(super) fn with_format(bytes: &[u8], format: u16) -> Bytes {
    let header_end = 8 + usize::from(u16::from_le_bytes([bytes[6], bytes[7]]));
    let mut header = bytes[8..header_end].to_vec();
    if format == 1 {
        header.drain(1..3);
    }
    let mut other = b"VTRL".to_vec();
    other.extend(format.to_le_bytes());
    other.extend((header.len() as u16).to_le_bytes());
    other.extend(header);
    let hash = Sha256::digest(&other);
    other.extend(hash);
    other.extend(&bytes[header_end + hash.len()..]);
    other.into()
}

/// The same object as another version would have written it.
fn as_version(bytes: &Bytes, format: u16, layout: u16) -> Bytes {
    let record = decode(bytes, LAYOUT).unwrap();
    let place = RecordPlace {
        kind: record.header.kind,
        layout,
        number: record.header.number,
        claim: record.header.claim,
        previous: record.header.previous,
        put_at: record.header.put_at,
    };
    with_format(&encode(place, &record.payload).0, format)
}

/// Two owners: claim 1, record 2 with a checkpoint, record 3 with a checkpoint; claim 4, record 5.
struct Fixture {
    store: Arc<dyn ObjectStore>,
    claim: Path,
    record: Path,
    covered: Path,
    checkpoint: Path,
}

impl Fixture {
    async fn new() -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (mut first, _) = Log::claim(Arc::clone(&store), NAME, LAYOUT, "first")
            .await
            .unwrap();
        for number in [2, 3] {
            first.append(Bytes::from(vec![number])).await.unwrap();
            let state = Bytes::from_static(b"state");
            first.write_checkpoint(state).await.unwrap();
        }
        let (mut second, _) = Log::claim(Arc::clone(&store), NAME, LAYOUT, "second")
            .await
            .unwrap();
        assert_eq!(second.append(Bytes::from_static(b"5")).await.unwrap(), 5);
        let folder = LogFolder::new(NAME);
        Self {
            claim: folder.record(4),
            record: folder.record(5),
            covered: folder.record(3),
            checkpoint: folder.checkpoint(3, first.claim_id()),
            store,
        }
    }

    async fn become_version(&self, path: &Path, format: u16, layout: u16) {
        let bytes = self.store.get(path).await.unwrap().bytes().await.unwrap();
        let other = as_version(&bytes, format, layout);
        assert_eq!(bytes == other, (format, layout) == (FORMAT, LAYOUT));
        self.store.put(path, other.into()).await.unwrap();
    }

    async fn objects(&self) -> BTreeMap<Path, Bytes> {
        let listed: Vec<_> = self.store.list(None).try_collect().await.unwrap();
        let mut objects = BTreeMap::new();
        for meta in listed {
            let found = self.store.get(&meta.location).await.unwrap();
            objects.insert(meta.location, found.bytes().await.unwrap());
        }
        objects
    }

    async fn claim(&self) -> Result<Log, Error> {
        let claimed = Log::claim(Arc::clone(&self.store), NAME, LAYOUT, "third").await;
        claimed.map(|(log, _)| log)
    }

    fn reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.store), NAME, LAYOUT)
    }

    /// The numbers that reading back from the end gives before it ends or fails.
    async fn read_back(&self) -> (Vec<u64>, Option<Error>) {
        let reader = self.reader();
        let mut entries = reader.read_back(5);
        let mut numbers = Vec::new();
        loop {
            match entries.try_next().await {
                Ok(Some(entry)) => numbers.push(entry.number),
                Ok(None) => return (numbers, None),
                Err(error) => return (numbers, Some(error)),
            }
        }
    }
}

/// The sentence says what was found where, what this program reads, and what to do.
fn assert_refused(error: &Error, place: &str, found: &str) {
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "log=shard-0 {place} holds {found}: use the program that wrote it, or replay the events into a new storage"
        )
    );
}

const FORMER_FORMAT: &str = "format=1, this program reads format=2";
const NEWER_FORMAT: &str = "format=3, this program reads format=2";
const FORMER_LAYOUT: &str = "layout=2, this program reads layout=3";
const NEWER_LAYOUT: &str = "layout=4, this program reads layout=3";

const VERSIONS: [(u16, u16, Option<&str>); 9] = [
    (1, 2, Some(FORMER_FORMAT)),
    (1, 3, Some(FORMER_FORMAT)),
    (1, 4, Some(FORMER_FORMAT)),
    (2, 2, Some(FORMER_LAYOUT)),
    (2, 3, None),
    (2, 4, Some(NEWER_LAYOUT)),
    (3, 2, Some(NEWER_FORMAT)),
    (3, 3, Some(NEWER_FORMAT)),
    (3, 4, Some(NEWER_FORMAT)),
];

#[tokio::test]
async fn every_version_of_a_record_has_its_outcome() {
    for (format, layout, refused) in VERSIONS {
        let log = Fixture::new().await;
        log.become_version(&log.record, format, layout).await;
        let before = log.objects().await;
        let read = log.reader().read(5).await;
        let (numbers, ended) = log.read_back().await;
        let claimed = log.claim().await;
        match refused {
            Some(found) => {
                assert_refused(&claimed.unwrap_err(), "number=5", found);
                assert_refused(&read.unwrap_err(), "number=5", found);
                assert_refused(&ended.unwrap(), "number=5", found);
                assert!(numbers.is_empty());
                assert_eq!(log.objects().await, before);
            }
            None => {
                assert_eq!(claimed.unwrap().last().number, 6);
                assert_eq!(read.unwrap().unwrap().payload, "5");
                assert!(ended.is_none());
                assert_eq!(numbers, [5, 4, 3, 2, 1]);
            }
        }
    }
}

#[tokio::test]
async fn every_version_of_a_claim_has_its_outcome() {
    for (format, layout, refused) in VERSIONS {
        let log = Fixture::new().await;
        log.become_version(&log.claim, format, layout).await;
        let before = log.objects().await;
        let read = log.reader().read(4).await;
        let (numbers, ended) = log.read_back().await;
        let claimed = log.claim().await;
        match refused {
            Some(found) => {
                assert_refused(&claimed.unwrap_err(), "number=4", found);
                assert_refused(&read.unwrap_err(), "number=4", found);
                assert_refused(&ended.unwrap(), "number=4", found);
                assert_eq!(numbers, [5]);
                assert_eq!(log.objects().await, before);
            }
            None => {
                assert_eq!(claimed.unwrap().last().number, 6);
                assert_eq!(read.unwrap().unwrap().payload, "second");
                assert!(ended.is_none());
                assert_eq!(numbers, [5, 4, 3, 2, 1]);
            }
        }
    }
}

/// The older checkpoint and all records would do, but that is not known of a log that has been trimmed.
#[tokio::test]
async fn every_version_of_a_checkpoint_has_its_outcome() {
    for (format, layout, refused) in VERSIONS {
        let log = Fixture::new().await;
        log.become_version(&log.checkpoint, format, layout).await;
        let before = log.objects().await;
        let claimed = log.claim().await;
        match refused {
            Some(found) => {
                assert_refused(&claimed.unwrap_err(), "checkpoint=3", found);
                assert_eq!(log.objects().await, before);
            }
            None => assert_eq!(claimed.unwrap().last().number, 6),
        }
        // Readers read records only.
        assert_eq!(log.reader().read(3).await.unwrap().unwrap().number, 3);
        let (numbers, ended) = log.read_back().await;
        assert!(ended.is_none());
        assert!(numbers.ends_with(&[3, 2, 1]));
    }
}

#[tokio::test]
async fn a_covered_record_of_another_version_is_refused_though_its_checkpoint_would_do() {
    for (format, layout, refused) in VERSIONS {
        let log = Fixture::new().await;
        log.become_version(&log.covered, format, layout).await;
        match (log.claim().await, refused) {
            (claimed, Some(found)) => assert_refused(&claimed.unwrap_err(), "number=3", found),
            (claimed, None) => assert!(claimed.is_ok()),
        }
    }
}

#[tokio::test]
async fn trimming_refuses_another_version_and_deletes_nothing() {
    let cut = u64::MAX;
    for (format, layout, refused) in VERSIONS {
        let log = Fixture::new().await;
        log.become_version(&log.checkpoint, format, layout).await;
        let before = log.objects().await;
        let old = wall::now();
        let would = trimmable(&log.store, NAME, LAYOUT, cut, old).await;
        let trimmed = trim(&log.store, NAME, LAYOUT, cut, old).await;
        match refused {
            Some(found) => {
                assert_refused(&would.unwrap_err(), "checkpoint=3", found);
                assert_refused(&trimmed.unwrap_err(), "checkpoint=3", found);
                assert_eq!(log.objects().await, before);
            }
            None => {
                assert_eq!(would.unwrap(), trimmed.unwrap());
                assert_eq!(log.objects().await.len(), before.len() - 1);
            }
        }
    }
}

/// Version 0.1 had `base/` where `checkpoint/` is now; `record/` stood where it stands.
#[tokio::test]
async fn a_log_with_the_former_folder_is_found_by_its_records() {
    let log = Fixture::new().await;
    for (path, bytes) in log.objects().await {
        log.store.delete(&path).await.unwrap();
        let former = Path::from(path.as_ref().replace("checkpoint", "base"));
        let bytes = as_version(&bytes, 1, LAYOUT);
        log.store.put(&former, bytes.into()).await.unwrap();
    }
    let before = log.objects().await;
    assert_refused(&log.claim().await.unwrap_err(), "number=1", FORMER_FORMAT);
    let (numbers, ended) = log.read_back().await;
    assert_refused(&ended.unwrap(), "number=5", FORMER_FORMAT);
    assert!(numbers.is_empty());
    assert_eq!(log.objects().await, before);
}

#[tokio::test]
async fn an_owner_is_fenced_by_another_version_too() {
    for (format, layout, refused) in VERSIONS {
        if refused.is_none() {
            continue;
        }
        let log = Fixture::new().await;
        let bytes = log.objects().await[&log.record].clone();
        log.store.delete(&log.record).await.unwrap();
        let mut owner = log.claim().await.unwrap();
        assert_eq!(owner.last().number, 5);
        let next = LogFolder::new(NAME).record(6);
        let theirs = as_version(&bytes, format, layout);
        log.store.put(&next, theirs.into()).await.unwrap();
        let error = owner.confirm().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced, "{error:?}");
        let error = owner.append(Bytes::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced, "{error:?}");
    }
}

/// Both read an empty log; the newer version's claim comes first.
#[tokio::test]
async fn of_two_versions_that_claim_at_once_one_is_refused() {
    let faulty = FaultyStore::new([(Fault::None, 3)]);
    let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
    let mut late = pin!(Log::claim(Arc::clone(&store), NAME, LAYOUT, "late"));
    while faulty.faults_left() > 0 {
        assert!(futures::poll!(&mut late).is_pending());
    }
    let (newer, _) = Log::claim(store, NAME, LAYOUT + 1, "newer").await.unwrap();
    assert_eq!(newer.last().number, 1);
    assert_refused(&late.await.unwrap_err(), "number=1", NEWER_LAYOUT);
}
