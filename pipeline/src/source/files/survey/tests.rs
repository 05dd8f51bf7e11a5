use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;

const TOPICS: [&str; 4] = ["orders.v1", "visits.v1", "complaints.v1", "prices.v1"];

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn files_are_counted_and_empty_ones_hold_nothing() {
    let dir = TempDir::new().unwrap();
    assert_eq!(
        survey(dir.path(), &TOPICS).unwrap(),
        FolderSurvey::default()
    );
    write(dir.path(), "orders.v1/0.ndjson", "");
    write(dir.path(), "visits.v1/2.ndjson", "");
    // none of these is an event file
    write(dir.path(), "orders.v1/0.jsonl", "{}\n");
    write(dir.path(), "orders/0.ndjson", "{}\n");
    let found = survey(dir.path(), &TOPICS).unwrap();
    assert_eq!((found.files, found.has_content), (2, false));
    write(dir.path(), "visits.v1/2.ndjson", "\n");
    assert!(survey(dir.path(), &TOPICS).unwrap().has_content);
}

#[test]
fn k01_partitions_are_the_highest_file_number_and_one_over_the_topics_asked_for() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "orders.v1/0.ndjson", "");
    write(dir.path(), "visits.v1/6.ndjson.gz", "");
    write(dir.path(), "prices.v1/11.ndjson", "");
    write(dir.path(), "visits.v1/notes.txt", "");
    let found = survey(dir.path(), &TOPICS).unwrap();
    assert_eq!(found.partitions(&TOPICS[..3]), 7);
    assert_eq!(found.partitions(&["complaints.v1"]), 0);
    assert_eq!(found.partitions(&["prices.v1"]), 12);
    for name in [
        "visits.v1/07.ndjson",
        "visits.v1/x.ndjson.zst",
        "visits.v1/-1.ndjson",
        "visits.v1/.ndjson",
        "visits.v1/4096.ndjson",
        "visits.v1/2147483647.ndjson",
        "visits.v1/99999999999999999999.ndjson",
    ] {
        write(dir.path(), name, "");
        let error = survey(dir.path(), &["visits.v1"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(
            error.to_string().contains("file name is not understood"),
            "{name}: {error}"
        );
        fs::remove_file(dir.path().join(name)).unwrap();
    }
}

#[test]
fn k47_what_is_no_regular_file_is_refused_before_it_is_opened() {
    type Make = fn(&Path);
    let make: [(&str, Make); 5] = [
        ("a folder", |path| fs::create_dir(path).unwrap()),
        ("a named pipe", |path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("a socket", |path| {
            UnixListener::bind(path).unwrap();
        }),
        ("a device", |path| symlink("/dev/null", path).unwrap()),
        ("a link to nothing", |path| {
            symlink("/nowhere/0.ndjson", path).unwrap();
        }),
    ];
    for (what, make) in make {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("orders.v1")).unwrap();
        make(&dir.path().join("orders.v1/0.ndjson"));
        let error = survey(dir.path(), &TOPICS).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{what}");
        let error = error.to_string();
        assert!(
            error.contains(what) && error.contains("orders.v1/0.ndjson"),
            "{error}"
        );
    }
    // A link to a file is a file, and a topic has to be a folder.
    let dir = TempDir::new().unwrap();
    write(dir.path(), "elsewhere", "{}\n");
    fs::create_dir(dir.path().join("orders.v1")).unwrap();
    let link = dir.path().join("orders.v1/0.ndjson");
    symlink(dir.path().join("elsewhere"), link).unwrap();
    assert_eq!(survey(dir.path(), &TOPICS).unwrap().files, 1);
    for make in [(|path| fs::write(path, "").unwrap()) as fn(&Path), |path| {
        symlink("/nowhere", path).unwrap()
    }] {
        let topic = dir.path().join("visits.v1");
        make(&topic);
        let error = survey(dir.path(), &TOPICS).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("visits.v1"), "{error}");
        fs::remove_file(topic).unwrap();
    }
}

#[test]
fn k47_two_files_for_one_partition_are_refused() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "orders.v1/0.ndjson", "");
    write(dir.path(), "orders.v1/0.ndjson.gz", "");
    let error = survey(dir.path(), &TOPICS).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("keep one of them"), "{error}");
}

#[test]
fn names_that_are_close_say_what_to_do() {
    for (name, expected) in [
        ("0.NDJSON", "rename it to 0.ndjson"),
        ("3.jsonl", "rename it to 3.ndjson"),
        ("3.JSONL.gz", "rename it to 3.ndjson.gz"),
        ("notes.txt", "event files are named"),
        ("0.ndjson.bz2", "event files are named"),
    ] {
        assert!(hint(Path::new(name)).starts_with(expected), "{name}");
    }
}

#[test]
fn k47_gaps_are_ranges_below_the_highest() {
    let of = |numbers: &[u32]| gaps(&numbers.iter().copied().collect());
    assert_eq!(of(&[]), []);
    assert_eq!(of(&[0, 1, 2]), []);
    assert_eq!(of(&[1, 2, 5, 4_095]), [(0, 0), (3, 4), (6, 4_094)]);
    assert_eq!(
        named("orders.v1", &of(&[1, 2, 5])),
        "orders.v1/0.ndjson, orders.v1/3.ndjson to orders.v1/4.ndjson"
    );
    let every_second: Vec<u32> = (0..40).map(|number| 2 * number + 1).collect();
    assert!(named("t", &of(&every_second)).ends_with("t/14.ndjson, and 32 more"));
}
