//! `vitrine sql`, `status` and the others as people use them at a terminal and in scripts: odd files, odd names, closed pipes.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tests::by_hand::line;
use tests::events::Events;
use tests::project::Project;
use tests::vitrine::binary;

use crate::bad_input::{NOON_MS, order};
use crate::refusals::refused;

/// A storage with one order, whose SKU would steer a terminal if it were shown as it is.
fn published(folder: &Path) -> Project {
    let events = Events::empty(folder.join("events")).unwrap();
    let mut first = order("O1", NOON_MS);
    first["lines"][0]["sku_id"] = "S\u{202e}1".into();
    events.write("orders.v1", 0, &[line(&first)]).unwrap();
    let project = Project::on_files(&events).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    project
}

fn vitrine(project: &Project, args: &[&str]) -> Command {
    let mut command = Command::new(binary().unwrap());
    command.arg("--config").arg(project.config()).args(args);
    command
}

/// Runs `vitrine sql` over a script on standard input, which it reads to its end before it begins.
pub(crate) fn script(project: &Project, format: &str, text: impl AsRef<[u8]>) -> Output {
    let mut command = vitrine(project, &["sql", "--format", format]);
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = piped.spawn().unwrap();
    running
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_ref())
        .unwrap();
    running.wait_with_output().unwrap()
}

#[test]
fn statements_are_read_as_editors_and_people_write_them() {
    let folder = tempfile::tempdir().unwrap();
    let project = published(folder.path());
    let rows = |text: &str| {
        let output = script(&project, "csv", text);
        assert!(
            output.status.success(),
            "{text}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(rows("\u{feff}SELECT 1 AS a;\n"), "a\n1\n");
    assert_eq!(rows("SELECT $$a;b$$ AS a;"), "a\na;b\n");
    assert_eq!(rows("SELECT E'a\\';b' AS a;"), "a\na';b\n");
    assert_eq!(rows("SELECT 1 AS `a;b`;"), "a;b\n1\n");
    assert_eq!(
        rows("-- report\rSELECT 1 AS a -- one\r, 2 AS b;\r"),
        "a,b\n1,2\n"
    );
    let commented = project
        .run(&["sql", "-- what there is\nSELECT 1 AS a"])
        .unwrap();
    assert!(commented.stdout.contains("| 1 |"), "{}", commented.stdout);
    let marked = project.run(&["sql", "\u{feff}SELECT 2 AS a"]).unwrap();
    assert!(marked.stdout.contains("| 2 |"), "{}", marked.stdout);
}

#[test]
fn a_script_that_cannot_be_read_to_its_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let project = published(folder.path());
    for (text, rows, says) in [
        (
            &b"SELECT 1 AS a; /* note: SELECT 2;\nSELECT 3 AS c;"[..],
            "a\n1\n",
            "comment",
        ),
        (b"/* SELECT 1", "", "comment"),
        (b"SELECT 'open;\nSELECT 2;", "", "Unterminated"),
        (b"SELECT $$open;\nSELECT 2;", "", "cannot read the query"),
        (b"SELECT `open;\nSELECT 2;", "", "cannot read the query"),
        (b"SELECT 1;\nSELECT 'caf\xe9';", "", "line=2 byte=0xe9"),
        (b"\xff\xfeS\0E\0", "", "line=1 byte=0xff"),
    ] {
        let output = script(&project, "csv", text);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), rows, "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    }
}

#[test]
fn columns_of_one_name_are_told_apart_and_types_that_parquet_lacks_are_refused_before_a_byte() {
    let folder = tempfile::tempdir().unwrap();
    let project = published(folder.path());
    let query = "SELECT 1 AS a, 2 AS \"a_2\", a.sku_id, b.sku_id, c.sku_id \
                 FROM metrics.demand_orders a JOIN metrics.demand_orders b ON a.sku_id = b.sku_id \
                 JOIN metrics.demand_orders c ON a.sku_id = c.sku_id LIMIT 1";
    let row = project.query(query).unwrap().remove(0);
    let names: Vec<_> = row
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = ["a", "a_2", "sku_id", "sku_id_2", "sku_id_3"];
    assert!(
        expected.iter().all(|name| names.contains(name)) && names.len() == 5,
        "{names:?}"
    );
    let file = project.beside("rows.parquet");
    let output = file.to_str().unwrap();
    project.run(&["sql", "--output", output, query]).unwrap();
    let file = File::open(file).unwrap();
    let rows = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let fields = rows.schema().fields().iter();
    let names: Vec<String> = fields.map(|field| field.name().clone()).collect();
    assert_eq!(names, expected);
    let rows: Vec<_> = rows.build().unwrap().map(Result::unwrap).collect();
    let [row] = &rows[..] else {
        panic!("{rows:?}");
    };
    let cell = |column: usize| array_value_to_string(row.column(column), 0).unwrap();
    assert_eq!([cell(0), cell(1)], ["1", "2"]);

    let interval = "SELECT interval '1 month' AS i";
    let refused = project
        .finish(&["sql", "--format", "parquet", interval])
        .unwrap();
    assert_eq!(
        (refused.code(), refused.stdout.as_str()),
        (Some(2), ""),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("column=i"), "{}", refused.stderr);
}

#[test]
fn what_would_steer_a_terminal_is_shown_as_an_escape_in_every_text() {
    let folder = tempfile::tempdir().unwrap();
    let project = published(folder.path());
    let table = project
        .run(&["sql", "SELECT DISTINCT sku_id FROM metrics.demand_orders"])
        .unwrap();
    assert!(table.stdout.contains("S\\u{202e}1"), "{}", table.stdout);
    let quoted = "SELECT 'x\u{1b}[2J' AS \"na\u{202e}me\"";
    let table = project.run(&["sql", quoted]).unwrap();
    assert!(table.stdout.contains("x\\u{1b}[2J") && table.stdout.contains("na\\u{202e}me"));
    let wrong = project
        .finish(&["sql", "SELECT \"no\u{202e}where\""])
        .unwrap();
    for text in [&table.stdout, &table.stderr, &wrong.stderr] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
    // Data stay what they are where programs read them.
    let cell = project
        .value("SELECT DISTINCT sku_id FROM metrics.demand_orders")
        .unwrap();
    assert_eq!(cell, Value::from("S\u{202e}1"));
}

#[test]
fn deep_queries_are_answered_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let project = published(folder.path());
    let many = |part: &str, glue: &str, times: usize| vec![part; times].join(glue);
    let nested = |open: &str, inside: &str, close: &str, times: usize| {
        let (open, close) = (open.repeat(times), close.repeat(times));
        format!("SELECT {open}{inside}{close} AS n")
    };
    for (query, answer) in [
        (
            format!(
                "SELECT count(*) AS n FROM metrics.demand_orders WHERE {}",
                many("orders = 1", " OR ", 2_000)
            ),
            true,
        ),
        (format!("SELECT {} AS n", many("1", " + ", 100)), true),
        (format!("SELECT {} AS n", many("1", " + ", 2_000)), false),
        (
            format!("SELECT {}1{} AS n", "(".repeat(2_000), ")".repeat(2_000)),
            false,
        ),
        (format!("SELECT {}1 AS n", "- ".repeat(2_000)), false),
        (nested("CAST(", "1", " AS INT)", 12), true),
        (nested("CAST(", "1", " AS INT)", 50), false),
        (nested("TRY_CAST(", "1", " AS INT)", 2_000), false),
        (nested("(SELECT ", "1", ")", 12), true),
        (nested("(SELECT ", "1", ")", 20), false),
        (nested("EXISTS (SELECT ", "1", ")", 20), false),
        (nested("NOT (", "true", ")", 24), false),
        (nested("NOT ", "true", "", 48), false),
        (nested("CASE WHEN 1=1 THEN ", "1", " END", 1_000), false),
        (many("SELECT 1 AS n", " UNION ALL ", 100), true),
        (many("SELECT 1 AS n", " UNION ALL ", 2_000), false),
        (format!("SELECT {}", many("true", " AND ", 2_000)), false),
        (format!("SELECT {}", many("1", ",", 30_000)), false),
        (
            format!("SELECT CAST(NULL AS INT{})", "[]".repeat(30_000)),
            false,
        ),
    ] {
        let ended = project
            .finish(&["sql", "--format", "ndjson", &query])
            .unwrap();
        let is_refused = ended.code() == Some(2) && ended.stderr.contains("too deeply nested");
        assert!(
            ended.code() == Some(0) || !answer && is_refused,
            "{:?} {}",
            ended.code(),
            ended.stderr
        );
    }
}

