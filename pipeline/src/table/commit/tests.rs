use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use object_store::{ObjectStore, ObjectStoreExt};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::super::TableSpec;
use super::super::fixture::{JAN_5, rows, spec, tables};
use super::*;
use crate::log::faulty::{Fault, FaultyStore, unlucky};

const TABLE: &str = "test.everything";

async fn staged(tables: &Tables, of: &[(i32, &str)], tag: &str) -> TableChanges {
    TableChanges {
        add: tables.stage(&spec(), &[rows(of)], tag).await.unwrap(),
        ..TableChanges::default()
    }
}

async fn row_count(tables: &Tables, version: i64) -> u64 {
    tables
        .files_at(TABLE, version)
        .await
        .unwrap()
        .iter()
        .map(|file| file.rows)
        .sum()
}

/// Tables whose store fails on command, with the table made.
async fn faulty_tables() -> (FaultyStore, Tables) {
    let store = FaultyStore::new([]);
    let tables = Tables::new(Arc::new(store.clone()));
    tables.ensure(&spec()).await.unwrap();
    (store, tables)
}

#[tokio::test]
async fn an_epoch_is_committed_once() {
    let (_folder, store, tables) = tables();
    tables.ensure(&spec()).await.unwrap();
    let first = staged(&tables, &[(JAN_5, "a"), (JAN_5 + 1, "b")], "1").await;
    assert_eq!(first.add.len(), 2);
    assert_eq!(tables.commit(TABLE, 7, &first).await.unwrap(), 1);
    assert_eq!(
        tables.commit(TABLE, 7, &first).await.unwrap(),
        1,
        "again: nothing happens"
    );
    let second = staged(&tables, &[(JAN_5, "c")], "2").await;
    assert_eq!(tables.commit(TABLE, 8, &second).await.unwrap(), 2);
    assert_eq!(
        tables.commit(TABLE, 7, &first).await.unwrap(),
        2,
        "an older epoch is in there already"
    );

    // A new process rolls forward what it finds in its log.
    let heir = Tables::new(Arc::clone(&store));
    assert_eq!(heir.commit(TABLE, 8, &second).await.unwrap(), 2);
    assert_eq!(row_count(&heir, 2).await, 3);
    assert_eq!(
        row_count(&heir, 1).await,
        2,
        "the older version is still there"
    );
    assert_eq!(row_count(&heir, 0).await, 0);
}

#[tokio::test]
async fn an_error_after_success_commits_once() {
    let (store, tables) = faulty_tables().await;
    let changes = staged(&tables, &[(JAN_5, "a")], "1").await;
    store.then([Fault::AfterSuccess]);
    assert_eq!(tables.commit(TABLE, 1, &changes).await.unwrap(), 1);
    assert_eq!(store.faults_left(), 0, "the commit met the fault");
    assert_eq!(tables.newest_version(TABLE).await.unwrap(), 1);
    assert_eq!(row_count(&tables, 1).await, 1);
}

#[tokio::test]
async fn errors_without_effect_are_tried_again() {
    let (store, tables) = faulty_tables().await;
    let changes = staged(&tables, &[(JAN_5, "a")], "1").await;
    store.then([
        Fault::WithoutEffect,
        Fault::WithoutEffect,
        Fault::AfterSuccess,
    ]);
    assert_eq!(tables.commit(TABLE, 1, &changes).await.unwrap(), 1);
    assert_eq!(store.faults_left(), 0);
    assert_eq!(row_count(&tables, 1).await, 1);
}

#[tokio::test]
async fn staging_and_making_survive_the_same_faults() {
    let store = FaultyStore::new([]);
    let tables = Tables::new(Arc::new(store.clone()));
    store.then([Fault::AfterSuccess]);
    assert_eq!(tables.ensure(&spec()).await.unwrap(), 0);
    store.then([Fault::WithoutEffect, Fault::AfterSuccess]);
    let changes = staged(&tables, &[(JAN_5, "a")], "1").await;
    assert_eq!(store.faults_left(), 0);
    tables.commit(TABLE, 1, &changes).await.unwrap();
    assert_eq!(row_count(&tables, 1).await, 1);
}

#[tokio::test]
async fn commits_of_others_in_between_are_lived_with() {
    let (_folder, store, tables) = tables();
    tables.ensure(&spec()).await.unwrap();
    let other = Tables::new(Arc::clone(&store));
    tables
        .commit(TABLE, 1, &staged(&tables, &[(JAN_5, "a")], "1").await)
        .await
        .unwrap();
    other
        .commit(TABLE, 2, &staged(&other, &[(JAN_5, "b")], "2").await)
        .await
        .unwrap();
    // `tables` still believes in version 1.
    let version = tables
        .commit(TABLE, 3, &staged(&tables, &[(JAN_5, "c")], "3").await)
        .await
        .unwrap();
    assert_eq!(version, 3);
    assert_eq!(row_count(&tables, version.version).await, 3);
}

