//! An epoch's records, staged as one object until they have left.
//!
//! ```text
//! "VTSR" | layout u16 | records u64 | payload length u64 | SHA-256 of all before it and of what follows | payload (zstd, or plain if not smaller)
//! ```
//!
//! Numbers are little endian, the payload is the postcard of the records. Magic and layout stay where they are in every layout.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::sink_record::SinkRecord;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{get_if_there, store_failed};
use crate::observe::RecordFileNotDeleted;
use crate::time::{Backoff, retry};

/// Version of the frame and of the payload.
const RECORD_FILE_LAYOUT: u16 = 2;
const MAGIC: [u8; 4] = *b"VTSR";
const HEADER_BYTES: usize = 4 + 2 + 8 + 8;
const HASH_BYTES: usize = 32;
const COMPRESSION_LEVEL: i32 = 1;

/// A staged file of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFile {
    pub path: String,
    pub records: u64,
    /// Size of the object.
    pub bytes: u64,
}

/// Writes an epoch's records as one object, `sinks/records/<tag>`; `None` where there are none.
///
/// The same tag again replaces the object: until an intent names it, nobody reads it.
pub async fn stage_records(
    store: &Arc<dyn ObjectStore>,
    tag: &str,
    records: &[SinkRecord],
) -> Result<Option<RecordFile>> {
    if records.is_empty() {
        return Ok(None);
    }
    let path = Path::from_iter(["sinks", "records", tag]);
    let object = encode(records)?;
    let file = RecordFile {
        path: path.to_string(),
        records: records.len() as u64,
        bytes: object.len() as u64,
    };
    let object = Bytes::from(object);
    retry(Backoff::STAGING, "staging records", async || {
        let put = store.put(&path, object.clone().into()).await;
        put.map(drop).map_err(store_failed(&path))
    })
    .await?;
    Ok(Some(file))
}

/// Reads a staged file. `Damaged` names a file that is missing or fails its check.
pub(super) async fn read_records(
    store: &Arc<dyn ObjectStore>,
    file: &RecordFile,
) -> Result<Vec<SinkRecord>> {
    let path = Path::from(file.path.as_str());
    let object = get_if_there(store, &path).await?;
    let object = object.ok_or_else(|| damaged(file, "the object is missing"))?;
    decode(file, &object)
}

/// Deletes a file whose records have left. One that stays does no harm.
pub(super) async fn delete_records(store: &Arc<dyn ObjectStore>, file: &RecordFile) {
    let path = Path::from(file.path.as_str());
    match store.delete(&path).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => {}
        Err(error) => RecordFileNotDeleted {
            path: &path,
            error: &error,
        }
        .report(),
    }
}

fn encode(records: &[SinkRecord]) -> Result<Vec<u8>> {
    let plain = postcard::to_stdvec(records)?;
    // Fails for lack of memory only; then the payload stands as it is, and its length says so.
    let compressed = zstd::bulk::compress(&plain, COMPRESSION_LEVEL).unwrap_or_default();
    let is_smaller = !compressed.is_empty() && compressed.len() < plain.len();
    let stored = if is_smaller { &compressed } else { &plain };
    let mut object = Vec::with_capacity(HEADER_BYTES + HASH_BYTES + stored.len());
    object.extend_from_slice(&MAGIC);
    object.extend_from_slice(&RECORD_FILE_LAYOUT.to_le_bytes());
    object.extend_from_slice(&(records.len() as u64).to_le_bytes());
    object.extend_from_slice(&(plain.len() as u64).to_le_bytes());
    let hash = hash(&object, stored);
    object.extend_from_slice(&hash);
    object.extend_from_slice(stored);
    Ok(object)
}

fn decode(file: &RecordFile, object: &Bytes) -> Result<Vec<SinkRecord>> {
    if object.len() as u64 != file.bytes {
        let (found, expected) = (object.len(), file.bytes);
        return Err(damaged(file, format!("bytes={found} expected={expected}")));
    }
    let Some((header, rest)) = object.split_first_chunk::<HEADER_BYTES>() else {
        return Err(damaged(file, "it is too short"));
    };
    let Some((sealed, stored)) = rest.split_first_chunk::<HASH_BYTES>() else {
        return Err(damaged(file, "it is too short"));
    };
    let [m0, m1, m2, m3, l0, l1, numbers @ ..] = *header;
    if [m0, m1, m2, m3] != MAGIC {
        return Err(damaged(file, "it is no file of records"));
    }
    if hash(header, stored) != *sealed {
        return Err(damaged(file, "it fails its checksum"));
    }
    let layout = u16::from_le_bytes([l0, l1]);
    if layout != RECORD_FILE_LAYOUT {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "path={} has layout={layout}, this program knows layout={RECORD_FILE_LAYOUT}: use the program that wrote it",
                file.path
            ),
        ));
    }
    let [count, plain_bytes] = two_numbers(numbers);
    let is_plain = stored.len() as u64 == plain_bytes;
    let decompressed = if is_plain {
        None
    } else {
        // The length is sealed by the hash, so it bounds the output: no decompression bomb.
        let length = usize::try_from(plain_bytes).unwrap_or(usize::MAX);
        let plain = zstd::bulk::decompress(stored, length);
        Some(plain.map_err(|error| damaged(file, "it cannot be decompressed").caused_by(error))?)
    };
    let plain = decompressed.as_deref().unwrap_or(stored);
    let records: Vec<SinkRecord> = postcard::from_bytes(plain)
        .map_err(|error| damaged(file, "its records cannot be read").caused_by(error))?;
    let found = records.len() as u64;
    if found != count || found != file.records {
        let expected = file.records;
        return Err(damaged(
            file,
            format!("records={found} expected={expected}"),
        ));
    }
    Ok(records)
}

