//! What a storage says about its shards while nobody, or another process, runs them.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::error::Result;
use crate::log::{LogFolder, LogReader, RecordKind, store_failed};
use crate::shard::{SEAL_LAYOUT, Seal, decode_seal, shard_log};

/// A shard as its log leaves it.
#[derive(Debug)]
pub struct ShardStatus {
    pub shard: u32,
    /// Number of the newest seal, and the seal; none before the first, or once all records have been trimmed.
    pub last: Option<(u64, Seal)>,
    /// Bytes of the newest checkpoint: what the state takes when written down.
    pub checkpoint_bytes: Option<u64>,
}

/// All shards of a storage; they are numbered from 0 without gaps.
pub async fn shards(store: &Arc<dyn ObjectStore>) -> Result<Vec<ShardStatus>> {
    let mut shards = Vec::new();
    for shard in 0.. {
        let name = shard_log(shard);
        let reader = LogReader::new(store.clone(), &name, SEAL_LAYOUT);
        let Some(newest) = reader.last_number().await? else {
            break;
        };
        shards.push(ShardStatus {
            shard,
            last: last_seal(&reader, shard, newest).await?,
            checkpoint_bytes: newest_checkpoint(store, &LogFolder::new(&name)).await?,
        });
    }
    Ok(shards)
}

async fn last_seal(reader: &LogReader, shard: u32, newest: u64) -> Result<Option<(u64, Seal)>> {
    let mut records = reader.read_back(newest);
    while let Some(entry) = records.try_next().await? {
        if entry.kind != RecordKind::Data {
            continue;
        }
        return Ok(Some((entry.number, decode_seal(shard, &entry.payload)?)));
    }
    Ok(None)
}

/// Names of checkpoints sort by the record they cover.
async fn newest_checkpoint(
    store: &Arc<dyn ObjectStore>,
    folder: &LogFolder,
) -> Result<Option<u64>> {
    let folder = folder.checkpoints();
    let listed = store.list(Some(&folder)).try_collect().await;
    let checkpoints: Vec<ObjectMeta> = listed.map_err(store_failed(&folder))?;
    Ok(checkpoints
        .into_iter()
        .max_by(|a, b| a.location.cmp(&b.location))
        .map(|checkpoint| checkpoint.size))
}

/// Bytes of all objects below a folder of the storage.
pub async fn bytes_below(store: &Arc<dyn ObjectStore>, folder: &str) -> Result<u64> {
    let folder = Path::from(folder);
    let sizes = store.list(Some(&folder)).map_ok(|object| object.size);
    let sum = sizes.try_fold(0, |sum, size| async move { Ok(sum + size) });
    sum.await.map_err(store_failed(&folder))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::Bytes;
    use object_store::memory::InMemory;
    use schemas::time::TimestampMs;

    use super::*;
    use crate::error::ErrorKind;
    use crate::log::Log;
    use crate::shard::Clocks;
    use crate::time::fixture::at;

    fn seal(sealed_at: TimestampMs) -> Seal {
        Seal {
            inputs: Vec::new(),
            clocks: Clocks::new(),
            live_time: None,
            delay: None,
            drained_to: None,
            reference: String::new(),
            events: Vec::new(),
            facts: Vec::new(),
            dead_letters: Vec::new(),
            late_events: Vec::new(),
            orphans: Vec::new(),
            touched: Default::default(),
            believed_until: None,
            last_days: Default::default(),
            reference_changed: false,
            partials: Vec::new(),
            alerts: Vec::new(),
            sealed_at,
        }
    }

    async fn append(log: &mut Log, seal: &Seal) -> u64 {
        let payload = Bytes::from(postcard::to_stdvec(seal).unwrap());
        log.append(payload).await.unwrap()
    }

    #[tokio::test]
    async fn the_newest_seal_is_found_behind_a_new_owners_claim() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        assert!(shards(&store).await.unwrap().is_empty());

        let (mut log, _) = Log::claim(store.clone(), "shard-0", SEAL_LAYOUT, "first")
            .await
            .unwrap();
        append(&mut log, &seal(at(1))).await;
        let number = append(&mut log, &seal(at(2))).await;
        log.write_checkpoint(Bytes::from_static(b"state"))
            .await
            .unwrap();
        Log::claim(store.clone(), "shard-0", SEAL_LAYOUT, "second")
            .await
            .unwrap();
        Log::claim(store.clone(), "shard-1", SEAL_LAYOUT, "second")
            .await
            .unwrap();

        let found = shards(&store).await.unwrap();
        assert_eq!(found.len(), 2);
        let (newest, last) = found[0].last.as_ref().unwrap();
        assert_eq!((*newest, last.sealed_at), (number, at(2)));
        assert!(found[0].checkpoint_bytes.unwrap() > 5);
        assert!(found[1].last.is_none() && found[1].checkpoint_bytes.is_none());
        assert!(bytes_below(&store, "log").await.unwrap() > 0);
        assert_eq!(bytes_below(&store, "tables").await.unwrap(), 0);
    }

    #[tokio::test]
    async fn seals_of_another_version_are_refused() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (mut log, _) = Log::claim(store.clone(), "shard-0", SEAL_LAYOUT + 1, "later")
            .await
            .unwrap();
        append(&mut log, &seal(at(1))).await;
        let error = shards(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        let said = error.to_string();
        assert!(
            said.contains("log=shard-0") && said.contains("use the program"),
            "{said}"
        );
    }
}
