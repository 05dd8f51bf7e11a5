//! Files of a storage that are damaged after a run (F4): commands answer as before or name the file, never another row.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tests::events::{Events, TOPICS};
use tests::project::Project;
use tests::vitrine::binary;

use crate::kills::hurried;
use crate::proof::seed;
use crate::tree;

/// What a command left: its exit code, its standard output, and the line that says why it failed.
struct Ended {
    code: Option<i32>,
    stdout: String,
    sentence: String,
}

/// A storage after a run, and what the commands say of it undamaged.
struct Healthy {
    /// Configuration and storage.
    folder: PathBuf,
    /// Every row of every table, sorted.
    rows: Vec<String>,
    audit: String,
    /// The audit after another run, which reads more events.
    audit_after_more: String,
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Bit,
    Truncated,
    Zeros,
    Empty,
    Longer,
}

const DAMAGES: [Damage; 5] = [
    Damage::Bit,
    Damage::Truncated,
    Damage::Zeros,
    Damage::Empty,
    Damage::Longer,
];

/// Files of one kind: where they lie, and what their paths hold.
const KINDS: [(&str, &str); 10] = [
    ("log/shard-0", "/record/"),
    ("log/shard-1", "/checkpoint/"),
    ("log/publisher", "/record/"),
    ("log/publisher", "/checkpoint/"),
    ("log/sink-alerts", "/record/"),
    ("tables/metrics", ".parquet"),
    ("tables/events", ".parquet"),
    ("tables/metrics", "_delta_log/"),
    ("tables/ops", "_delta_log/"),
    ("reference", "/"),
];

#[test]
fn f4_a_damaged_file_is_named_or_changes_nothing() {
    let seed = seed();
    println!("seed={seed}");
    let folder = tempfile::tempdir().unwrap();
    let healthy = healthy(folder.path());
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut cases = Vec::new();
    for (below, holds) in KINDS {
        let files = of_kind(&healthy.folder, below, holds);
        assert!(!files.is_empty(), "no files below {below}");
        // Every bit of a record has unit tests.
        let count = if below.starts_with("log/") { 3 } else { 5 };
        for damage in DAMAGES.choose_multiple(&mut random.clone(), count) {
            // The newest of a log matters most.
            let newest = files.last().filter(|_| random.random_bool(0.4));
            let file = newest.or_else(|| files.choose(&mut random)).unwrap();
            cases.push((file.clone(), *damage, random.random::<u64>()));
        }
    }
    let halves = cases.split_at(cases.len() / 2);
    let (a, b) = thread::scope(|scope| {
        let first = scope.spawn(|| all(&healthy, folder.path(), halves.0));
        let second = all(&healthy, folder.path(), halves.1);
        (first.join().unwrap(), second)
    });
    let (equal, named) = (a.0 + b.0, a.1 + b.1);
    println!("cases={} equal={equal} named={named}", cases.len());
    assert!(equal > 10 && named > 20, "equal={equal} named={named}");
}

/// How many commands answered as before, and how many named the file.
fn all(healthy: &Healthy, folder: &Path, cases: &[(PathBuf, Damage, u64)]) -> (usize, usize) {
    let mut outcome = (0, 0);
    for (file, damage, seed) in cases {
        let copy = tempfile::tempdir_in(folder).unwrap();
        let what = format!("{} {damage:?} seed={seed}", file.display());
        for is_equal in one(healthy, copy.path(), file, *damage, *seed, &what) {
            outcome.0 += usize::from(is_equal);
            outcome.1 += usize::from(!is_equal);
        }
    }
    outcome
}

/// Whether each command answers as before; if not, it has named the file.
fn one(
    healthy: &Healthy,
    copy: &Path,
    file: &Path,
    damage: Damage,
    seed: u64,
    what: &str,
) -> Vec<bool> {
    copy_by_links(&healthy.folder, copy);
    let target = copy.join("storage").join(file);
    let whole = fs::read(&target).unwrap();
    // The other copies share the file: a new one takes its name.
    fs::remove_file(&target).unwrap();
    fs::write(&target, damaged(&whole, damage, seed)).unwrap();

    let mut outcomes = Vec::new();
    let answered = all_rows(copy);
    outcomes.push(is_equal(&answered, file, what));
    if answered.code == Some(0) {
        assert!(
            sorted(&answered.stdout) == healthy.rows,
            "other rows: {what}"
        );
    }
    let is_log = file.starts_with("log");
    if !is_log {
        let audited = ended(copy, &["audit"], None);
        outcomes.push(is_equal(&audited, file, what));
        if audited.code == Some(0) {
            assert_eq!(audited.stdout, healthy.audit, "{what}");
        }
    }
    if !is_log && !matches!(damage, Damage::Bit) {
        return outcomes;
    }
    let ran = ended(copy, &["run", "--until-caught-up"], None);
    outcomes.push(is_equal(&ran, file, what));
    if ran.code == Some(0) {
        let audited = ended(copy, &["audit"], None);
        if is_equal(&audited, file, what) {
            assert_eq!(audited.stdout, healthy.audit_after_more, "{what}");
        }
    }
    outcomes
}