fn two_numbers(bytes: [u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(bytes);
    [both as u64, (both >> 64) as u64]
}

fn hash(header: &[u8], stored: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(header);
    hash.update(stored);
    hash.finalize().into()
}

fn damaged(file: &RecordFile, what: impl Display) -> Error {
    let path = &file.path;
    Error::new(
        ErrorKind::Damaged,
        format!("damaged path={path}: {what}; restore this object from a copy"),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn records(count: usize, value: &'static [u8]) -> Vec<SinkRecord> {
        (0..count)
            .map(|number| SinkRecord {
                topic: "demand.v1".to_owned(),
                key: (number % 2 == 0).then(|| format!("{number}").into()),
                value: (number % 3 != 0).then(|| Bytes::from_static(value)),
                headers: vec![
                    (Bytes::from_static(b"\xff"), None),
                    ("i".into(), Some("x".into())),
                ],
                may_be_cut: number % 2 == 0,
            })
            .collect()
    }

    fn store() -> Arc<dyn ObjectStore> {
        Arc::new(InMemory::new())
    }

    #[tokio::test]
    async fn what_is_staged_is_read_again_and_goes_once() {
        let store = store();
        for records in [records(1, b""), records(1_000, b"much of the same")] {
            let file = stage_records(&store, "7-12", &records)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(file.path, "sinks/records/7-12");
            assert_eq!(file.records, records.len() as u64);
            assert_eq!(read_records(&store, &file).await.unwrap(), records);
            delete_records(&store, &file).await;
            delete_records(&store, &file).await;
            let gone = read_records(&store, &file).await.unwrap_err();
            assert_eq!(gone.kind(), ErrorKind::Damaged);
            assert!(
                gone.to_string().contains("path=sinks/records/7-12"),
                "{gone}"
            );
        }
        assert_eq!(stage_records(&store, "7-13", &[]).await.unwrap(), None);
    }

    #[tokio::test]
    async fn every_flipped_bit_and_every_cut_is_found() {
        let store = store();
        let file = stage_records(&store, "1-1", &records(3, b"value"))
            .await
            .unwrap()
            .unwrap();
        let path = Path::from(file.path.as_str());
        let whole = store.get(&path).await.unwrap().bytes().await.unwrap();
        let wrong = |bytes: Vec<u8>| decode(&file, &bytes.into()).unwrap_err().kind();
        for position in 0..whole.len() {
            let mut flipped = whole.to_vec();
            flipped[position] ^= 1 << (position % 8);
            assert_eq!(wrong(flipped), ErrorKind::Damaged, "position={position}");
            assert_eq!(
                wrong(whole[..position].to_vec()),
                ErrorKind::Damaged,
                "{position}"
            );
        }
        let mut longer = whole.to_vec();
        longer.push(0);
        assert_eq!(wrong(longer), ErrorKind::Damaged);
        // A whole file that is not the one the intent names.
        let other = RecordFile {
            records: 4,
            ..file.clone()
        };
        assert_eq!(
            decode(&other, &whole).unwrap_err().kind(),
            ErrorKind::Damaged
        );
    }

    #[test]
    fn a_newer_layout_is_distinguished_from_damage() {
        let mut object = encode(&records(1, b"v")).unwrap();
        object[4] = 3;
        let (header, rest) = object.split_at_mut(HEADER_BYTES);
        let (sealed, stored) = rest.split_at_mut(HASH_BYTES);
        sealed.copy_from_slice(&hash(header, stored));
        let file = RecordFile {
            path: "sinks/records/1-1".to_owned(),
            records: 1,
            bytes: object.len() as u64,
        };
        let error = decode(&file, &object.into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.to_string().contains("layout=3"), "{error}");
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_asked_again_and_is_not_damage() {
        use crate::log::faulty::{Fault, FaultyStore};
        let away = |tries: usize| -> Arc<dyn ObjectStore> {
            Arc::new(FaultyStore::new(vec![(Fault::WithoutEffect, 0); tries]))
        };
        let (briefly, for_long) = (away(2), away(99));
        let staged = stage_records(&briefly, "1-1", &records(1, b"v")).await;
        let file = staged.unwrap().unwrap();
        assert_eq!(
            read_records(&briefly, &file).await.unwrap(),
            records(1, b"v")
        );
        let error = stage_records(&for_long, "1-1", &records(1, b"")).await;
        assert!(error.unwrap_err().is_retryable());
    }
}
