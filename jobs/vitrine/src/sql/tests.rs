#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use object_store::memory::InMemory;
use pipeline::error::{Error, ErrorKind};
use pipeline::query::catalog::{Snapshot, ViewDefinition};
use pipeline::query::output::Written;
use pipeline::query::{Engine, SpillFolder};
use schemas::time::TimestampMs;

use super::print::{epoch_of, nulled as nulled_in, print};
use super::*;
use crate::exit;

/// A session over two views, `metrics.demand_orders` and `facts.order_lines`.
pub(super) async fn session() -> Session {
    let view = |schema: &str, name: &str, sql: &str| ViewDefinition {
        schema: schema.to_owned(),
        name: name.to_owned(),
        sql: sql.to_owned(),
        ..ViewDefinition::default()
    };
    let snapshot = Snapshot {
        epoch: 7,
        committed_at: TimestampMs::from_ms(1_767_542_400_000),
        zone: chrono_tz::Asia::Shanghai,
        tables: Vec::new(),
        finality: Vec::new(),
        reference: Vec::new(),
        views: vec![
            view(
                "metrics",
                "demand_orders",
                "SELECT 'S1' AS sku_id, 5 AS requested_qty",
            ),
            view(
                "facts",
                "order_lines",
                "SELECT 'S1' AS sku_id, 250 AS price_fen",
            ),
        ],
    };
    let engine = Engine::new(Arc::new(InMemory::new()), 64 << 20, &SpillFolder::none()).unwrap();
    Session::open(&snapshot, &engine).await.unwrap()
}

#[tokio::test]
async fn only_a_query_that_has_to_change_ends_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    let session = session().await;
    for (query, code) in [
        ("SELECT * FROM t", 2),
        (" ; ", 2),
        ("SELECT 1 / 0", 2),
        ("SELECT 1 / (value - 3) FROM generate_series(1, 5)", 2),
        ("SELECT CAST('x' AS INT)", 2),
        ("SELECT CAST(sku_id AS INT) FROM demand_orders", 2),
        (
            "SELECT array_agg(value) FROM generate_series(1, 20000000)",
            1,
        ),
    ] {
        let printed = print(&session, query, Format::Csv, Some(&file)).await;
        let error = printed.unwrap_err();
        assert_eq!(exit::code(&error), code, "{query}: {error:#}");
    }
}

#[tokio::test]
async fn a_file_appears_when_it_is_complete_and_not_after_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demand.csv");
    let session = session().await;
    let failing = "SELECT 1 / (value - 3) FROM generate_series(1, 5)";
    assert!(
        print(&session, failing, Format::Csv, Some(&file))
            .await
            .is_err()
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    print(
        &session,
        "SELECT * FROM demand_orders",
        Format::Csv,
        Some(&file),
    )
    .await
    .unwrap();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "sku_id,requested_qty\nS1,5\n"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(epoch_of(&session), "epoch=7 of 2026-01-04T16:00:00Z");
}

#[tokio::test]
async fn a_link_or_pipe_at_the_place_of_a_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let [target, link, pipe] = ["rows.csv", "link.csv", "pipe.csv"].map(|n| folder.path().join(n));
    let session = session().await;
    let export = async |file: &Path| {
        let query = "SELECT * FROM demand_orders";
        print(&session, query, Format::Csv, Some(file)).await
    };
    let rows = "sku_id,requested_qty\nS1,5\n";

    fs::write(&target, "old").unwrap();
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&target, private.clone()).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    export(&link).await.unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), rows);
    let mode = fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, private.mode() & 0o777);

    let dangling = folder.path().join("dangling.csv");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    export(&dangling).await.unwrap();
    assert!(dangling.is_symlink());
    let made = fs::read_to_string(folder.path().join("nowhere"));
    assert_eq!(made.unwrap(), rows);
    let [lost, round] = ["lost.csv", "round.csv"].map(|n| folder.path().join(n));
    std::os::unix::fs::symlink("no/such/folder", &lost).unwrap();
    let error = format!("{:#}", export(&lost).await.unwrap_err());
    assert!(error.contains("no/such/folder"), "{error}");
    std::os::unix::fs::symlink(&round, &round).unwrap();
    let error = format!("{:#}", export(&round).await.unwrap_err());
    assert!(error.contains("round.csv cannot be created"), "{error}");
    assert!(lost.is_symlink() && round.is_symlink());

    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let reading = pipe.clone();
    let reader = std::thread::spawn(move || fs::read_to_string(reading).unwrap());
    export(&pipe).await.unwrap();
    assert_eq!(reader.join().unwrap(), rows);
    assert!(!fs::metadata(&pipe).unwrap().is_file());

    export(folder.path()).await.unwrap_err();
    assert!(folder.path().is_dir());
}

