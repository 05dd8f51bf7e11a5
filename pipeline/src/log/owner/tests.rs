use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::super::faulty::{Fault, FaultyStore, unlucky};
use super::*;
use crate::error::{Error, ErrorKind};
use crate::log::LogReader;

fn objects(store: &FaultyStore) -> Objects {
    let backoff = Backoff {
        limit: Duration::from_secs(5),
        ..Backoff::doubling_from(Duration::ZERO)
    };
    Objects {
        backoff,
        ..Objects::new(Arc::new(store.clone()), "shard-1", 1)
    }
}

async fn claimed(store: &FaultyStore, owner: &str) -> (Log, Recovered) {
    Log::claim_in(objects(store), owner).await.expect("claims")
}

fn text(payload: &str) -> Bytes {
    Bytes::from(payload.to_owned())
}

#[tokio::test]
async fn records_come_back_in_order_without_claims() {
    let store = FaultyStore::new([]);
    let (mut log, recovered) = claimed(&store, "a").await;
    assert!(recovered.checkpoint.is_none() && recovered.records.is_empty());
    assert_eq!(log.append(text("x")).await.unwrap(), 2);
    assert_eq!(log.append(text("y")).await.unwrap(), 3);
    assert_eq!(log.last().number, 3);

    let (log, recovered) = claimed(&store, "b").await;
    assert_eq!(recovered.records, [(2, text("x")), (3, text("y"))]);
    assert_eq!(log.last().number, 4, "the claim is a record");
    assert_eq!(log.claim_id().number, 4);
}

#[tokio::test]
async fn an_error_after_success_is_found_out_and_an_error_without_effect_is_repeated() {
    let store = FaultyStore::new([]);
    let (mut log, _) = claimed(&store, "a").await;
    store.then([Fault::AfterSuccess]);
    assert_eq!(log.append(text("x")).await.unwrap(), 2);
    store.then([
        Fault::WithoutEffect,
        Fault::WithoutEffect,
        Fault::AfterSuccess,
        Fault::AfterSuccess,
    ]);
    assert_eq!(log.append(text("y")).await.unwrap(), 3);
    assert_eq!(store.faults_left(), 0);
    let (_, recovered) = claimed(&store, "b").await;
    assert_eq!(recovered.records, [(2, text("x")), (3, text("y"))]);
}

#[tokio::test]
async fn a_claim_survives_the_same_faults_and_stands_once() {
    let store = FaultyStore::new([]);
    store.then([Fault::WithoutEffect, Fault::AfterSuccess]);
    let (log, _) = claimed(&store, "a").await;
    assert_eq!(log.last().number, 1);
    let reader = LogReader::new(Arc::new(store), "shard-1", 1);
    assert_eq!(reader.last_number().await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_store_that_stays_away_gives_its_error_and_the_log_wants_to_be_claimed_again() {
    let store = FaultyStore::new([]);
    let (mut log, _) = claimed(&store, "a").await;
    log.objects.backoff.limit = Duration::ZERO;
    store.then([Fault::AfterSuccess]);
    let error = log.append(text("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_interrupted(&log.append(text("y")).await.unwrap_err());
    assert_interrupted(&log.confirm().await.unwrap_err());
    let (_, recovered) = claimed(&store, "a again").await;
    assert_eq!(
        recovered.records,
        [(2, text("x"))],
        "the put had its effect, and the next owner sees it"
    );
}

#[tokio::test]
async fn a_dropped_append_leaves_the_log_to_be_claimed_again() {
    let store = FaultyStore::around(
        Arc::new(object_store::memory::InMemory::new()),
        [(Fault::None, 0), (Fault::None, 3)],
    );
    let (mut log, _) = claimed(&store, "a").await;
    let first_poll = futures::poll!(std::pin::pin!(log.append(text("x"))));
    assert!(first_poll.is_pending(), "dropped half way");
    assert_interrupted(&log.append(text("y")).await.unwrap_err());
}

/// The put of record 2 has no known outcome.
fn assert_interrupted(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    let said = error.to_string();
    assert!(
        said.starts_with("an earlier put has no known outcome") && said.contains("number=2:"),
        "{said}"
    );
}

#[tokio::test]
async fn confirming_tells_whether_another_owner_came() {
    let store = FaultyStore::new([]);
    let (mut first, _) = claimed(&store, "first").await;
    first.confirmed -= Duration::from_secs(60);
    assert!(first.unconfirmed_for() >= Duration::from_secs(60));
    first.confirm().await.expect("still the owner");
    assert!(first.unconfirmed_for() < Duration::from_secs(60));
    let (mut second, _) = claimed(&store, "second").await;
    let error = first.confirm().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("owner=second"), "{error}");
    second.confirm().await.expect("the owner");
}

#[tokio::test]
async fn a_silent_owner_ends_before_and_after_a_put() {
    let store = FaultyStore::new([]);
    let (mut log, _) = claimed(&store, "a").await;
    log.silence_limit = Duration::ZERO;
    let error = log.append(text("x")).await.expect_err("silent");
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("silent for too long"), "{error}");

    // Stopped in the middle of the put: it may stand, but the owner must not go on.
    log.silence_limit = Duration::from_millis(30);
    log.confirmed = wall::since_boot();
    log.objects.backoff.first = Duration::from_millis(60);
    store.then([Fault::WithoutEffect]);
    let error = log.append(text("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("silent for too long"), "{error}");
    assert_interrupted(&log.append(text("y")).await.unwrap_err());
}

#[tokio::test]
async fn a_damaged_record_at_my_number_stops() {
    let store = FaultyStore::new([]);
    let (mut log, _) = claimed(&store, "a").await;
    let path = log.objects.folder.record(2);
    log.objects
        .store
        .put(&path, Bytes::from_static(b"garbage").into())
        .await
        .unwrap();
    let error = log.append(text("x")).await.expect_err("stops");
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(format!("{error:?}").contains("Truncated"), "{error:?}");
}

#[tokio::test]
async fn a_checkpoint_that_the_store_does_not_take_is_no_error_and_comes_later() {
    let store = FaultyStore::new([]);
    let (mut log, _) = claimed(&store, "a").await;
    assert!(!log.has_appended(), "a claim says nothing of its own");
    log.append(text("x")).await.unwrap();
    assert!(log.has_appended());

    store.then([Fault::WithoutEffect]);
    assert!(!log.write_checkpoint(text("state")).await.unwrap());
    assert_eq!(store.faults_left(), 0);
    assert_eq!(log.append(text("y")).await.unwrap(), 3, "work goes on");
    assert!(log.write_checkpoint(text("state")).await.unwrap());

    let (log, recovered) = claimed(&store, "b").await;
    assert!(recovered.checkpoint.is_some_and(|(at, _)| at.number == 3));
    assert!(recovered.records.is_empty() && !log.has_appended());
}

#[tokio::test]
async fn f6_refused_and_unanswered_puts_leave_every_record_once() {
    for seed in 0..20 {
        println!("seed={seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let store = FaultyStore::new([]);
        let mut expected = Vec::new();
        for owner in ["a", "b", "c"] {
            store.then(unlucky(&mut random));
            let (mut log, recovered) = claimed(&store, owner).await;
            assert_eq!(recovered.records, expected, "seed={seed} owner={owner}");
            for n in 0..12 {
                store.then(unlucky(&mut random));
                let payload = text(&format!("{owner}{n}"));
                let number = log.append(payload.clone()).await.unwrap();
                expected.push((number, payload));
            }
        }
        let (_, recovered) = claimed(&store, "last").await;
        assert_eq!(recovered.records, expected, "seed={seed}");
    }
}
