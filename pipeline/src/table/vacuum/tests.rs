use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use schemas::time::{DurationMs, TimestampMs};

use super::super::fixture::{JAN_5, rows, spec, tables};
use super::super::{DataFile, TableChanges, staging_tag};
use super::*;
use crate::error::ErrorKind;
use crate::time::fixture::at;
use crate::time::wall;

const TABLE: &str = "test.everything";
const HOUR: Duration = Duration::from_secs(3_600);
const NOW: Duration = Duration::ZERO;

/// Tables in memory, with the table made.
async fn in_memory() -> (Arc<dyn ObjectStore>, Tables) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let tables = Tables::new(Arc::clone(&store));
    tables.ensure(&spec()).await.unwrap();
    (store, tables)
}

/// One row as an epoch of its own; version and epoch are the same.
async fn commit_row(tables: &Tables, epoch: i64) {
    let row = rows(&[(JAN_5, &format!("c{epoch:03}"))]);
    let add = tables.stage(&spec(), &[row], "t").await.unwrap();
    let changes = TableChanges {
        add,
        ..TableChanges::default()
    };
    assert_eq!(tables.commit(TABLE, epoch, &changes).await.unwrap(), epoch);
}

/// An epoch that merges what is small.
async fn compact(tables: &Tables, epoch: i64) {
    let compactions = tables.compact(&spec(), epoch - 1, "t").await.unwrap();
    assert_eq!(compactions.len(), 1);
    let changes = TableChanges {
        compactions,
        ..TableChanges::default()
    };
    assert_eq!(tables.commit(TABLE, epoch, &changes).await.unwrap(), epoch);
}

/// Epochs 1 to 20 with a file each, merged into one file by epoch 21.
async fn twenty_merged(tables: &Tables) {
    for epoch in 1..=20 {
        commit_row(tables, epoch).await;
    }
    compact(tables, 21).await;
}

fn pinned(versions: impl IntoIterator<Item = i64>) -> Pins {
    Pins {
        versions: versions.into_iter().collect(),
        ..Pins::default()
    }
}

async fn vacuum(tables: &Tables, pins: &Pins, age: Duration) -> (u64, u64) {
    let old = wall::now() - DurationMs::from_std(age);
    let done = tables.vacuum(TABLE, pins, old).await.unwrap();
    assert_eq!(
        (done.bytes > 0, done.waiting_bytes > 0),
        (done.files > 0, done.waiting_files > 0)
    );
    (done.files, done.waiting_files)
}

async fn listed(store: &Arc<dyn ObjectStore>, below: &str) -> Vec<String> {
    let found = store.list(Some(&Path::from(format!("tables/test/everything{below}"))));
    let found: Vec<_> = found.try_collect().await.unwrap();
    found
        .into_iter()
        .map(|file| file.location.to_string())
        .collect()
}

async fn read_all(store: &Arc<dyn ObjectStore>, files: &[DataFile]) -> u64 {
    let mut bytes = 0;
    for file in files {
        let found = store.get(&file.location).await.unwrap();
        bytes += found.bytes().await.unwrap().len() as u64;
    }
    bytes
}

#[tokio::test]
async fn replaced_files_go_after_their_age_and_no_commit_is_written() {
    let (store, tables) = in_memory().await;
    twenty_merged(&tables).await;
    assert_eq!(vacuum(&tables, &Pins::default(), HOUR).await, (0, 20));
    let heir = Tables::new(Arc::clone(&store));
    assert_eq!(
        vacuum(&heir, &Pins::default(), HOUR).await,
        (0, 20),
        "another process finds in the commits when they were replaced"
    );

    let log = listed(&store, "/_delta_log").await;
    assert_eq!(vacuum(&tables, &Pins::default(), NOW).await, (20, 0));
    assert_eq!(vacuum(&tables, &Pins::default(), NOW).await, (0, 0));
    assert_eq!(listed(&store, "/_delta_log").await, log);
    assert_eq!(listed(&store, "/window_date=2026-01-05").await.len(), 1);
    assert_eq!(tables.newest_version(TABLE).await.unwrap(), 21);
    commit_row(&tables, 22).await;
    let files = heir.files_at(TABLE, 22).await.unwrap();
    assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 21);
    assert!(read_all(&store, &files).await > 0);
}

