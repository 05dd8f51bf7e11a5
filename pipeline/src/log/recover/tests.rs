use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::*;
use crate::error::ErrorKind;
use crate::log::{ClaimId, Log};

/// A log with records 1 (claim) to 6, and checkpoints at 3 and 5.
async fn six_records() -> (Arc<dyn ObjectStore>, Objects, ClaimId) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (mut log, _) = Log::claim(Arc::clone(&store), "shard-2", 1, "a")
        .await
        .unwrap();
    for number in 2..=6 {
        log.append(Bytes::from(number.to_string())).await.unwrap();
        if number == 3 || number == 5 {
            log.write_checkpoint(Bytes::from(format!("state at {number}")))
                .await
                .unwrap();
        }
    }
    let claim = log.claim_id();
    (Arc::clone(&store), Objects::new(store, "shard-2", 1), claim)
}

async fn flip_a_bit(objects: &Objects, path: &object_store::path::Path) {
    let mut bytes = objects.get(path).await.unwrap().unwrap().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    objects.store.put(path, bytes.into()).await.unwrap();
}

async fn outcome(objects: &Objects) -> Result<(Option<u64>, Vec<u64>)> {
    let (chain, recovered) = read_chain(objects).await?;
    assert_eq!(chain.last.number, 6);
    let checkpoint = recovered.checkpoint.map(|(position, payload)| {
        assert_eq!(payload, format!("state at {}", position.number));
        position.number
    });
    Ok((
        checkpoint,
        recovered
            .records
            .into_iter()
            .map(|(number, _)| number)
            .collect(),
    ))
}

#[tokio::test]
async fn recovery_starts_at_the_newest_checkpoint() {
    let (_, objects, _) = six_records().await;
    assert_eq!(outcome(&objects).await.unwrap(), (Some(5), vec![6]));
}

#[tokio::test]
async fn a_damaged_checkpoint_is_passed_over_for_an_older_one_and_then_for_the_records() {
    let (_, objects, claim) = six_records().await;
    flip_a_bit(&objects, &objects.folder.checkpoint(5, claim)).await;
    assert_eq!(outcome(&objects).await.unwrap(), (Some(3), vec![4, 5, 6]));
    flip_a_bit(&objects, &objects.folder.checkpoint(3, claim)).await;
    assert_eq!(
        outcome(&objects).await.unwrap(),
        (None, vec![2, 3, 4, 5, 6])
    );
}

#[tokio::test]
async fn a_checkpoint_of_another_chain_is_ignored() {
    let (_, objects, _) = six_records().await;
    let (other_store, other, _) = six_records().await;
    let theirs = other_store
        .list(Some(&other.folder.checkpoints()))
        .try_next()
        .await
        .unwrap()
        .unwrap();
    let bytes = other.get(&theirs.location).await.unwrap().unwrap();
    let foreign = objects.folder.checkpoint(
        6,
        ClaimId {
            number: 1,
            nonce: 99,
        },
    );
    objects
        .store
        .put(&foreign, bytes.clone().into())
        .await
        .unwrap();
    assert_eq!(
        outcome(&objects).await.unwrap(),
        (Some(5), vec![6]),
        "its name says 6, its header 3"
    );

    let in_place = objects.folder.checkpoint(
        3,
        ClaimId {
            number: 1,
            nonce: 99,
        },
    );
    objects.store.put(&in_place, bytes.into()).await.unwrap();
    let own: Vec<_> = objects.list(&objects.folder.checkpoints()).await.unwrap();
    for (_, meta) in own
        .iter()
        .filter(|(number, meta)| *number == 5 || (*number == 3 && meta.location != in_place))
    {
        objects.store.delete(&meta.location).await.unwrap();
    }
    assert_eq!(
        outcome(&objects).await.unwrap(),
        (None, vec![2, 3, 4, 5, 6]),
        "the hash of record 3 is another"
    );
}

#[tokio::test]
async fn a_damaged_record_is_named_unless_a_checkpoint_covers_it() {
    let (_, objects, claim) = six_records().await;
    flip_a_bit(&objects, &objects.folder.record(5)).await;
    assert_eq!(
        outcome(&objects).await.unwrap(),
        (Some(5), vec![6]),
        "the next record vouches for the checkpoint"
    );
    flip_a_bit(&objects, &objects.folder.checkpoint(5, claim)).await;
    let error = outcome(&objects).await.expect_err("nothing covers it now");
    assert_eq!(error.kind(), ErrorKind::Damaged);
    let said = error.to_string();
    assert!(
        said.starts_with("damaged path=") && said.contains("00005:"),
        "{said}"
    );
}

#[tokio::test]
async fn a_hole_stops_with_a_sentence() {
    let (_, objects, claim) = six_records().await;
    objects
        .store
        .delete(&objects.folder.record(4))
        .await
        .unwrap();
    assert_eq!(
        outcome(&objects).await.unwrap(),
        (Some(5), vec![6]),
        "covered by the checkpoint at 5"
    );
    objects
        .store
        .delete(&objects.folder.checkpoint(5, claim))
        .await
        .unwrap();
    let error = outcome(&objects).await.expect_err("a hole");
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(
        error
            .to_string()
            .starts_with("hole in log=shard-2 missing=4 newest=6:"),
        "{error}"
    );
}

#[tokio::test]
async fn a_log_whose_records_are_gone_does_not_begin_anew() {
    let (store, objects, _) = six_records().await;
    for number in 1..=6 {
        objects
            .store
            .delete(&objects.folder.record(number))
            .await
            .unwrap();
    }
    let error = Log::claim(store, "shard-2", 1, "b")
        .await
        .expect_err("records are missing");
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(
        error
            .to_string()
            .starts_with("hole in log=shard-2 missing=1 newest=5:"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_fits_where_the_chain_says_so() {
    let hash = [1; 32];
    let whole = |hash, previous| Stands::Whole { hash, previous };
    for (covered, next, expected) in [
        (whole(hash, [0; 32]), Stands::Nothing, true),
        (whole([2; 32], [0; 32]), whole([3; 32], hash), false),
        (Stands::Damaged, whole([3; 32], hash), true),
        (Stands::Damaged, whole([3; 32], [9; 32]), false),
        (Stands::Damaged, Stands::Nothing, true),
        (Stands::Damaged, Stands::Damaged, true),
        (Stands::Nothing, whole([3; 32], hash), true),
        (Stands::Nothing, whole([3; 32], [9; 32]), false),
        (Stands::Nothing, Stands::Nothing, false),
        (Stands::Nothing, Stands::Damaged, false),
    ] {
        assert_eq!(fits(hash, covered, next), expected);
    }
}