/// Success, or a sentence that names the file.
fn is_equal(ended: &Ended, file: &Path, what: &str) -> bool {
    if ended.code == Some(0) {
        return true;
    }
    let sentence = &ended.sentence;
    assert!(
        matches!(ended.code, Some(1..=5)),
        "{what}: {:?} {sentence}",
        ended.code
    );
    let path = file.to_str().unwrap();
    // Of reference data the version is known, and with it the folder.
    let named = path
        .strip_prefix("reference/")
        .map_or(path, |rest| rest.split('/').next().unwrap());
    assert!(sentence.contains(named), "{what} is not named: {sentence}");
    assert!(sentence.len() < 600, "{what}: {sentence}");
    false
}

fn damaged(whole: &[u8], damage: Damage, seed: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let at = random.random_range(0..whole.len());
    match damage {
        Damage::Bit => {
            let mut flipped = whole.to_vec();
            flipped[at] ^= 1 << random.random_range(0..8);
            flipped
        }
        Damage::Truncated => whole[..at].to_vec(),
        Damage::Zeros => {
            let mut torn = whole.to_vec();
            torn[at..].fill(0);
            // Where zeros stood anyway.
            if torn == whole {
                vec![0; whole.len()]
            } else {
                torn
            }
        }
        Damage::Empty => Vec::new(),
        Damage::Longer => [whole, b"\ngarbage"].concat(),
    }
}

/// Files of a kind, in the order of their names, as paths from the storage.
fn of_kind(folder: &Path, below: &str, holds: &str) -> Vec<PathBuf> {
    let storage = folder.join("storage");
    let files = tree::files(&storage.join(below));
    let files = files
        .iter()
        .map(|file| file.strip_prefix(&storage).unwrap());
    let files = files.filter(|file| file.to_str().unwrap().contains(holds));
    let files = files.filter(|file| fs::metadata(storage.join(file)).unwrap().len() > 0);
    files.map(Path::to_owned).collect()
}

/// Two runs over the first part of the events; what the commands say; and what they say after a run over all events.
fn healthy(folder: &Path) -> Healthy {
    let events = ["--days", "9", "--customers", "30", "--seed", "4"];
    let events = Events::simulate(folder.join("all"), &events).unwrap();
    let growing = events.copy(folder.join("events")).unwrap();
    let project = hurried(Project::on_files(&growing).unwrap());
    for part in [0.6, 0.9] {
        for topic in TOPICS {
            for (partition, lines) in events.partitions(topic).unwrap().iter().enumerate() {
                let count = (lines.len() as f64 * part) as usize;
                growing.write(topic, partition, &lines[..count]).unwrap();
            }
        }
        project.run(&["run", "--until-caught-up"]).unwrap();
    }
    let first = folder.join("first");
    fs::create_dir(&first).unwrap();
    copy_by_links(project.storage().parent().unwrap(), &first);
    for topic in TOPICS {
        for (partition, lines) in events.partitions(topic).unwrap().iter().enumerate() {
            growing.write(topic, partition, lines).unwrap();
        }
    }

    let more = tempfile::tempdir_in(folder).unwrap();
    copy_by_links(&first, more.path());
    let good = |at: &Path, args: &[&str]| {
        let ended = ended(at, args, None);
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.sentence);
        ended.stdout
    };
    let audit = good(&first, &["audit"]);
    good(more.path(), &["run", "--until-caught-up"]);
    let audit_after_more = good(more.path(), &["audit"]);
    assert_ne!(audit, audit_after_more);
    let rows = all_rows(&first);
    assert_eq!(rows.code, Some(0), "{}", rows.sentence);
    Healthy {
        rows: sorted(&rows.stdout),
        folder: first,
        audit,
        audit_after_more,
    }
}

/// All tables, row by row.
fn all_rows(folder: &Path) -> Ended {
    let tables: BTreeSet<String> = schemas::table::all_tables()
        .iter()
        .map(|table| format!("{}.{}", table.schema_name, table.name))
        .collect();
    let statements: Vec<_> = tables
        .iter()
        .map(|table| format!("SELECT '{table}' AS of_table, * FROM {table};\n"))
        .collect();
    let script = folder.join("all.sql");
    if !script.exists() {
        fs::write(&script, statements.concat()).unwrap();
    }
    ended(folder, &["sql", "--format", "ndjson"], Some(&script))
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// Runs `vitrine ARGS` on the storage of a folder.
fn ended(folder: &Path, args: &[&str], stdin: Option<&Path>) -> Ended {
    let url = format!("file://{}", folder.join("storage").display());
    let mut command = Command::new(binary().unwrap());
    command
        .arg("--config")
        .arg(folder.join("vitrine.toml"))
        .args(args);
    command
        .env("VITRINE__STORAGE__URL", url)
        .env("NO_COLOR", "1");
    // Stacks of errors are for debugging, and never part of a sentence.
    command.env("RUST_BACKTRACE", "1");
    command.stdin(stdin.map_or_else(Stdio::null, |file| File::open(file).unwrap().into()));
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    let from = stderr.rfind("vitrine: ").unwrap_or_default();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        sentence: stderr[from..].to_owned(),
    }
}

/// Another folder with the same files: nobody writes into a file that has a name.
fn copy_by_links(from: &Path, to: &Path) {
    for file in tree::files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::hard_link(&file, &target).unwrap();
    }
}
