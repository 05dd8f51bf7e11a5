use std::collections::BTreeSet;

use arrow::array::{AsArray, BinaryArray, Int64Array};
use arrow::datatypes::{Field, Schema};
use object_store::memory::InMemory;
use object_store::path::Path;

use super::super::TableChanges;
use super::super::fixture::{JAN_5, rows, spec, tables};
use super::*;

fn file(day: &str, index: usize, size: u64) -> DataFile {
    let path = format!("{day}/{index:03}");
    DataFile {
        location: Path::from(path.as_str()),
        path,
        size,
        rows: 1,
        partition_values: BTreeMap::from([("window_date".to_owned(), Some(day.to_owned()))]),
        stats: None,
    }
}

fn sizes(groups: &[Vec<&DataFile>]) -> Vec<(String, usize)> {
    groups
        .iter()
        .map(|group| (group[0].path[..2].to_owned(), group.len()))
        .collect()
}

#[test]
fn partitions_with_too_many_small_files_are_merged_the_fullest_first() {
    let many = |day: &'static str, count: usize, size: u64| {
        (0..count).map(move |index| file(day, index, size))
    };
    let files: Vec<_> = many("d1", ENOUGH, 1_000)
        .chain(many("d2", ENOUGH + 1, 1_000))
        .chain(many("d3", 40, 1_000))
        .collect();
    assert_eq!(
        sizes(&merge_groups(&files)),
        [("d3".to_owned(), 40), ("d2".to_owned(), 17)]
    );
    let large: Vec<_> = many("d1", 100, SMALL).collect();
    assert!(
        merge_groups(&large).is_empty(),
        "large files stay as they are"
    );
    let heavy: Vec<_> = many("d1", 100, SMALL - 1).collect();
    assert_eq!(
        sizes(&merge_groups(&heavy)),
        [("d1".to_owned(), 4)],
        "a merge fits into memory"
    );
    let backlog: Vec<_> = ["d1", "d2", "d3", "d4", "d5", "d6"]
        .into_iter()
        .flat_map(|day| many(day, 20, 9))
        .collect();
    assert_eq!(merge_groups(&backlog).len(), MERGES_AT_ONCE);
}

#[test]
fn a_large_file_is_not_written_again_for_a_few_small_ones() {
    let mut files: Vec<_> = (0..ENOUGH).map(|index| file("d1", index, 1_000)).collect();
    files.push(file("d1", ENOUGH, 16_001));
    assert_eq!(sizes(&merge_groups(&files)), [("d1".to_owned(), ENOUGH)]);
    files[ENOUGH].size = 16_000;
    assert_eq!(
        sizes(&merge_groups(&files)),
        [("d1".to_owned(), ENOUGH + 1)]
    );
}

/// Commits to a table, each of which brings a row to every partition, merged every 8 commits as the publisher does it.
#[derive(Clone, Copy, Debug)]
struct Growth {
    commits: usize,
    partitions: usize,
    /// Bytes that a file has whatever its rows, and bytes of a row.
    empty: u64,
    row: u64,
}

/// Files in the fullest partition at any time, and how often merges wrote each byte of a row.
fn grown(growth: Growth) -> (usize, f64) {
    let file_of = |day: &str, index: usize, rows: u64| DataFile {
        rows,
        ..file(day, index, growth.empty + rows * growth.row)
    };
    let mut files: Vec<DataFile> = Vec::new();
    let (mut fullest, mut merged_rows) = (0, 0);
    for commit in 1..=growth.commits {
        files.extend((0..growth.partitions).map(|day| file_of(&format!("d{day}"), commit, 1)));
        if commit % 8 == 0 {
            let groups = merge_groups(&files);
            let merged: Vec<_> = groups
                .iter()
                .map(|group| {
                    let day = group[0].partition_values["window_date"].as_deref().unwrap();
                    let rows = group.iter().map(|file| file.rows).sum();
                    file_of(day, growth.commits + commit, rows)
                })
                .collect();
            let gone: BTreeSet<_> = groups
                .iter()
                .flatten()
                .map(|file| file.path.clone())
                .collect();
            files.retain(|file| !gone.contains(&file.path));
            merged_rows += merged.iter().map(|file| file.rows).sum::<u64>();
            files.extend(merged);
        }
        fullest = fullest_partition(files.iter().filter(|file| file.size < SMALL)).max(fullest);
    }
    let rows = growth.commits * growth.partitions;
    (fullest, merged_rows as f64 / rows as f64)
}

fn fullest_partition<'f>(files: impl IntoIterator<Item = &'f DataFile>) -> usize {
    let mut counts = BTreeMap::new();
    for file in files {
        *counts.entry(&file.partition_values).or_default() += 1;
    }
    counts.into_values().max().unwrap_or(0)
}

#[test]
fn small_files_stay_few_whatever_the_number_of_partitions_and_are_seldom_written_again() {
    for (commits, partitions, empty, row) in [
        (500, 1, 4_000, 50),
        (500, 1, 0, 1_000_000),
        (500, 3, 4_000, 50),
        (500, 30, 4_000, 50),
        (500, 90, 0, 4_000),
        (10_000, 1, 0, 4_000),
        (10_000, 1, 4_000, 50),
    ] {
        let growth = Growth {
            commits,
            partitions,
            empty,
            row,
        };
        let (fullest, written) = grown(growth);
        assert!(fullest <= 40, "{growth:?}: {fullest} files");
        // Where an empty file is most of a file, all are alike and merged whole; that is little to write.
        assert!(
            written <= 9.0 || empty > 0,
            "{growth:?}: each row was written {written:.1} times"
        );
    }
}

