use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, Int64Type};
use object_store::ObjectStoreExt;

use object_store::path::Path;

use super::super::fixture::{JAN_5, rows, spec, tables};
use super::*;

#[tokio::test]
async fn rows_are_split_by_partition_and_sorted_inside() {
    let (_folder, store, tables) = tables();
    let one = rows(&[(JAN_5 + 1, "m"), (JAN_5, "z"), (JAN_5, "b")]);
    let two = rows(&[(JAN_5, "a")]);
    let staged = tables
        .stage(&spec(), &[one, two], "claim7-epoch3")
        .await
        .unwrap();
    let summary: Vec<_> = staged
        .iter()
        .map(|file| (file.partition.clone().unwrap().1.unwrap(), file.rows))
        .collect();
    assert_eq!(
        summary,
        [("2026-01-05".to_owned(), 3), ("2026-01-06".to_owned(), 1)]
    );
    assert!(
        staged[0]
            .path
            .starts_with("window_date=2026-01-05/part-claim7-epoch3-00000-"),
        "{}",
        staged[0].path
    );

    let path = Path::from(format!("tables/test/everything/{}", staged[0].path));
    let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.len() as u64, staged[0].size);
    let mut reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes)
        .unwrap()
        .build()
        .unwrap();
    let read = reader.next().unwrap().unwrap();
    assert!(reader.next().is_none());
    assert!(
        read.column_by_name("window_date").is_none(),
        "the log holds it"
    );
    let customers: Vec<_> = read["customer_id"]
        .as_string::<i32>()
        .iter()
        .map(Option::unwrap)
        .collect();
    assert_eq!(customers, ["a", "b", "z"]);
    let numbers: Vec<_> = read["n"].as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(numbers, [0, 2, 1], "whole rows move");
}

#[tokio::test]
async fn no_rows_no_files() {
    let (_folder, _store, tables) = tables();
    assert!(tables.stage(&spec(), &[], "t").await.unwrap().is_empty());
    assert!(
        tables
            .stage(&spec(), &[rows(&[])], "t")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn rows_of_another_shape_are_refused_by_column() {
    let (_folder, _store, tables) = tables();
    let whole = rows(&[(JAN_5, "a")]);
    let fewer = whole.project(&[0, 1, 2]).unwrap();
    let error = tables
        .stage(&spec(), &[whole.clone(), fewer], "t")
        .await
        .expect_err("fewer")
        .to_string();
    assert!(error.contains("\"n\""), "{error}");
    let swapped = whole.project(&[1, 0, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
    let error = tables
        .stage(&spec(), &[swapped], "t")
        .await
        .expect_err("swapped")
        .to_string();
    assert!(error.contains("other columns than the table"), "{error}");
    let narrow = TableSpec {
        schema: whole.project(&[0, 1, 2]).unwrap().schema(),
        ..spec()
    };
    let error = tables
        .stage(&narrow, &[whole], "t")
        .await
        .expect_err("surplus")
        .to_string();
    assert!(error.contains("surplus"), "{error}");
}

#[test]
fn a_null_partition_is_a_partition_of_its_own() {
    let whole = rows(&[(JAN_5, "a"), (JAN_5, "b")]);
    let mut columns = whole.columns().to_vec();
    columns[0] = Arc::new(arrow::array::PrimitiveArray::<Date32Type>::from(vec![
        None,
        Some(JAN_5),
    ]));
    let batch = RecordBatch::try_new(whole.schema(), columns).unwrap();
    let encoded = encode(&spec(), &[batch], "t").unwrap();
    let values: Vec<_> = encoded
        .iter()
        .map(|encoded| encoded.file.partition.clone().unwrap().1)
        .collect();
    assert_eq!(values, [None, Some("2026-01-05".to_owned())]);
    assert!(
        encoded[0]
            .file
            .path
            .starts_with("window_date=__HIVE_DEFAULT_PARTITION__/")
    );
}

#[test]
fn a_folder_never_leaves_the_table() {
    let folder = |value: &str| partition_folder(&("p".to_owned(), Some(value.to_owned())));
    assert_eq!(folder("D1"), "p=D1/");
    assert_eq!(folder("../../etc 100%"), "p=.._.._etc_100_/");
}
