use bytes::Bytes;
use object_store::memory::InMemory;

use super::*;
use crate::log::Log;
use crate::log::faulty::FaultyStore;
use crate::query::Lease;
use crate::query::fixture::epoch_record;
use crate::table::TableChanges;
use crate::table::fixture::{JAN_5, rows, spec};

const TABLE: &str = "test.everything";
const LAYOUT: u16 = 3;

/// How long anything may take before a test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// Without waiting for any age.
const AT_ONCE: HousekeepingSettings = HousekeepingSettings {
    every: Duration::from_millis(5),
    minimum_age: Duration::ZERO,
    record_life: Duration::ZERO,
};

struct Case {
    store: Arc<dyn ObjectStore>,
    tables: Arc<Tables>,
}

impl Case {
    fn new() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            tables: Arc::new(Tables::new(Arc::clone(&store))),
            store,
        }
    }

    fn housekeeper(&self, settings: HousekeepingSettings) -> Housekeeper {
        let logs = ["shard-0", "shard-1", "publisher"].map(|name| LogToTrim {
            name: name.to_owned(),
            layout: LAYOUT,
        });
        let (store, tables) = (Arc::clone(&self.store), Arc::clone(&self.tables));
        Housekeeper::new(store, tables, logs.into(), settings)
    }

    /// A log with a claim, records 2 to 5, and a checkpoint at 3, 4 and 5.
    async fn log(&self, name: &str, layout: u16) {
        let store = Arc::clone(&self.store);
        let (mut log, _) = Log::claim(store, name, layout, "owner").await.unwrap();
        for number in 2..=5 {
            log.append(Bytes::from(vec![number])).await.unwrap();
            if number > 2 {
                let written = log.write_checkpoint(Bytes::from_static(b"state")).await;
                assert!(written.unwrap());
            }
        }
    }

    /// A table whose version 17 has 17 files that version 18 replaces by one.
    async fn compacted_table(&self) {
        self.tables.ensure(&spec()).await.unwrap();
        for epoch in 1..=18 {
            let mut changes = TableChanges::default();
            if epoch == 18 {
                changes.compactions = self.tables.compact(&spec(), 17, "t").await.unwrap();
            } else {
                let row = rows(&[(JAN_5, "a")]);
                changes.add = self.tables.stage(&spec(), &[row], "t").await.unwrap();
            }
            let version = self.tables.commit(TABLE, epoch, &changes).await.unwrap();
            assert_eq!(version, epoch);
        }
    }

    async fn put(&self, path: &str) {
        let bytes = Bytes::from_static(b"bytes");
        self.store
            .put(&Path::from(path), bytes.into())
            .await
            .unwrap();
    }

    async fn names(&self, below: &str) -> Vec<String> {
        let listed = self.store.list(Some(&Path::from(below)));
        let listed: Vec<_> = listed.try_collect().await.unwrap();
        listed
            .iter()
            .map(|file| file.location.filename().unwrap().to_owned())
            .collect()
    }
}

fn needs(epoch: i64) -> StorageNeeds {
    StorageNeeds {
        newest_epoch: Some(epoch_record(epoch, [(TABLE, epoch)])),
        ..StorageNeeds::default()
    }
}

#[tokio::test]
async fn files_wait_for_leases_and_then_go() {
    let case = Case::new();
    case.compacted_table().await;
    let record = epoch_record(17, [(TABLE, 17)]);
    let lease = Lease::take(Arc::clone(&case.store), &record).await.unwrap();
    let mut housekeeper = case.housekeeper(AT_ONCE);
    let idle = housekeeper
        .run_once(&StorageNeeds::default())
        .await
        .unwrap();
    assert!(
        idle.is_empty() && idle.tables.waiting_files == 0,
        "no epoch is known"
    );

    let held = housekeeper.run_once(&needs(18)).await.unwrap();
    assert_eq!((held.tables.files, held.tables.waiting_files), (0, 17));
    lease.close().await;
    let free = housekeeper.run_once(&needs(18)).await.unwrap();
    assert_eq!((free.tables.files, free.tables.waiting_files), (17, 0));
    assert_eq!(free.tables.bytes, held.tables.waiting_bytes);
    assert_eq!(last_housekept(&case.store).await.unwrap(), Some(free));
}