#[tokio::test]
async fn what_the_running_owner_stages_stays_however_old_a_clock_makes_it() {
    let (store, tables) = in_memory().await;
    commit_row(&tables, 1).await;
    for claim in [4, 41] {
        let row = rows(&[(JAN_5, "staged")]);
        let tag = staging_tag(claim, 2);
        tables.stage(&spec(), &[row], &tag).await.unwrap();
    }
    let running = Pins {
        claim: Some(41),
        ..Pins::default()
    };
    assert_eq!(vacuum(&tables, &running, NOW).await, (1, 0));
    let left = listed(&store, "/window_date=2026-01-05").await;
    let own: Vec<_> = left
        .iter()
        .filter(|path| path.contains("part-41-"))
        .collect();
    assert_eq!((left.len(), own.len()), (2, 1));
}

#[tokio::test]
async fn what_the_running_owner_replaced_goes_however_old_a_clock_makes_the_commit() {
    let (_, tables) = in_memory().await;
    for epoch in 1..=22 {
        let mut changes = TableChanges::default();
        let tag = staging_tag(41, epoch);
        if epoch == 21 {
            changes.compactions = tables.compact(&spec(), 20, &tag).await.unwrap();
        } else {
            let row = rows(&[(JAN_5, "own")]);
            changes.add = tables.stage(&spec(), &[row], &tag).await.unwrap();
        }
        tables.commit(TABLE, epoch, &changes).await.unwrap();
    }
    let running = Pins {
        claim: Some(41),
        ..Pins::default()
    };
    assert_eq!(vacuum(&tables, &running, NOW).await, (20, 0));
}

#[tokio::test]
async fn a_pinned_version_keeps_its_files() {
    let (store, tables) = in_memory().await;
    twenty_merged(&tables).await;
    for version in [20, 7] {
        assert_eq!(vacuum(&tables, &pinned([version]), NOW).await, (0, 20));
    }
    let restarted = Tables::new(Arc::clone(&store));
    assert_eq!(vacuum(&restarted, &pinned([7, 21]), NOW).await, (0, 20));
    assert_eq!(vacuum(&restarted, &pinned([21]), NOW).await, (20, 0));
}

#[tokio::test]
async fn a_reader_of_a_pinned_version_is_never_cut_off() {
    let (store, tables) = in_memory().await;
    for epoch in 1..=20 {
        commit_row(&tables, epoch).await;
    }
    let held = tables.files_at(TABLE, 20).await.unwrap();
    let size = read_all(&store, &held).await;
    let mut gone = 0;
    for merged in [21, 40, 59] {
        compact(&tables, merged).await;
        let reading = async {
            for _ in 0..20 {
                assert_eq!(read_all(&store, &held).await, size);
                tokio::task::yield_now().await;
            }
        };
        let pins = pinned([20]);
        let ((), done) = tokio::join!(reading, vacuum(&tables, &pins, NOW));
        gone += done.0;
        for epoch in merged + 1..merged + 19 {
            commit_row(&tables, epoch).await;
        }
    }
    assert_eq!(
        gone, 0,
        "all that was replaced came after the pinned version"
    );
    assert_eq!(read_all(&store, &held).await, size);
    assert_eq!(
        vacuum(&tables, &pinned([77]), NOW).await,
        (20 + 18 + 18 + 2, 0)
    );
}

#[tokio::test]
async fn staged_files_go_when_they_are_old_and_no_intent_names_them() {
    let (store, tables) = in_memory().await;
    commit_row(&tables, 1).await;
    let lost = [rows(&[(JAN_5, "lost"), (JAN_5 + 1, "lost")])];
    let staged = tables.stage(&spec(), &lost, "t").await.unwrap();
    assert_eq!(
        vacuum(&tables, &Pins::default(), HOUR).await,
        (0, 0),
        "young"
    );

    let changes = TableChanges {
        add: vec![staged[0].clone()],
        ..TableChanges::default()
    };
    let open_intent = Pins {
        staged: changes.staged_paths().map(str::to_owned).collect(),
        ..Pins::default()
    };
    assert_eq!(vacuum(&tables, &open_intent, NOW).await, (1, 0));
    assert_eq!(tables.commit(TABLE, 2, &changes).await.unwrap(), 2);
    assert_eq!(vacuum(&tables, &Pins::default(), NOW).await, (0, 0));
    let files = tables.files_at(TABLE, 2).await.unwrap();
    assert_eq!(files.len(), 2);
    read_all(&store, &files).await;
}