#[tokio::test]
async fn a_compaction_replaces_files_in_the_epochs_commit_or_not_at_all() {
    let (_folder, _store, tables) = tables();
    tables.ensure(&spec()).await.unwrap();
    for (epoch, customer) in [(1, "a"), (2, "b")] {
        tables
            .commit(
                TABLE,
                epoch,
                &staged(&tables, &[(JAN_5, customer)], "s").await,
            )
            .await
            .unwrap();
    }
    let small: Vec<_> = tables
        .files_at(TABLE, 2)
        .await
        .unwrap()
        .iter()
        .map(|file| file.path.clone())
        .collect();
    let merged = || async {
        staged(&tables, &[(JAN_5, "a"), (JAN_5, "b")], "m")
            .await
            .add
            .remove(0)
    };
    let compaction = Compaction {
        add: merged().await,
        remove: small.clone(),
    };
    let mut third = staged(&tables, &[(JAN_5, "c")], "3").await;
    third.compactions.push(compaction.clone());
    assert_eq!(tables.commit(TABLE, 3, &third).await.unwrap(), 3);
    let files = tables.files_at(TABLE, 3).await.unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!(row_count(&tables, 3).await, 3);

    // Its files are gone: what it would add must not come twice.
    let again = TableChanges {
        compactions: vec![Compaction {
            add: merged().await,
            remove: small,
        }],
        ..TableChanges::default()
    };
    assert_eq!(tables.commit(TABLE, 4, &again).await.unwrap(), 4);
    assert_eq!(tables.files_at(TABLE, 4).await.unwrap(), files);
}

#[tokio::test]
async fn the_log_carries_the_epoch_and_removals_change_no_data() {
    let (_folder, store, tables) = tables();
    tables.ensure(&spec()).await.unwrap();
    let first = staged(&tables, &[(JAN_5, "a")], "1").await;
    tables.commit(TABLE, 41, &first).await.unwrap();
    let merged = staged(&tables, &[(JAN_5, "a")], "m").await.add.remove(0);
    let compaction = Compaction {
        add: merged,
        remove: vec![first.add[0].path.clone()],
    };
    tables
        .commit(
            TABLE,
            42,
            &TableChanges {
                compactions: vec![compaction],
                ..TableChanges::default()
            },
        )
        .await
        .unwrap();
    let path = object_store::path::Path::from(
        "tables/test/everything/_delta_log/00000000000000000002.json",
    );
    let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
    let actions: Vec<serde_json::Value> = String::from_utf8(bytes.to_vec())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let find = |kind: &str| actions.iter().find_map(|action| action.get(kind)).unwrap();
    assert_eq!(
        (&find("txn")["appId"], &find("txn")["version"]),
        (&"vitrine".into(), &42.into())
    );
    assert_eq!(
        (&find("add")["dataChange"], &find("remove")["dataChange"]),
        (&false.into(), &false.into())
    );
    assert_eq!(
        find("remove")["partitionValues"]["window_date"],
        "2026-01-05"
    );
}