#[tokio::test]
async fn an_epoch_that_was_the_newest_lately_is_kept_for_readers_that_are_still_opening_it() {
    let case = Case::new();
    case.compacted_table().await;
    let mut housekeeper = case.housekeeper(HousekeepingSettings::default());
    for epoch in [17, 17, 18] {
        let done = housekeeper.run_once(&needs(epoch)).await.unwrap();
        assert_eq!(done.tables.waiting_files, 17);
    }
    let recent = housekeeper.recent(&epoch_record(18, [(TABLE, 18)]));
    let versions: Vec<_> = recent.iter().map(|tables| tables[TABLE]).collect();
    assert_eq!(versions, [17, 18]);
    let mut at_once = case.housekeeper(AT_ONCE);
    at_once.recent(&epoch_record(17, [(TABLE, 17)]));
    assert_eq!(at_once.recent(&epoch_record(18, [(TABLE, 18)])).len(), 1);
}

#[tokio::test]
async fn files_of_an_open_intent_stay() {
    let case = Case::new();
    case.compacted_table().await;
    let row = rows(&[(JAN_5, "b")]);
    let staged = case.tables.stage(&spec(), &[row], "t").await.unwrap();
    let paths = staged.iter().map(|file| file.path.clone()).collect();
    let with_intent = StorageNeeds {
        open_intent: BTreeMap::from([(TABLE.to_owned(), paths)]),
        ..needs(18)
    };
    let mut housekeeper = case.housekeeper(AT_ONCE);
    let done = housekeeper.run_once(&with_intent).await.unwrap();
    assert_eq!(done.tables.files, 17);
    let done = housekeeper.run_once(&needs(18)).await.unwrap();
    assert_eq!(done.tables.files, 1);
}

#[tokio::test]
async fn logs_with_a_cut_are_trimmed_and_a_failure_keeps_nothing_else_from_being_done() {
    let case = Case::new();
    case.compacted_table().await;
    case.put("sinks/records/00000000000000000003-00000000000000000004")
        .await;
    case.log("shard-0", LAYOUT).await;
    case.log("shard-1", LAYOUT + 1).await;
    let mut needs = StorageNeeds {
        cuts: BTreeMap::from([("shard-0".to_owned(), 7), ("shard-1".to_owned(), 8)]),
        delivered: Some(5),
        ..needs(18)
    };
    let mut housekeeper = case.housekeeper(AT_ONCE);
    let error = housekeeper.run_once(&needs).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("shard-1"), "{error}");
    let done = last_housekept(&case.store).await.unwrap().unwrap();
    assert_eq!((done.logs.records, done.logs.checkpoints), (3, 1));
    assert_eq!((done.tables.files, done.sink_records.files), (17, 1));
    assert!(done.logs.bytes > 0);
    assert_eq!(done.bytes(), done.tables.bytes + done.logs.bytes + 5);

    needs.cuts.remove("shard-1");
    assert!(housekeeper.run_once(&needs).await.unwrap().is_empty());
}

#[tokio::test]
async fn delivered_records_go_when_they_are_old() {
    let case = Case::new();
    let name = |epoch: i64| format!("{:020}-{epoch:020}", 37);
    for epoch in [4, 5, 6] {
        case.put(&format!("sinks/records/{}", name(epoch))).await;
    }
    case.put("sinks/records/readme").await;
    let needs = StorageNeeds {
        delivered: Some(6),
        ..StorageNeeds::default()
    };
    let mut patient = case.housekeeper(HousekeepingSettings::default());
    assert_eq!(
        patient.run_once(&needs).await.unwrap().sink_records.files,
        0
    );
    let mut housekeeper = case.housekeeper(AT_ONCE);
    let nothing_known = housekeeper
        .run_once(&StorageNeeds::default())
        .await
        .unwrap();
    assert_eq!(nothing_known.sink_records.files, 0);
    let done = housekeeper.run_once(&needs).await.unwrap();
    let expected = DeletedRecords {
        files: 2,
        bytes: 10,
    };
    assert_eq!(done.sink_records, expected);
    assert_eq!(
        case.names("sinks/records").await,
        [name(6), "readme".to_owned()]
    );
}

#[tokio::test]
async fn an_idle_service_writes_once_an_hour() {
    let case = Case::new();
    assert_eq!(last_housekept(&case.store).await.unwrap(), None);
    let mut housekeeper = case.housekeeper(AT_ONCE);
    let first = housekeeper
        .run_once(&StorageNeeds::default())
        .await
        .unwrap();
    wall::sleep(Duration::from_millis(2)).await;
    let second = housekeeper
        .run_once(&StorageNeeds::default())
        .await
        .unwrap();
    assert!(second.ran_at > first.ran_at);
    assert_eq!(last_housekept(&case.store).await.unwrap(), Some(first));
    let an_hour_ago = wall::monotonic().checked_sub(WRITE_EVERY).unwrap();
    housekeeper.written = Some(an_hour_ago);
    let third = housekeeper
        .run_once(&StorageNeeds::default())
        .await
        .unwrap();
    assert_eq!(last_housekept(&case.store).await.unwrap(), Some(third));
}

