//! Damaged Delta logs (F4): readers and the next publisher get the files of the epoch, or an error that names the object.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::fixture::{JAN_5, rows, spec};
use super::{DataFile, TableChanges, TableVersion, Tables};
use crate::error::{Error, ErrorKind};

const TABLE: &str = "test.everything";
/// Beyond the checkpoint at 100.
const EPOCHS: i64 = 104;
const SEED: u64 = 20_260_105;

/// A store with a table of `EPOCHS` versions, some of which merged files, and its newest version.
async fn stored() -> (InMemory, TableVersion) {
    let memory = InMemory::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    let tables = Tables::new(store);
    let mut pinned = tables.ensure(&spec()).await.unwrap();
    for epoch in 1..=EPOCHS {
        let mut changes = TableChanges::default();
        if epoch <= 40 || epoch > 98 {
            let day = JAN_5 + (epoch % 2) as i32;
            let row = rows(&[(day, &format!("c{epoch:03}"))]);
            changes.add = tables.stage(&spec(), &[row], "1-1").await.unwrap();
        }
        if epoch == 40 || epoch == 103 {
            changes.compactions = tables.compact(&spec(), epoch - 1, "1-1").await.unwrap();
        }
        pinned = tables.commit(TABLE, epoch, &changes).await.unwrap();
    }
    (memory, pinned)
}

async fn copy_of(store: &dyn ObjectStore) -> Arc<dyn ObjectStore> {
    let copy = InMemory::new();
    for object in store.list(None).try_collect::<Vec<_>>().await.unwrap() {
        let bytes = store.get(&object.location).await.unwrap().bytes().await;
        let bytes = bytes.unwrap();
        copy.put(&object.location, bytes.into()).await.unwrap();
    }
    Arc::new(copy)
}

/// Every kind of damage of an object, flipped bits at several places.
fn damages(whole: &[u8], random: &mut ChaCha8Rng) -> Vec<(String, Vec<u8>)> {
    let mut damaged = vec![
        ("empty".to_owned(), Vec::new()),
        ("zeros".to_owned(), vec![0; whole.len()]),
        ("longer".to_owned(), [whole, b"\n garbage"].concat()),
    ];
    let half = whole.len() / 2;
    damaged.push((format!("cut at {half}"), whole[..half].to_vec()));
    damaged.push((
        format!("cut at {}", whole.len() - 1),
        whole[..whole.len() - 1].to_vec(),
    ));
    let mut torn = whole.to_vec();
    torn[half..].fill(0);
    damaged.push((format!("zeros from {half}"), torn));
    for _ in 0..20 {
        let (at, bit) = (
            random.random_range(0..whole.len()),
            random.random_range(0..8),
        );
        let mut flipped = whole.to_vec();
        flipped[at] ^= 1 << bit;
        damaged.push((format!("bit {bit} of {at}"), flipped));
    }
    // The places that hurt: digits, which leave the JSON whole.
    let digits: Vec<usize> = (0..whole.len())
        .filter(|at| whole[*at].is_ascii_digit())
        .collect();
    for at in digits.choose_multiple(random, 20) {
        let mut other = whole.to_vec();
        other[*at] = if other[*at] == b'1' { b'3' } else { b'1' };
        damaged.push((format!("digit at {at}"), other));
    }
    damaged
}

/// What decides about rows: all but the statistics, which readers of ours do not use.
fn rows_of(files: &[DataFile]) -> Vec<DataFile> {
    let without = |file: &DataFile| DataFile {
        stats: None,
        ..file.clone()
    };
    files.iter().map(without).collect()
}

/// Damaged as the path says, or the damage changes nothing that matters.
fn assert_named(error: &Error, path: &Path, what: &str) {
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{path} {what}: {error:?}");
    assert!(text.contains(path.as_ref()), "{path} {what}: {error:?}");
    assert!(
        !text.contains('\n') && text.len() < 300,
        "{path} {what}: {text}"
    );
}

