use bytes::Bytes;
use object_store::memory::InMemory;

use super::*;
use crate::query::Lease;
use crate::query::fixture::epoch_record;
use crate::table::TableChanges;
use crate::table::fixture::{JAN_5, rows, spec};

const TABLE: &str = "test.everything";

/// Without waiting for any age.
const AT_ONCE: HousekeepingSettings = HousekeepingSettings {
    every: Duration::from_millis(5),
    minimum_age: Duration::ZERO,
    record_life: Duration::ZERO,
};

struct Case {
    store: Arc<dyn ObjectStore>,
    tables: Arc<Tables>,
    /// Trims that were asked for, as log, layout and cut.
    trims: Arc<Mutex<Vec<(String, u16, u64)>>>,
}

impl Case {
    fn new() -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        Self {
            tables: Arc::new(Tables::new(Arc::clone(&store))),
            store,
            trims: Arc::default(),
        }
    }

    /// Every trim of `shard-1` fails, any other one deletes two records.
    fn housekeeper(&self, settings: HousekeepingSettings) -> Housekeeper {
        let trims = Arc::clone(&self.trims);
        let trim: TrimLog = Arc::new(move |log, cut, _| {
            let is_failing = log.name == "shard-1";
            trims.lock().unwrap().push((log.name, log.layout, cut));
            Box::pin(async move {
                if is_failing {
                    return Err(Error::new(ErrorKind::Unavailable, "away"));
                }
                Ok(TrimmedLogs {
                    records: 2,
                    checkpoints: 1,
                    bytes: 100,
                })
            })
        });
        let logs = ["shard-0", "shard-1", "publisher"].map(|name| LogToTrim {
            name: name.to_owned(),
            layout: 3,
        });
        let (store, tables) = (Arc::clone(&self.store), Arc::clone(&self.tables));
        Housekeeper::new(store, tables, logs.into(), settings, trim)
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

fn inputs(epoch: i64) -> StorageNeeds {
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
    let housekeeper = case.housekeeper(AT_ONCE);
    let idle = housekeeper
        .run_once(&StorageNeeds::default())
        .await
        .unwrap();
    assert!(
        idle.is_empty() && idle.tables.waiting_files == 0,
        "no epoch is known"
    );

    let held = housekeeper.run_once(&inputs(18)).await.unwrap();
    assert_eq!((held.tables.files, held.tables.waiting_files), (0, 17));
    lease.close().await;
    let free = housekeeper.run_once(&inputs(18)).await.unwrap();
    assert_eq!((free.tables.files, free.tables.waiting_files), (17, 0));
    assert_eq!(free.tables.bytes, held.tables.waiting_bytes);
    assert_eq!(last_housekept(&case.store).await.unwrap(), Some(free));
}

#[tokio::test]
async fn an_epoch_that_was_the_newest_lately_is_kept_for_readers_that_are_still_opening_it() {
    let case = Case::new();
    case.compacted_table().await;
    let housekeeper = case.housekeeper(HousekeepingSettings::default());
    for epoch in [17, 17, 18] {
        let done = housekeeper.run_once(&inputs(epoch)).await.unwrap();
        assert_eq!(done.tables.waiting_files, 17);
    }
    let recent = housekeeper.recent(&epoch_record(18, [(TABLE, 18)]));
    let versions: Vec<_> = recent.iter().map(|tables| tables[TABLE]).collect();
    assert_eq!(versions, [17, 18]);
    let at_once = case.housekeeper(AT_ONCE);
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
        ..inputs(18)
    };
    let housekeeper = case.housekeeper(AT_ONCE);
    let done = housekeeper.run_once(&with_intent).await.unwrap();
    assert_eq!(done.tables.files, 17);
    let done = housekeeper.run_once(&inputs(18)).await.unwrap();
    assert_eq!(done.tables.files, 1);
}

#[tokio::test]
async fn logs_with_a_cut_are_trimmed_and_a_failure_keeps_nothing_else_from_being_done() {
    let case = Case::new();
    case.compacted_table().await;
    case.put("sinks/records/00000000000000000003-00000000000000000004")
        .await;
    let mut inputs = StorageNeeds {
        cuts: BTreeMap::from([("shard-0".to_owned(), 7), ("shard-1".to_owned(), 8)]),
        delivered: Some(5),
        ..inputs(18)
    };
    let housekeeper = case.housekeeper(AT_ONCE);
    let error = housekeeper.run_once(&inputs).await.unwrap_err();
    assert_eq!(error.to_string(), "away");
    let asked = [("shard-0".to_owned(), 3, 7), ("shard-1".to_owned(), 3, 8)];
    assert_eq!(*case.trims.lock().unwrap(), asked);
    let done = last_housekept(&case.store).await.unwrap().unwrap();
    assert_eq!((done.logs.records, done.logs.checkpoints), (2, 1));
    assert_eq!((done.tables.files, done.sink_records.files), (17, 1));
    assert_eq!(done.bytes(), done.tables.bytes + 100 + 5);

    inputs.cuts.remove("shard-1");
    assert_eq!(housekeeper.run_once(&inputs).await.unwrap().logs.records, 2);
}

#[tokio::test]
async fn delivered_records_go_when_they_are_old() {
    let case = Case::new();
    let name = |epoch: i64| format!("{:020}-{epoch:020}", 37);
    for epoch in [4, 5, 6] {
        case.put(&format!("sinks/records/{}", name(epoch))).await;
    }
    case.put("sinks/records/readme").await;
    let inputs = StorageNeeds {
        delivered: Some(6),
        ..StorageNeeds::default()
    };
    let patient = case.housekeeper(HousekeepingSettings::default());
    assert_eq!(
        patient.run_once(&inputs).await.unwrap().sink_records.files,
        0
    );
    let housekeeper = case.housekeeper(AT_ONCE);
    let nothing_known = housekeeper
        .run_once(&StorageNeeds::default())
        .await
        .unwrap();
    assert_eq!(nothing_known.sink_records.files, 0);
    let done = housekeeper.run_once(&inputs).await.unwrap();
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
    let housekeeper = case.housekeeper(AT_ONCE);
    let first = housekeeper
        .run_once(&StorageNeeds::default())
        .await
        .unwrap();
    wall::sleep(Duration::from_millis(2)).await;
    let second = housekeeper
        .run_once(&StorageNeeds::default())
        .await
        .unwrap();
    assert!(second.ran_at_ms > first.ran_at_ms);
    assert_eq!(last_housekept(&case.store).await.unwrap(), Some(first));
    let an_hour_ago = wall::monotonic().checked_sub(WRITE_EVERY).unwrap();
    housekeeper.lock().written = Some(an_hour_ago);
    let third = housekeeper
        .run_once(&StorageNeeds::default())
        .await
        .unwrap();
    assert_eq!(last_housekept(&case.store).await.unwrap(), Some(third));
}

#[tokio::test]
async fn it_runs_until_it_is_told_to_stop_whatever_fails() {
    let case = Case::new();
    let (_inputs, receiver) = watch::channel(StorageNeeds {
        cuts: BTreeMap::from([("shard-1".to_owned(), 8)]),
        ..StorageNeeds::default()
    });
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(case.housekeeper(AT_ONCE).run(receiver, stopped));
    for _ in 0..2_000 {
        if case.trims.lock().unwrap().len() >= 3 {
            break;
        }
        wall::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        case.trims.lock().unwrap().len() >= 3,
        "it goes on after failures"
    );
    stop.send(true).unwrap();
    running.await.unwrap();
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