#[test]
fn a_storage_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::in_folder(folder.path().join("events"));
    let nowhere = folder.path().join("nowhere");
    let project = Project::on_files(&events).unwrap().set(
        "VITRINE__STORAGE__URL",
        format!("file://{}", nowhere.display()),
    );
    for args in [&["sql", "SELECT 1"][..], &["status"], &["audit"]] {
        let line = refused(&project, args, 1);
        assert!(line.contains("there is no storage at"), "{line}");
        assert!(!nowhere.exists(), "{args:?}");
    }
    project.finish(&["check"]).unwrap();
    assert!(!nowhere.exists(), "check");

    // A folder that is no storage is left as it is.
    std::fs::create_dir(&nowhere).unwrap();
    for args in [&["sql", "SELECT 1"][..], &["status"], &["audit"]] {
        let line = refused(&project, args, 1);
        assert!(line.contains("there is no storage at"), "{line}");
        let made = std::fs::read_dir(&nowhere).unwrap().count();
        assert_eq!(made, 0, "{args:?}");
    }
}

#[test]
fn a_closed_or_full_stdout_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let project = published(folder.path());
    let out = folder.path().join("simulated");
    let out = out.to_str().unwrap();
    let commands: [&[&str]; 6] = [
        &["run", "--drain"],
        &["simulate", "--days", "1", "--customers", "5", "--out", out],
        &["sql", "SELECT * FROM metrics.demand_orders"],
        &["status"],
        &["audit"],
        &["check"],
    ];
    for args in commands {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut closed = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let pipe = closed.stdin.take().unwrap();
        closed.wait().unwrap();
        for (name, stdout) in [("full", Stdio::from(full)), ("closed", Stdio::from(pipe))] {
            let output = vitrine(&project, args)
                .stdout(stdout)
                .stderr(Stdio::piped())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            let code = output.status.code();
            assert!(
                matches!(code, Some(0 | 1)),
                "{args:?} {name}: {code:?} {said}"
            );
            assert!(!said.contains("panicked"), "{args:?} {name}: {said}");
            assert!(
                code == Some(0) || said.contains("vitrine: "),
                "{args:?} {name}: {said}"
            );
        }
        // Nobody reads the messages either.
        let silent = File::options().write(true).open("/dev/full").unwrap();
        let output = vitrine(&project, args)
            .stdout(Stdio::null())
            .stderr(silent)
            .status()
            .unwrap();
        assert_eq!(output.code(), Some(0), "{args:?}");
    }
}