#[tokio::test]
async fn f4_a_damaged_delta_log_changes_no_list_of_files_and_the_object_is_named() {
    println!("seed={SEED}");
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let (store, pinned) = stored().await;
    let expected: Arc<Vec<DataFile>> = Tables::new(Arc::new(store.clone()))
        .pinned_files(TABLE, &pinned)
        .await
        .unwrap();
    let log = Path::from("tables/test/everything/_delta_log");
    let mut objects = vec![log.clone().join("_last_checkpoint")];
    objects.push(log.clone().join(format!("{:020}.checkpoint.parquet", 100)));
    objects
        .extend([0, 40, 100, 101, 103, 104].map(|of| log.clone().join(format!("{of:020}.json"))));
    let (mut equal, mut named) = (0, 0);
    for path in objects {
        let whole = store.get(&path).await.unwrap().bytes().await.unwrap();
        for (what, bytes) in damages(&whole, &mut random) {
            if bytes == whole {
                continue;
            }
            let damaged = copy_of(&store).await;
            damaged.put(&path, bytes.into()).await.unwrap();
            let reader = Tables::new(Arc::clone(&damaged));
            match reader.pinned_files(TABLE, &pinned).await {
                Ok(files) => {
                    assert_eq!(rows_of(&files), rows_of(&expected), "{path} {what}");
                    equal += 1;
                }
                Err(error) => {
                    assert_named(&error, &path, &what);
                    named += 1;
                }
            }
            let publisher = Tables::new(Arc::clone(&damaged));
            match publisher.reopen(&spec(), &pinned).await {
                Ok(found) => assert_eq!(found, pinned, "{path} {what}"),
                Err(error) => assert_named(&error, &path, &what),
            }
            let is_commit =
                path.as_ref().ends_with("103.json") || path.as_ref().ends_with("104.json");
            if is_commit {
                let checked = reader.check_log(TABLE, &pinned).await;
                assert_named(&checked.unwrap_err(), &path, &what);
            }
        }
    }
    println!("equal={equal} named={named}");
    assert!(equal > 50 && named > 50, "equal={equal} named={named}");
}

#[tokio::test]
async fn f4_a_commit_that_no_epoch_vouches_for_yet_holds_its_intent_or_stops_the_publisher() {
    println!("seed={SEED}");
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let store = InMemory::new();
    let tables = Tables::new(Arc::new(store.clone()));
    tables.ensure(&spec()).await.unwrap();
    let mut named = TableVersion::default();
    for epoch in 1..=17 {
        let row = rows(&[(JAN_5, &format!("c{epoch}"))]);
        let add = tables.stage(&spec(), &[row], "1-1").await.unwrap();
        let compactions = Vec::new();
        named = tables
            .commit(TABLE, epoch, &TableChanges { add, compactions })
            .await
            .unwrap();
    }
    let row = rows(&[(JAN_5 + 1, "last")]);
    let intent = TableChanges {
        add: tables.stage(&spec(), &[row], "1-18").await.unwrap(),
        compactions: tables.compact(&spec(), 17, "1-18").await.unwrap(),
    };
    assert_eq!(intent.compactions.len(), 1);
    let committed = tables.commit(TABLE, 18, &intent).await.unwrap();
    let expected = tables.pinned_files(TABLE, &committed).await.unwrap();

    let path = Path::from(format!("tables/test/everything/_delta_log/{:020}.json", 18));
    let whole = store.get(&path).await.unwrap().bytes().await.unwrap();
    let (mut rolled, mut stopped) = (0, 0);
    for (what, bytes) in damages(&whole, &mut random) {
        let damaged = copy_of(&store).await;
        damaged.put(&path, bytes.into()).await.unwrap();
        let heir = Tables::new(damaged);
        let committed = match heir.reopen(&spec(), &named).await {
            Ok(_) => heir.commit(TABLE, 18, &intent).await,
            Err(error) => Err(error),
        };
        match committed {
            Ok(pinned) => {
                let files = heir.pinned_files(TABLE, &pinned).await.unwrap();
                assert_eq!(rows_of(&files), rows_of(&expected), "{what}");
                rolled += 1;
            }
            Err(error) => {
                assert!(!error.is_retryable(), "{what}: {error:?}");
                assert!(
                    format!("{error:?}").contains("_delta_log"),
                    "{what}: {error:?}"
                );
                stopped += 1;
            }
        }
    }
    println!("rolled={rolled} stopped={stopped}");
    assert!(
        rolled > 3 && stopped > 10,
        "rolled={rolled} stopped={stopped}"
    );
}
