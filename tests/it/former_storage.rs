//! A storage that a former version wrote (F35), or that has lost a table: commands refuse it with a sentence.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tests::events::Events;
use tests::project::Project;

use crate::refusals::refused;
use crate::tree;

/// `storage/` as version 0.1 left it (log format 1, seals of version 2), and in `ev/` the event files that it had read.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/storage-0.1.tar.zst");

/// What `ev/` holds, all of it accepted.
const READ: &str = "read 177 = accepted 177 ";

fn unpack(into: &Path) {
    let mut tar = Command::new("tar");
    tar.args(["--zstd", "-xf", FIXTURE, "-C"]).arg(into);
    assert!(tar.status().unwrap().success(), "{tar:?}");
}

/// Every file below a folder, with its content's hash.
fn hashes(folder: &Path) -> BTreeMap<PathBuf, String> {
    let hashed = |path: PathBuf| {
        let digest = Sha256::digest(fs::read(&path).unwrap());
        (path, format!("{digest:x}"))
    };
    tree::files(folder).into_iter().map(hashed).collect()
}

#[test]
fn a_storage_of_version_0_1_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let storage = folder.path().join("storage");
    let before = hashes(&storage);
    assert!(
        before
            .keys()
            .any(|path| path.ends_with("log/shard-0/record/00000000000000000002"))
    );

    let events = Events::in_folder(folder.path().join("ev"));
    let project = Project::on_files(&events).unwrap().set(
        "VITRINE__STORAGE__URL",
        format!("file://{}", storage.display()),
    );
    for (args, place) in [
        (&["run"][..], "log=publisher number=3"),
        (&["run", "--until-caught-up"], "log=publisher number=3"),
        (&["run", "--drain"], "log=publisher number=3"),
        (
            &["sql", "SELECT count(*) FROM events.orders"],
            "log=publisher number=3",
        ),
        (&["status"], "log=shard-0 number=2"),
        (&["status", "--json"], "log=shard-0 number=2"),
        (&["audit"], "log=publisher number=3"),
    ] {
        let line = refused(&project, args, 2);
        let sentence = format!(
            "{place} holds format=1, this program reads format=2: use the program that wrote it, or replay the events into a new storage"
        );
        assert!(line.contains(&sentence), "{args:?}: {line}");
        assert_eq!(hashes(&storage), before, "{args:?}");
    }
}

/// The advice of the message works.
#[test]
fn its_events_are_replayed_into_a_new_storage() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let events = Events::in_folder(folder.path().join("ev"));
    let project = Project::on_files(&events).unwrap();
    let ended = project.run(&["run", "--until-caught-up"]).unwrap();
    assert!(ended.stdout.contains(READ), "{}", ended.stdout);
}

/// A table that somebody has deleted is not made anew: what stood in it would be missing without a word.
#[test]
fn a_storage_without_one_of_its_tables_is_refused_and_the_table_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let events = Events::in_folder(folder.path().join("ev"));
    let project = Project::on_files(&events).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    let lost = project.storage().join("tables/metrics/demand_orders");
    fs::remove_dir_all(&lost).unwrap();
    for args in [
        &["run", "--until-caught-up"][..],
        &["audit"],
        &["sql", "SELECT count(*) FROM metrics.demand_orders"],
    ] {
        let line = refused(&project, args, 1);
        let sentence = "table=metrics.demand_orders is missing in the storage: restore its folder";
        assert!(line.contains(sentence), "{args:?}: {line}");
        assert!(!lost.exists(), "{args:?}");
    }
}