#[test]
fn a_hyphen_is_standard_output() {
    let sql = |output: &str| {
        let arguments = ["sql", "SELECT 1", "--output", output];
        Command::try_parse_from(arguments).unwrap().sql
    };
    assert_eq!(sql("-").file(), None);
    assert_eq!(sql("-").format().unwrap(), Format::Table);
    assert_eq!(sql("./-").file(), Some(Path::new("./-")));
}

#[derive(Debug, clap::Parser)]
struct Command {
    #[command(flatten)]
    sql: SqlArgs,
}

fn format(arguments: &[&str]) -> Format {
    Command::try_parse_from(["sql"].iter().chain(arguments))
        .unwrap()
        .sql
        .format()
        .unwrap()
}

#[test]
fn the_format_is_the_argument_or_follows_the_file() {
    assert_eq!(format(&["SELECT 1"]), Format::Table);
    assert_eq!(format(&["SELECT 1", "--format", "ndjson"]), Format::NdJson);
    assert_eq!(
        format(&["SELECT 1", "--output", "a.parquet"]),
        Format::Parquet
    );
    assert_eq!(
        format(&["SELECT 1", "--output", "a.parquet", "--format", "csv"]),
        Format::Csv
    );
    for (file, expected) in [
        ("notes.txt", Format::Table),
        ("notes", Format::Table),
        (".csv", Format::Table),
        ("x.PARQUET", Format::Parquet),
        ("x.tar.NdJson", Format::NdJson),
    ] {
        assert_eq!(format(&["SELECT 1", "--output", file]), expected, "{file}");
    }
    assert_eq!(
        format(&["SELECT 1", "--output", "x.unknown", "--format", "csv"]),
        Format::Csv
    );
}

#[test]
fn an_unknown_ending_without_a_format_is_wrong_usage() {
    for file in ["x.unknown", "x.parquet2", "csv.gz", "x."] {
        let arguments = ["sql", "SELECT 1", "--output", file];
        let sql = Command::try_parse_from(arguments).unwrap().sql;
        let error = anyhow::Error::from(sql.format().expect_err(file));
        assert_eq!(exit::code(&error), 2, "{file}");
        let text = error.to_string();
        assert!(
            text.contains(".parquet") && text.contains("--format"),
            "{text}"
        );
    }
}

#[test]
fn a_script_that_is_no_utf_8_is_wrong_usage() {
    for (script, line, byte) in [
        (&b"SELECT 1;\nSELECT 'caf\xe9';"[..], 2, "0xe9"),
        (b"\xff\xfeS\0E\0", 1, "0xff"),
    ] {
        let error = anyhow::Error::from(text_of(script.to_vec()).unwrap_err());
        assert_eq!(exit::code(&error), 2);
        let text = error.to_string();
        assert!(text.contains(&format!("line={line} byte={byte}")), "{text}");
    }
    assert_eq!(text_of("SELECT '需求'".into()).unwrap(), "SELECT '需求'");
}

#[test]
fn values_that_json_cannot_show_are_spoken_of() {
    let written = |nulled| nulled_in(Written { rows: 3, nulled });
    assert_eq!(written(0), None);
    assert!(written(1).unwrap().starts_with("1 value is NaN"));
    assert!(written(3).unwrap().starts_with("3 values are NaN"));
}

#[test]
fn binary_rows_on_a_terminal_are_wrong_usage() {
    for format in Format::ALL {
        let refused = refuse_binary(format).err().map(anyhow::Error::from);
        let expected = format.is_binary().then_some(2);
        assert_eq!(refused.as_ref().map(exit::code), expected, "{format}");
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let error = Command::try_parse_from(["sql", "SELECT 1", "--format", "xml"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("ndjson"), "{error}");
    assert!(
        Command::try_parse_from(["sql", "--output", "a.csv"]).is_err(),
        "--output without a query"
    );
}

#[test]
fn a_broken_pipe_is_ignored_and_other_errors_are_not() {
    let error = |kind: io::ErrorKind| {
        let error = Error::new(ErrorKind::Unavailable, "cannot write the rows");
        error.caused_by(io::Error::from(kind)).into()
    };
    assert!(ignore_broken_pipe(error(io::ErrorKind::BrokenPipe)).is_ok());
    assert!(ignore_broken_pipe(error(io::ErrorKind::StorageFull)).is_err());
}