/// A row an epoch, merged every 8 epochs: files in the fullest partition at any time that is looked at, and rows.
async fn row_an_epoch(spec: &TableSpec, date_of: impl Fn(i32) -> i32) -> (usize, u64) {
    let tables = Tables::new(Arc::new(InMemory::new()));
    let table = spec.full_name();
    let mut version = tables.ensure(spec).await.unwrap();
    let (mut fullest, mut count) = (0, 0);
    for epoch in 1..=EPOCHS {
        let row = rows(&[(date_of(epoch), &format!("c{epoch:03}"))]);
        let mut changes = TableChanges {
            add: tables.stage(spec, &[row], "t").await.unwrap(),
            ..TableChanges::default()
        };
        if epoch % 8 == 0 {
            changes.compactions = tables.compact(spec, version.version, "t").await.unwrap();
        }
        version = tables.commit(&table, epoch.into(), &changes).await.unwrap();
        if epoch % 20 == 0 {
            let files = tables.files_at(&table, version.version).await.unwrap();
            fullest = fullest_partition(files.iter()).max(fullest);
            count = files.iter().map(|file| file.rows).sum();
        }
    }
    (fullest, count)
}

/// Each takes 20 ms; longer runs are simulated above.
const EPOCHS: i32 = 160;

#[tokio::test]
async fn a_table_that_gets_a_row_an_epoch_stays_few_files() {
    let whole = TableSpec {
        partition_by: None,
        ..spec()
    };
    let (fullest, count) = row_an_epoch(&whole, |_| JAN_5).await;
    assert_eq!(count, 160);
    assert!(fullest <= 40, "{fullest} files");
}

#[tokio::test]
async fn a_partitioned_table_that_gets_a_row_an_epoch_stays_few_files() {
    let (fullest, count) = row_an_epoch(&spec(), |epoch| JAN_5 + epoch % 3).await;
    assert_eq!(count, 160);
    assert!(fullest <= 40, "{fullest} files");
}

#[tokio::test]
async fn merging_keeps_every_row_and_every_column() {
    let (_folder, store, tables) = tables();
    tables.ensure(&spec()).await.unwrap();
    let customers: Vec<_> = (0..20)
        .map(|index| format!("c{:02}", (index * 7) % 20))
        .collect();
    for (epoch, customer) in customers.iter().enumerate() {
        let add = tables
            .stage(&spec(), &[rows(&[(JAN_5, customer)])], "t")
            .await
            .unwrap();
        tables
            .commit(
                "test.everything",
                epoch as i64 + 1,
                &TableChanges {
                    add,
                    ..TableChanges::default()
                },
            )
            .await
            .unwrap();
    }
    let compactions = tables.compact(&spec(), 20, "t").await.unwrap();
    assert_eq!(
        (
            compactions.len(),
            compactions[0].remove.len(),
            compactions[0].add.rows
        ),
        (1, 20, 20)
    );
    let changes = TableChanges {
        compactions,
        ..TableChanges::default()
    };
    assert_eq!(
        tables
            .commit("test.everything", 21, &changes)
            .await
            .unwrap(),
        21
    );
    assert_eq!(
        tables.files_at("test.everything", 20).await.unwrap().len(),
        20,
        "queries that pinned it go on"
    );
    assert!(tables.compact(&spec(), 21, "t").await.unwrap().is_empty());

    let files = tables.files_at("test.everything", 21).await.unwrap();
    assert_eq!(files.len(), 1);
    let bytes = store
        .get(&files[0].location)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let read = read_rows(&spec(), bytes, &files[0].partition_values).unwrap();
    let read = arrow::compute::concat_batches(&spec().schema, &read).unwrap();
    let mut sorted = customers;
    sorted.sort();
    assert_eq!(
        read["customer_id"]
            .as_string::<i32>()
            .iter()
            .map(|c| c.unwrap().to_owned())
            .collect::<Vec<_>>(),
        sorted
    );
    let one = rows(&[(JAN_5, &sorted[4])]);
    assert_eq!(
        read.slice(4, 1),
        one,
        "all types survive, the partition column is back"
    );
}

/// Raw bytes that pack well: their files look small, and are not.
#[tokio::test]
async fn f27_a_merge_is_bounded_by_what_its_files_unpack_to() {
    let schema = Schema::new(vec![
        Field::new("number", DataType::Int64, false),
        Field::new("value", DataType::Binary, true),
    ]);
    let spec = TableSpec {
        schema: Arc::new(schema),
        partition_by: None,
        sort_by: vec!["number".to_owned()],
        ..spec()
    };
    let tables = Tables::new(Arc::new(InMemory::new()));
    let mut version = tables.ensure(&spec).await.unwrap();
    let table = spec.full_name();
    // Twenty files of 3 MiB each: the same value again and again is one in the dictionary.
    for epoch in 0..20 {
        let numbers = Int64Array::from_iter_values((0..4).map(|row| epoch * 4 + row));
        let value = vec![b'y'; 768 << 10];
        let values = BinaryArray::from_iter_values(std::iter::repeat_n(&value, 4));
        let columns: Vec<ArrayRef> = vec![Arc::new(numbers), Arc::new(values)];
        let batch = RecordBatch::try_new(Arc::clone(&spec.schema), columns).unwrap();
        let add = tables.stage(&spec, &[batch], "1-1").await.unwrap();
        assert!(add[0].size < 100_000, "{}", add[0].size);
        let changes = TableChanges {
            add,
            compactions: Vec::new(),
        };
        version = tables.commit(&table, epoch, &changes).await.unwrap();
    }
    let merges = tables.compact(&spec, version.version, "1-9").await.unwrap();
    let [merge] = &merges[..] else {
        panic!("not one merge");
    };
    // Five times 3 MiB and their numbers fit into 16 MiB, six do not.
    assert_eq!((merge.remove.len(), merge.add.rows), (5, 20));
}
