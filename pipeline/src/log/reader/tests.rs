use futures::TryStreamExt;
use object_store::memory::InMemory;

use super::*;
use crate::log::{Log, trim};

#[tokio::test]
async fn a_reader_follows_without_owning() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let reader = LogReader::new(Arc::clone(&store), "shard-0", 1);
    assert_eq!(reader.last_number().await.unwrap(), None);

    let (mut log, _) = Log::claim(Arc::clone(&store), "shard-0", 1, "somebody")
        .await
        .unwrap();
    assert_eq!(reader.last_number().await.unwrap(), Some(1));
    let claim = reader.read(1).await.unwrap().expect("a claim");
    assert_eq!(
        (claim.kind, &claim.payload[..]),
        (RecordKind::Claim, &b"somebody"[..])
    );

    // Looking goes on from the number known: every distance is found.
    let mut appended = 1;
    for distance in [1, 2, 3, 7, 8, 9, 31] {
        for _ in 0..distance {
            appended = log.append(Bytes::from_static(b"seal")).await.unwrap();
        }
        assert_eq!(
            reader.last_number().await.unwrap(),
            Some(appended),
            "distance={distance}"
        );
    }
    assert!(reader.read(appended + 1).await.unwrap().is_none());
    log.confirm().await.expect("reading takes nothing away");
}

#[tokio::test]
async fn reading_back_ends_where_the_log_was_trimmed() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (mut log, _) = Log::claim(Arc::clone(&store), "shard-0", 1, "a")
        .await
        .unwrap();
    let reader = LogReader::new(Arc::clone(&store), "shard-0", 1);
    assert_eq!(reader.last_number().await.unwrap(), Some(1));
    for number in 2..=9 {
        log.append(Bytes::from(vec![number])).await.unwrap();
        if number >= 6 {
            log.write_checkpoint(Bytes::new()).await.unwrap();
        }
    }
    let old = crate::time::wall::now();
    trim(&store, "shard-0", 1, u64::MAX, old).await.unwrap();
    assert_eq!(
        reader.last_number().await.unwrap(),
        Some(9),
        "though the number it knew is gone"
    );
    let back: Vec<_> = reader
        .read_back(9)
        .map_ok(|entry| entry.number)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(back, [9, 8]);
}
