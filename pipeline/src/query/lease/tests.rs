use object_store::memory::InMemory;

use super::super::fixture::epoch_record;
use super::*;
use crate::log::faulty::{Fault, FaultyStore};
use crate::time::fixture::{at, ms};

const SHORT: LeaseTimes = LeaseTimes {
    renew_every: Duration::from_millis(5),
    limit: Duration::from_secs(3_600),
};

/// Now, where nobody sets the clock.
fn only(now: TimestampMs) -> RangeInclusive<TimestampMs> {
    now..=now
}

fn store() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

async fn objects(store: &Arc<dyn ObjectStore>) -> Vec<object_store::ObjectMeta> {
    store.list(None).try_collect().await.unwrap()
}

/// Waits until `is_so`, at most 10 s.
async fn until(mut is_so: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..2_000 {
        if is_so().await {
            return true;
        }
        wall::sleep(Duration::from_millis(5)).await;
    }
    false
}

#[tokio::test]
async fn a_lease_holds_the_versions_of_its_epoch_until_it_is_closed() {
    let store = store();
    let first = epoch_record(41, [("metrics.sell_through", 7), ("ops.epochs", 40)]);
    let first = Lease::take(Arc::clone(&store), &first).await.unwrap();
    let second = epoch_record(42, [("metrics.sell_through", 8)]);
    let second = Lease::take(Arc::clone(&store), &second).await.unwrap();
    assert_eq!((first.epoch(), first.is_over()), (41, false));
    let found = leases(&store, &only(wall::now())).await.unwrap();
    let versions: Vec<_> = found
        .held
        .iter()
        .map(|tables| tables["metrics.sell_through"])
        .collect();
    assert_eq!((versions, found.lapsed), (vec![7, 8], vec![]));
    let name = objects(&store).await[0].location.to_string();
    assert!(name.starts_with("leases/00000000000000000041-"), "{name}");

    first.close().await;
    assert_eq!(
        leases(&store, &only(wall::now())).await.unwrap().held.len(),
        1
    );
    drop(second);
    assert!(until(async || objects(&store).await.is_empty()).await);
}

#[tokio::test]
async fn f4_a_damaged_lease_is_named_and_holds_no_other_versions() {
    let store = store();
    let epoch = epoch_record(41, [("metrics.sell_through", 7)]);
    let lease = Lease::take(Arc::clone(&store), &epoch).await.unwrap();
    let path = objects(&store).await[0].location.clone();
    let whole = store.get(&path).await.unwrap().bytes().await.unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 1;
        for bytes in [flipped, whole[..at].to_vec()] {
            store.put(&path, bytes.into()).await.unwrap();
            let error = leases(&store, &only(wall::now())).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{at}");
            assert!(error.to_string().contains(path.as_ref()), "{error}");
        }
    }
    lease.close().await;
}

#[tokio::test]
async fn it_is_renewed_while_it_lives_and_through_errors() {
    let faulty = FaultyStore::new([]);
    let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
    let lease = Lease::take_for(Arc::clone(&store), &epoch_record(1, []), SHORT)
        .await
        .unwrap();
    faulty.then([Fault::WithoutEffect, Fault::WithoutEffect, Fault::None]);
    let taken = objects(&store).await[0].last_modified;
    assert!(
        until(async || faulty.faults_left() == 0 && objects(&store).await[0].last_modified > taken)
            .await
    );
    lease.close().await;
    assert!(objects(&store).await.is_empty());
}

#[tokio::test]
async fn its_limit_ends_it() {
    let store = store();
    let times = LeaseTimes {
        limit: Duration::from_millis(20),
        ..SHORT
    };
    let lease = Lease::take_for(Arc::clone(&store), &epoch_record(1, []), times)
        .await
        .unwrap();
    assert!(until(async || objects(&store).await.is_empty()).await);
    assert!(lease.is_over());
    lease.close().await;
}

#[tokio::test]
async fn a_storage_that_cannot_be_written_is_an_error() {
    let faulty = FaultyStore::new([]);
    faulty.then([Fault::WithoutEffect]);
    let store: Arc<dyn ObjectStore> = Arc::new(faulty);
    let error = Lease::take(Arc::clone(&store), &epoch_record(1, []))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(objects(&store).await.is_empty());
}

#[tokio::test]
async fn a_lease_of_a_dead_reader_lapses_and_foreign_objects_are_left_alone() {
    let store = store();
    let lease = Lease::take(Arc::clone(&store), &epoch_record(3, [("a.b", 1)]))
        .await
        .unwrap();
    store
        .put(&Path::from("leases/notes.txt"), Bytes::new().into())
        .await
        .unwrap();
    let now = wall::now();
    assert_eq!(
        leases(&store, &only(now + ms(59_000)))
            .await
            .unwrap()
            .held
            .len(),
        1
    );
    let found = leases(&store, &only(now + ms(61_000))).await.unwrap();
    assert_eq!((found.held.len(), found.lapsed.len()), (0, 1));
    lease.close().await;
}

#[tokio::test]
async fn one_that_counts_and_cannot_be_read_is_named() {
    let store = store();
    let path = path_of(3, wall::now());
    store
        .put(&path, Bytes::from_static(b"{").into())
        .await
        .unwrap();
    let error = leases(&store, &only(wall::now())).await.unwrap_err();
    assert!(error.to_string().contains(path.as_ref()), "{error}");
    assert!(leases(&store, &only(wall::now() + LIFE)).await.is_ok());
}

#[test]
fn a_name_says_when_it_was_taken() {
    let taken = at(1_767_571_200_123);
    let path = path_of(7, taken);
    assert_eq!(taken_at(&path), Some(taken));
    for foreign in [
        "leases/7-x",
        "leases/readme",
        "leases/00000000000000000007",
        "leases/00000000000000000007-9f0e2d3c-6a74-4f58-9d3a-5b1f2e9c7a10",
        "leases/7-019b8c2e-0000-7000-8000-000000000000",
    ] {
        assert_eq!(taken_at(&Path::from(foreign)), None, "{foreign}");
    }
}

#[test]
fn a_lease_counts_while_it_is_renewed_for_a_day_at_most() {
    let day = 24 * 3_600_000;
    for (taken, renewed, now, is_counting) in [
        (0, 0, 59_999, true),
        (0, 0, 60_000, false),
        (0, day - 1, day - 1, true),
        (0, day, day, false),
        (10, 10, 0, true),
        (day, day, 0, true),
        (day + 1, day + 1, 0, false),
    ] {
        assert_eq!(
            counts(at(taken), at(renewed), &only(at(now))),
            is_counting,
            "{taken} {renewed} {now}"
        );
    }
}

#[test]
fn f17_a_clock_that_is_set_lets_no_lease_lapse_and_none_count_for_ever() {
    let year_2038 = 2_147_483_648_000;
    // it was set ahead a while ago: before that, by that, by both
    let ahead = at(100_000)..=at(year_2038);
    assert!(counts(at(90_000), at(90_000), &ahead));
    assert!(counts(at(90_000), at(year_2038 - 10_000), &ahead));
    assert!(counts(at(year_2038), at(year_2038), &ahead));
    assert!(
        !counts(at(0), at(40_000), &ahead),
        "its reader was gone before"
    );
    // it was set right again
    let back = only(at(200_000));
    assert!(counts(at(year_2038), at(190_000), &back), "it is renewed");
    assert!(
        !counts(at(year_2038), at(year_2038), &back),
        "its reader is gone"
    );
}
