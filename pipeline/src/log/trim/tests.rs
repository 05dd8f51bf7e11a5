use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use schemas::time::DurationMs;

use super::*;
use crate::log::{ClaimId, Log, LogFolder, LogReader};
use crate::time::wall;

const NAME: &str = "shard-1";
const LAYOUT: u16 = 1;
const DAY: Duration = Duration::from_secs(86_400);

async fn claimed(store: &Arc<dyn ObjectStore>, owner: &str) -> (Log, super::super::Recovered) {
    let claimed = Log::claim(Arc::clone(store), NAME, LAYOUT, owner).await;
    claimed.expect("claims")
}

fn text(payload: &str) -> Bytes {
    Bytes::from(payload.to_owned())
}

/// Records 1 (claim) to 10, with checkpoints at 4, 7 and 9.
async fn ten_records() -> (Arc<dyn ObjectStore>, ClaimId) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (mut log, _) = claimed(&store, "a").await;
    for number in 2..=10 {
        log.append(text(&number.to_string())).await.unwrap();
        if [4, 7, 9].contains(&number) {
            log.write_checkpoint(text(&format!("state at {number}")))
                .await
                .unwrap();
        }
    }
    (store, log.claim_id())
}

async fn bytes_in(store: &Arc<dyn ObjectStore>) -> u64 {
    let sizes = store.list(None).map_ok(|object| object.size);
    sizes
        .try_fold(0, |sum, size| async move { Ok(sum + size) })
        .await
        .unwrap()
}

async fn damage(store: &Arc<dyn ObjectStore>, path: &Path) {
    let torn = Bytes::from_static(b"VTRL torn");
    store.put(path, torn.into()).await.unwrap();
}

/// What goes, after a look that says the same and changes nothing; bytes are what the store has fewer.
async fn trimmed(store: &Arc<dyn ObjectStore>, cut: u64, age: Duration) -> (u64, u64) {
    let before = bytes_in(store).await;
    let old = wall::now() - DurationMs::from_std(age);
    let would = trimmable(store, NAME, LAYOUT, cut, old).await.unwrap();
    assert_eq!(bytes_in(store).await, before);
    let trimmed = trim(store, NAME, LAYOUT, cut, old).await.unwrap();
    assert_eq!(trimmed, would);
    assert_eq!(bytes_in(store).await, before - trimmed.bytes);
    (trimmed.records, trimmed.checkpoints)
}

#[tokio::test]
async fn trimming_keeps_what_two_checkpoints_and_the_cut_do_not_cover() {
    let (store, claim) = ten_records().await;
    let now = Duration::ZERO;
    assert_eq!(
        trimmed(&store, 99, DAY).await,
        (0, 1),
        "records are too young"
    );
    assert_eq!(
        trimmed(&store, 3, now).await,
        (2, 0),
        "the epoch's cut holds back"
    );
    assert_eq!(
        trimmed(&store, 99, now).await,
        (4, 0),
        "up to the second newest checkpoint"
    );
    assert_eq!(trimmed(&store, 99, now).await, (0, 0), "nothing is left");
    let reader = LogReader::new(Arc::clone(&store), NAME, LAYOUT);
    assert!(reader.read(6).await.unwrap().is_none());
    assert!(
        reader.read(7).await.unwrap().is_some(),
        "what a checkpoint covers vouches for it"
    );

    // The newest checkpoint is damaged: the older one and the records still serve.
    damage(&store, &LogFolder::new(NAME).checkpoint(9, claim)).await;
    let (_, recovered) = claimed(&store, "b").await;
    assert_eq!(
        recovered
            .checkpoint
            .map(|(position, payload)| (position.number, payload)),
        Some((7, text("state at 7")))
    );
    assert_eq!(
        recovered.records,
        [(8, text("8")), (9, text("9")), (10, text("10"))]
    );
    assert_eq!(
        trimmed(&store, 99, now).await,
        (0, 0),
        "a damaged checkpoint covers nothing"
    );
}

#[tokio::test]
async fn a_damaged_checkpoint_does_not_count_as_one_of_the_two() {
    let (store, claim) = ten_records().await;
    damage(&store, &LogFolder::new(NAME).checkpoint(9, claim)).await;
    assert_eq!(
        trimmed(&store, 99, Duration::ZERO).await,
        (3, 0),
        "those below the checkpoint at 4"
    );
    let (_, recovered) = claimed(&store, "b").await;
    assert_eq!(recovered.records.len(), 3);
}

#[tokio::test]
async fn two_checkpoints_of_one_record_count_once() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (mut log, _) = claimed(&store, "a").await;
    log.append(text("2")).await.unwrap();
    log.write_checkpoint(text("state")).await.unwrap();
    let folder = LogFolder::new(NAME);
    let theirs = ClaimId {
        number: 1,
        nonce: 99,
    };
    let written = folder.checkpoint(2, log.claim_id());
    let copied = folder.checkpoint(2, theirs);
    store.copy(&written, &copied).await.unwrap();
    assert_eq!(trimmed(&store, 99, Duration::ZERO).await, (0, 0));
}

/// Recovery would ignore it, so it protects nothing.
#[tokio::test]
async fn a_checkpoint_of_another_chain_does_not_count() {
    let (store, claim) = ten_records().await;
    let (other, their_claim) = ten_records().await;
    let folder = LogFolder::new(NAME);
    for number in [7, 9] {
        let path = folder.checkpoint(number, claim);
        store.delete(&path).await.unwrap();
        let theirs = folder.checkpoint(number, their_claim);
        let bytes = other.get(&theirs).await.unwrap().bytes().await.unwrap();
        store.put(&theirs, bytes.into()).await.unwrap();
    }
    assert_eq!(trimmed(&store, 99, Duration::ZERO).await, (0, 0));
    let (_, recovered) = claimed(&store, "b").await;
    assert_eq!(recovered.records.len(), 6);
}

#[tokio::test]
async fn trimming_goes_on_beside_an_owner_in_a_task_of_its_own() {
    let (store, _) = ten_records().await;
    let (mut log, _) = claimed(&store, "b").await;
    let task = tokio::spawn({
        let store = Arc::clone(&store);
        async move { trim(&store, NAME, LAYOUT, 99, wall::now()).await }
    });
    assert_eq!(log.append(text("12")).await.unwrap(), 12);
    assert_eq!(task.await.unwrap().unwrap().records, 6);
    log.confirm().await.expect("the owner");
}
