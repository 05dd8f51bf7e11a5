//! Event files as people and programs leave them: growing, torn, misnamed, damaged (K1, K47).

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use tests::PATIENCE;
use tests::events::Events;
use tests::project::Project;

use crate::bad_input::{NOON_MS, order};

/// A folder in which only orders have files.
struct Folder {
    dir: TempDir,
}

impl Folder {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Events::empty(dir.path()).unwrap();
        Self { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(bytes.as_ref()).unwrap();
    }

    fn project(&self) -> Project {
        Project::on_files(&Events::in_folder(self.path()))
            .unwrap()
            .set("VITRINE__EPOCH__INTERVAL", "200ms")
            .set("VITRINE__EPOCH__SEAL_EVERY", "100ms")
    }
}

const ORDERS: &str = "orders.v1/0.ndjson";

/// An event without its line end.
fn event(number: i64) -> String {
    order(&format!("order-{number}"), NOON_MS + number).to_string()
}

fn events(numbers: std::ops::Range<i64>) -> String {
    numbers.map(|number| event(number) + "\n").collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn accepted(project: &Project) -> i64 {
    let query = "SELECT count(*) FROM events.orders";
    project.number(query).unwrap()
}

/// Waits until so many orders are published.
fn until(project: &Project, orders: i64) {
    project
        .until(&format!("{orders} orders are published"), |project| {
            Ok(project.number("SELECT count(*) FROM events.orders")? == orders)
        })
        .unwrap();
}

#[test]
fn k47_a_service_follows_a_file_and_reads_a_torn_line_once_it_has_its_end() {
    let folder = Folder::new();
    folder.append(ORDERS, events(0..3));
    let project = folder.project();
    let running = project.start(&["run"]).unwrap();
    until(&project, 3);
    let torn = event(3);
    let (begin, end) = torn.split_at(torn.len() / 2);
    folder.append(ORDERS, [events(4..6).as_str(), begin].concat());
    until(&project, 5);
    folder.append(ORDERS, [end, "\n", &events(6..7)].concat());
    until(&project, 7);
    // A whole value is read before its line end comes.
    folder.append(ORDERS, event(7));
    until(&project, 8);
    folder.append(ORDERS, ["  \n", &events(8..9)].concat());
    until(&project, 9);
    running.terminate(PATIENCE).unwrap();
    // A later run goes on where this one ended, and nothing was refused on the way.
    folder.append(ORDERS, events(9..10));
    project.run(&["run", "--drain"]).unwrap();
    assert_eq!(accepted(&project), 10);
    let refused = "SELECT count(*) FROM ops.dead_letters";
    assert_eq!(project.number(refused).unwrap(), 0);
    let offsets = r#"SELECT max("offset") FROM events.orders"#;
    assert_eq!(project.number(offsets).unwrap(), 9);
}

#[test]
fn k47_what_comes_behind_a_whole_value_ends_the_service_with_5() {
    let folder = Folder::new();
    folder.append(ORDERS, event(0));
    let project = folder.project();
    let running = project.start(&["run"]).unwrap();
    until(&project, 1);
    folder.append(ORDERS, events(1..2));
    let ended = running.wait(PATIENCE).unwrap();
    assert_eq!(ended.code(), Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains(ORDERS), "{}", ended.stderr);
}

#[test]
fn k47_until_caught_up_ends_although_a_file_grows_and_a_later_run_reads_the_rest() {
    let folder = Folder::new();
    folder.append(ORDERS, events(0..500));
    let project = folder.project();
    let mut running = project.start(&["run", "--until-caught-up"]).unwrap();
    let mut written = 500;
    while !running.has_ended().unwrap() {
        folder.append(ORDERS, events(written..written + 1));
        written += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
    let ended = running.wait(PATIENCE).unwrap();
    ended.success().unwrap();
    folder.append(ORDERS, events(written..written + 1));
    written += 1;
    let read = accepted(&project);
    assert!((500..written).contains(&read), "{read} of {written}");
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(accepted(&project), written);
}

#[test]
fn k47_a_torn_line_waits_until_the_storage_is_drained() {
    let folder = Folder::new();
    let begin = &event(2)[..100];
    folder.append(ORDERS, [events(0..2).as_str(), begin].concat());
    let project = folder.project();
    let read = "SELECT sum(read_n) FROM ops.conservation";
    for _ in 0..2 {
        let ended = project.run(&["run", "--until-caught-up"]).unwrap();
        assert!(
            ended.stderr.contains("waits for its end"),
            "it says nothing"
        );
        assert_eq!(project.number(read).unwrap(), 2);
    }
    for _ in 0..2 {
        project.run(&["run", "--drain"]).unwrap();
        assert_eq!(project.number(read).unwrap(), 3);
    }
    let row = r#"SELECT "offset" FROM ops.dead_letters WHERE reason = 'malformed_json'"#;
    assert_eq!(project.number(row).unwrap(), 2);
}

#[test]
fn what_is_not_read_is_named_and_a_folder_of_which_nothing_is_read_is_wrong_usage() {
    type Fill = fn(&Folder);
    let cases: [(Fill, &[&str]); 5] = [
        (|_| (), &["there are no event files"]),
        (
            |folder| folder.append("orders.v1/0.jsonl", events(0..1)),
            &["orders.v1/0.jsonl", "rename it to 0.ndjson"],
        ),
        (
            |folder| folder.append("orders.v1/0.NDJSON", events(0..1)),
            &["orders.v1/0.NDJSON", "rename it to 0.ndjson"],
        ),
        (
            |folder| folder.append("orders/0.ndjson", events(0..1)),
            &["did you mean orders.v1?", "[topics]"],
        ),
        (
            |folder| folder.append(ORDERS, ""),
            &["there are no events: all files are empty"],
        ),
    ];
    for (fill, said) in cases {
        let folder = Folder::new();
        fill(&folder);
        let ended = folder.project().finish(&["run", "--drain"]).unwrap();
        assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
        for said in said {
            assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
        }
    }
    // Beside what is read it is a warning.
    let folder = Folder::new();
    folder.append("orders.v1/2.ndjson", "");
    folder.append("visits.v1/0.ndjson", "null\n");
    folder.append("orders.v1/3.jsonl", events(0..1));
    folder.append("complaints/0.ndjson", "null\n");
    let project = folder
        .project()
        .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1.0");
    let ended = project.run(&["run", "--until-caught-up"]).unwrap();
    for said in [
        "orders.v1/3.jsonl",
        "did you mean complaints.v1?",
        "orders.v1/0.ndjson to orders.v1/1.ndjson",
        // and of what was read all was refused
        "refused=1 read=1 most_frequent=\"tombstone\"",
        "ops.dead_letters",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
}

#[test]
fn k47_names_and_kinds_of_files_that_cannot_be_read_are_refused() {
    type Fill = fn(&Folder);
    let cases: [(Fill, &str); 4] = [
        (
            |folder| folder.append("orders.v1/2147483647.ndjson", events(0..1)),
            "partition numbers go up to 4095",
        ),
        (
            |folder| {
                let pipe = folder.path().join("orders.v1/1.ndjson");
                let made = Command::new("mkfifo").arg(pipe).status();
                assert!(made.unwrap().success());
            },
            "it is a named pipe",
        ),
        (
            |folder| fs::create_dir(folder.path().join("orders.v1/1.ndjson")).unwrap(),
            "it is a folder",
        ),
        (
            |folder| folder.append("orders.v1/0.ndjson.gz", gzip(&events(0..1))),
            "keep one of them",
        ),
    ];
    for (fill, said) in cases {
        let folder = Folder::new();
        folder.append(ORDERS, events(0..1));
        fill(&folder);
        for command in [&["run", "--drain"][..], &["run", "--until-caught-up"]] {
            let project = folder.project();
            let running = project.start(command).unwrap();
            let ended = running.wait(PATIENCE).unwrap();
            assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
            assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
        }
    }
}

#[test]
fn compressed_files_are_read_whole_or_not_at_all() {
    let folder = Folder::new();
    let members = [gzip(&events(0..2)), gzip(&events(2..3)), vec![0; 1_024]];
    folder.append("orders.v1/0.ndjson.gz", members.concat());
    let project = folder.project();
    project.run(&["run", "--drain"]).unwrap();
    assert_eq!(accepted(&project), 3);

    let folder = Folder::new();
    let frames =
        [events(0..2), events(2..3)].map(|text| zstd::encode_all(text.as_bytes(), 1).unwrap());
    folder.append("orders.v1/0.ndjson.zst", frames.concat());
    let project = folder.project();
    project.run(&["run", "--drain"]).unwrap();
    assert_eq!(accepted(&project), 3);

    let text = events(0..1_000);
    for (ending, packed) in [
        ("gz", gzip(&text)),
        ("zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ] {
        let folder = Folder::new();
        let name = format!("orders.v1/0.ndjson.{ending}");
        folder.append(&name, &packed[..packed.len() - 5]);
        let ended = folder.project().finish(&["run", "--drain"]).unwrap();
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(&name), "{}", ended.stderr);
    }
}