#[tokio::test]
async fn it_runs_until_it_is_told_to_stop_whatever_fails() {
    let case = Case::new();
    case.log("shard-1", LAYOUT + 1).await;
    let (needs, receiver) = watch::channel(StorageNeeds {
        cuts: BTreeMap::from([("shard-1".to_owned(), 8)]),
        ..StorageNeeds::default()
    });
    let (stop, stopped) = watch::channel(false);
    let housekeeper = case.housekeeper(AT_ONCE);
    let last = Path::from(LAST);
    let running = tokio::spawn(housekeeper.run(receiver, stopped));
    tokio::time::timeout(PATIENCE, async {
        while case.store.head(&last).await.is_err() {
            wall::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    case.put("sinks/records/37-1").await;
    let delivered = StorageNeeds {
        delivered: Some(2),
        cuts: BTreeMap::from([("shard-1".to_owned(), 8)]),
        ..StorageNeeds::default()
    };
    needs.send(delivered).unwrap();
    tokio::time::timeout(PATIENCE, async {
        while !case.names("sinks/records").await.is_empty() {
            wall::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    stop.send(true).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn where_lapsed_leases_cannot_be_deleted_files_go_all_the_same() {
    let store = FaultyStore::new([]);
    let case = Case::over(Arc::new(store.clone()));
    case.compacted_table().await;
    // Taken in 2024.
    let lapsed = "leases/00000000000000000017-0190a0b0-0000-7000-8000-000000000000";
    case.put(lapsed).await;
    store.fail_deletions_below("leases");
    let mut housekeeper = case.housekeeper(AT_ONCE);
    housekeeper.run_once(&needs(18)).await.unwrap_err();
    let done = last_housekept(&case.store).await.unwrap().unwrap();
    assert_eq!((done.tables.files, done.leases), (17, 0));
}

#[tokio::test]
async fn a_run_that_is_cut_short_anywhere_leaves_the_rest_to_the_next() {
    let needs = StorageNeeds {
        cuts: BTreeMap::from([("shard-0".to_owned(), 7)]),
        delivered: Some(5),
        ..needs(18)
    };
    // 17 files of the table, three records and a checkpoint of the log, one file of sent records, one lease.
    for deletions in 0..23 {
        let store = FaultyStore::new([]);
        let case = Case::over(Arc::new(store.clone()));
        case.compacted_table().await;
        case.log("shard-0", LAYOUT).await;
        case.put("sinks/records/37-4").await;
        case.put("leases/00000000000000000017-0190a0b0-0000-7000-8000-000000000000")
            .await;
        store.delete_only(deletions);
        let cut_short = case.housekeeper(AT_ONCE).run_once(&needs).await;
        assert!(cut_short.is_err(), "after {deletions} deletions");
        let files = case.tables.files_at(TABLE, 18).await.unwrap();
        assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 17);

        store.delete_only(usize::MAX);
        let heir = case.housekeeper(AT_ONCE).run_once(&needs).await.unwrap();
        assert!(!heir.is_empty(), "after {deletions} deletions");
        let again = case.housekeeper(AT_ONCE).run_once(&needs).await.unwrap();
        assert!(again.is_empty(), "{again:?}");
        assert_eq!(
            case.names("tables/test/everything/window_date=2026-01-05")
                .await
                .len(),
            1
        );
        assert_eq!(case.names("leases").await.len(), 0);
        let log = Log::claim(Arc::clone(&case.store), "shard-0", LAYOUT, "heir").await;
        assert!(log.unwrap().1.checkpoint.is_some());
    }
}

#[test]
fn the_epoch_stands_behind_the_claim() {
    let epoch = |name: &str| epoch_of(&Path::from(format!("sinks/records/{name}")));
    assert_eq!(epoch("00000000000000000037-00000000000000000012"), Some(12));
    assert_eq!(epoch("37-12.records"), Some(12));
    assert_eq!(epoch("37-12-9f0e"), Some(12));
    for foreign in ["12", "-12", "readme-12", "37-", "37-x12"] {
        assert_eq!(epoch(foreign), None, "{foreign}");
    }
}