#[tokio::test]
async fn a_checkpoint_comes_every_hundred_versions_and_the_epoch_outlives_it() {
    let store: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let tables = Tables::new(Arc::clone(&store));
    tables.ensure(&spec()).await.unwrap();
    let changes = staged(&tables, &[(JAN_5, "a")], "1").await;
    tables.commit(TABLE, 1, &changes).await.unwrap();
    for epoch in 2..=101 {
        tables
            .commit(TABLE, epoch, &TableChanges::default())
            .await
            .unwrap();
    }
    let last = object_store::path::Path::from("tables/test/everything/_delta_log/_last_checkpoint");
    let bytes = store
        .get(&last)
        .await
        .expect("a checkpoint")
        .bytes()
        .await
        .unwrap();
    let checkpoint: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(checkpoint["version"], 100);

    let heir = Tables::new(store);
    assert_eq!(
        heir.commit(TABLE, 101, &TableChanges::default())
            .await
            .unwrap(),
        101,
        "known from checkpoint and log"
    );
    let files = heir.files_at(TABLE, 101).await.unwrap();
    assert_eq!((files.len(), files[0].rows), (1, 1));
    assert_eq!(
        files,
        tables.files_at(TABLE, 101).await.unwrap(),
        "a checkpoint keeps what is known of a file"
    );
    assert_eq!(heir.files_at(TABLE, 100).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_table_without_partitions_works_alike() {
    let (_folder, _store, tables) = tables();
    let flat = TableSpec {
        partition_by: None,
        name: "flat".to_owned(),
        ..spec()
    };
    tables.ensure(&flat).await.unwrap();
    let add = tables
        .stage(&flat, &[rows(&[(JAN_5 + 1, "b"), (JAN_5, "a")])], "1")
        .await
        .unwrap();
    assert_eq!(add.len(), 1);
    let version = tables
        .commit(
            "test.flat",
            1,
            &TableChanges {
                add,
                ..TableChanges::default()
            },
        )
        .await
        .unwrap();
    let files = tables.files_at("test.flat", version.version).await.unwrap();
    assert_eq!(
        (files.len(), files[0].rows, files[0].partition_values.len()),
        (1, 2, 0)
    );
}

#[tokio::test]
async fn an_epoch_is_found_below_commits_that_are_not_ours() {
    let (_folder, store, tables) = tables();
    tables.ensure(&spec()).await.unwrap();
    let changes = staged(&tables, &[(JAN_5, "a")], "1").await;
    tables.commit(TABLE, 1, &changes).await.unwrap();
    // A commit without an epoch: a column is added.
    let mut fields: Vec<_> = spec()
        .schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    fields.push(Field::new("later", DataType::Int64, true));
    let wider = TableSpec {
        schema: Arc::new(Schema::new(fields)),
        ..spec()
    };
    assert_eq!(tables.ensure(&wider).await.unwrap(), 2);

    let heir = Tables::new(store);
    assert_eq!(heir.commit(TABLE, 1, &changes).await.unwrap(), 1);
    assert_eq!(
        heir.commit(TABLE, 2, &TableChanges::default())
            .await
            .unwrap(),
        3
    );
    assert_eq!(row_count(&heir, 3).await, 1);
}

#[tokio::test]
async fn changes_survive_the_intent_in_text_and_in_binary() {
    let (_folder, _store, tables) = tables();
    let mut changes = staged(&tables, &[(JAN_5, "a"), (JAN_5 + 1, "b")], "1").await;
    let add = changes.add.remove(1);
    changes.compactions.push(Compaction {
        add,
        remove: vec!["window_date=2026-01-06/part".to_owned()],
    });
    let text = serde_json::to_string(&changes).unwrap();
    assert_eq!(
        serde_json::from_str::<TableChanges>(&text).unwrap(),
        changes
    );
    let binary = postcard::to_stdvec(&changes).unwrap();
    assert_eq!(
        postcard::from_bytes::<TableChanges>(&binary).unwrap(),
        changes
    );
}

#[tokio::test]
async fn f6_refused_and_unanswered_puts_leave_every_epoch_once() {
    for seed in 0..4 {
        println!("seed={seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (store, mut tables) = faulty_tables().await;
        let mut pinned = TableVersion::default();
        for epoch in 1..=24 {
            store.then(unlucky(&mut random));
            let changes = staged(&tables, &[(JAN_5, &format!("c{epoch}"))], "1-1").await;
            store.then(unlucky(&mut random));
            pinned = tables.commit(TABLE, epoch, &changes).await.unwrap();
            assert_eq!(pinned, epoch, "seed={seed}: an epoch is one version");
            if epoch % 8 == 0 {
                // Another process, which finds the epoch.
                tables = Tables::new(Arc::new(store.clone()));
                assert_eq!(tables.reopen(&spec(), &pinned).await.unwrap(), pinned);
                assert_eq!(tables.commit(TABLE, epoch, &changes).await.unwrap(), pinned);
            }
        }
        let heir = Tables::new(Arc::new(store.clone()));
        let files = heir.pinned_files(TABLE, &pinned).await.unwrap();
        assert_eq!(files.len(), 24, "seed={seed}");
        heir.check_log(TABLE, &pinned).await.unwrap();
        heir.check_staged(TABLE, files.iter().map(|file| &file.path))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn f6_a_refusal_of_an_own_commit_is_found_out() {
    for fault in [Fault::ExistsAfterSuccess, Fault::ConditionAfterSuccess] {
        let (store, tables) = faulty_tables().await;
        let changes = staged(&tables, &[(JAN_5, "a")], "1").await;
        store.then([fault]);
        assert_eq!(
            tables.commit(TABLE, 1, &changes).await.unwrap(),
            1,
            "{fault:?}"
        );
        assert_eq!(store.faults_left(), 0, "the commit met the fault");
        assert_eq!(tables.newest_version(TABLE).await.unwrap(), 1);
        assert_eq!(row_count(&tables, 1).await, 1);
    }
}
