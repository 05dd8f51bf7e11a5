use arrow::array::AsArray;
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