#[tokio::test]
async fn age_counts_from_the_commit_that_replaced_a_file() {
    let (folder, store, tables) = tables();
    tables.ensure(&spec()).await.unwrap();
    twenty_merged(&tables).await;
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_571_200);
    let grow_old = |path: &str| {
        let file = File::options().write(true).open(folder.path().join(path));
        file.unwrap().set_modified(long_ago).unwrap();
    };
    for file in listed(&store, "/window_date=2026-01-05").await {
        grow_old(&file);
    }
    assert_eq!(
        vacuum(&tables, &Pins::default(), HOUR).await,
        (0, 20),
        "old files that have just been replaced"
    );
    for version in 0..=21 {
        grow_old(&format!(
            "tables/test/everything/_delta_log/{version:020}.json"
        ));
    }
    let restarted = Tables::new(Arc::clone(&store));
    assert_eq!(vacuum(&restarted, &Pins::default(), HOUR).await, (20, 0));
}

#[tokio::test]
async fn what_is_not_data_stays() {
    let (store, tables) = in_memory().await;
    commit_row(&tables, 1).await;
    for name in ["_change_data/x.parquet", "_x.parquet", "notes.txt", "x.bin"] {
        let path = Path::from(format!("tables/test/everything/{name}"));
        store
            .put(&path, Bytes::from_static(b"x").into())
            .await
            .unwrap();
    }
    assert_eq!(vacuum(&tables, &Pins::default(), NOW).await, (0, 0));
}

#[tokio::test]
async fn nothing_goes_where_names_and_files_do_not_belong_together() {
    let (store, tables) = in_memory().await;
    twenty_merged(&tables).await;
    let files = tables.files_at(TABLE, 21).await.unwrap();
    store.delete(&files[0].location).await.unwrap();
    let error = tables
        .vacuum(TABLE, &Pins::default(), wall::now())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(
        error.to_string().contains(files[0].location.as_ref()),
        "{error}"
    );
    assert_eq!(listed(&store, "/window_date=2026-01-05").await.len(), 20);
}

#[tokio::test]
async fn commits_that_are_gone_from_the_delta_log_leave_files_waiting() {
    let (store, tables) = in_memory().await;
    twenty_merged(&tables).await;
    let open = tables.open(TABLE).unwrap();
    for version in 0..=21 {
        let entry = open.location(&format!("_delta_log/{version:020}.json"));
        store.delete(&entry).await.unwrap();
    }
    let mut removals = Removals::default();
    let is_complete = removals.read(&tables, &open, 21, 20, at(i64::MAX));
    assert!(
        !is_complete.await.unwrap(),
        "what came after 20 is not known"
    );
    let is_complete = removals.read(&tables, &open, 21, 21, at(i64::MAX));
    assert!(is_complete.await.unwrap());
}

#[test]
fn every_fate() {
    let file = |name: &str, modified: TimestampMs| ObjectMeta {
        location: Path::from(name),
        last_modified: modified.to_datetime().unwrap(),
        size: 1,
        e_tag: None,
        version: None,
    };
    let removal = |version, at| Removal { version, at };
    let removed = HashMap::from([
        (Path::from("pinned"), removal(9, at(10))),
        (Path::from("young"), removal(8, at(101))),
        (Path::from("free"), removal(8, at(100))),
    ]);
    let live = HashSet::from([Path::from("live")]);
    let mut rule = VacuumRule {
        live: &live,
        staged: HashSet::from([Path::from("staged")]),
        own_prefix: Some(staged_prefix(41)),
        removed: &removed,
        is_complete: true,
        oldest_pin: 8,
        old: at(100),
    };
    for (name, modified, fate) in [
        ("live", 0, Fate::Stays),
        ("staged", 0, Fate::Stays),
        ("pinned", 0, Fate::Waits),
        ("young", 0, Fate::Waits),
        ("free", 0, Fate::Goes),
        ("unknown", 100, Fate::Goes),
        ("unknown", 101, Fate::Stays),
        ("part-41-7-00000-x.zstd.parquet", 0, Fate::Stays),
        ("part-4-7-00000-x.zstd.parquet", 0, Fate::Goes),
    ] {
        assert_eq!(
            rule.fate(&file(name, at(modified))),
            fate,
            "{name} {modified}"
        );
    }
    rule.is_complete = false;
    assert_eq!(rule.fate(&file("unknown", at(100))), Fate::Waits);
    assert_eq!(rule.fate(&file("free", at(100))), Fate::Goes);
}
