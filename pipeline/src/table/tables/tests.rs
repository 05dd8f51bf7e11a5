use arrow::datatypes::{Field, Schema};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::super::fixture::{JAN_5, rows, spec, tables};
use super::super::{TableChanges, Tables};
use super::*;
use crate::error::ErrorKind;

/// The Delta log entry of a version, one JSON action a line.
async fn log_entry(store: &Arc<dyn ObjectStore>, version: i64) -> Vec<serde_json::Value> {
    let path = Path::from(format!(
        "tables/test/everything/_delta_log/{version:020}.json"
    ));
    let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_table_that_an_epoch_names_is_not_made_anew() {
    let (_folder, store, tables) = tables();
    let lost = tables
        .reopen(&spec(), &TableVersion::numbered(0))
        .await
        .expect_err("missing");
    assert_eq!(lost.kind(), ErrorKind::Damaged);
    let listed = store.list(None).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(listed, []);

    let made = tables.ensure(&spec()).await.unwrap();
    let restarted = Tables::new(Arc::clone(&store));
    assert_eq!(restarted.reopen(&spec(), &made).await.unwrap(), made);
    let older = restarted
        .reopen(&spec(), &TableVersion::numbered(3))
        .await
        .expect_err("older");
    assert_eq!(older.kind(), ErrorKind::Damaged);
    assert!(older.to_string().contains("version=0"), "{older}");
}

#[tokio::test]
async fn a_table_is_made_once_with_its_comments() {
    let (_folder, store, tables) = tables();
    assert_eq!(tables.ensure(&spec()).await.unwrap(), 0);
    assert_eq!(tables.ensure(&spec()).await.unwrap(), 0);
    assert_eq!(
        Tables::new(Arc::clone(&store))
            .ensure(&spec())
            .await
            .unwrap(),
        0,
        "another process finds it"
    );

    let actions = log_entry(&store, 0).await;
    let metadata = actions
        .iter()
        .find_map(|action| action.get("metaData"))
        .unwrap();
    assert_eq!(metadata["name"], "test.everything");
    assert_eq!(metadata["description"], "everything a table can hold");
    assert_eq!(
        metadata["partitionColumns"],
        serde_json::json!(["window_date"])
    );
    let schema: serde_json::Value =
        serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
    let types: Vec<_> = schema["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["type"].clone())
        .collect();
    let plain = [
        "date",
        "string",
        "timestamp",
        "long",
        "integer",
        "decimal(38,6)",
        "double",
        "boolean",
        "binary",
    ];
    assert_eq!(types[..9], plain.map(serde_json::Value::from));
    assert_eq!(types[9]["type"], "array");
    assert_eq!(schema["fields"][1]["metadata"]["comment"], "retailer");
    assert_eq!(schema["fields"][1]["nullable"], false);
    let protocol = actions
        .iter()
        .find_map(|action| action.get("protocol"))
        .unwrap();
    assert_eq!(
        (&protocol["minReaderVersion"], &protocol["minWriterVersion"]),
        (&1.into(), &2.into()),
        "any reader reads it"
    );
}

#[tokio::test]
async fn another_type_or_a_lost_column_is_refused_by_name() {
    let (_folder, _store, tables) = tables();
    tables.ensure(&spec()).await.unwrap();
    let changed = |change: &dyn Fn(&mut Vec<Field>)| {
        let mut fields: Vec<_> = spec()
            .schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone())
            .collect();
        change(&mut fields);
        TableSpec {
            schema: Arc::new(Schema::new(fields)),
            ..spec()
        }
    };
    let other_type = changed(&|fields| fields[3] = Field::new("n", DataType::Utf8, true));
    let error = tables.ensure(&other_type).await.expect_err("other type");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(
        error
            .to_string()
            .contains("column=n: stored as long, written as string"),
        "{error}"
    );
    let lost = changed(&|fields| {
        fields.remove(4);
    });
    let error = tables
        .ensure(&lost)
        .await
        .expect_err("lost column")
        .to_string();
    assert!(error.contains("column=orders"), "{error}");
    let required = changed(&|fields| fields.push(Field::new("new", DataType::Int64, false)));
    let error = tables.ensure(&required).await.expect_err("required column");
    assert!(
        error.to_string().contains("column=new: stored as nothing"),
        "{error}"
    );
}

#[tokio::test]
async fn a_column_that_may_be_null_is_added() {
    let (_folder, _store, tables) = tables();
    tables.ensure(&spec()).await.unwrap();
    let before = tables
        .stage(&spec(), &[rows(&[(JAN_5, "a")])], "t1")
        .await
        .unwrap();
    tables
        .commit(
            "test.everything",
            1,
            &TableChanges {
                add: before,
                ..TableChanges::default()
            },
        )
        .await
        .unwrap();

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
    assert_eq!(tables.ensure(&wider).await.unwrap(), 2);

    let old_rows = rows(&[(JAN_5, "b")]);
    let later: arrow::array::ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![7]));
    let columns = old_rows.columns().iter().cloned().chain([later]).collect();
    let new_rows = arrow::array::RecordBatch::try_new(Arc::clone(&wider.schema), columns).unwrap();
    let after = tables.stage(&wider, &[new_rows], "t2").await.unwrap();
    let version = tables
        .commit(
            "test.everything",
            2,
            &TableChanges {
                add: after,
                ..TableChanges::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(version, 3);
    assert_eq!(
        tables.files_at("test.everything", 3).await.unwrap().len(),
        2
    );
}

#[tokio::test]
async fn names_and_partitions_are_checked() {
    let (_folder, _store, tables) = tables();
    for name in ["plain", "a.b.c", "../up.x", "a.", ".b", "a.b c"] {
        let error = tables.files_at(name, 0).await.expect_err(name).to_string();
        assert!(
            error.starts_with("table names are schema.name"),
            "{name}: {error}"
        );
    }
    for error in [
        tables.files_at("a.missing", 0).await.expect_err("missing"),
        tables
            .newest_version("a.missing")
            .await
            .expect_err("missing"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(
            error
                .to_string()
                .starts_with("table=a.missing is missing in the storage"),
            "{error}"
        );
    }
    let by_number = TableSpec {
        partition_by: Some("n".to_owned()),
        ..spec()
    };
    let error = tables.ensure(&by_number).await.expect_err("by number");
    assert!(
        error.to_string().contains("partitioned by column=n:"),
        "{error}"
    );
}
