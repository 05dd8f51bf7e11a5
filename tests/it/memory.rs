//! Memory does not follow what producers send: peaks of the process under bad input, against `[limits] memory`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use tests::PATIENCE;
use tests::events::Events;
use tests::project::Project;
use tests::vitrine::Finished;

use crate::bad_input::{NOON_MS, order};
use crate::proof::number;

/// What the tests allow it; the least at which bytes on their way follow from it.
pub(crate) const MEMORY_MIB: u64 = 256;

/// Event files of one partition of orders, which `write` fills.
struct OrderFile {
    folder: TempDir,
    events: Events,
}

impl OrderFile {
    fn new(name: &str, write: impl FnOnce(File)) -> Self {
        let folder = TempDir::new().unwrap();
        let topic = folder.path().join("orders.v1");
        fs::create_dir_all(&topic).unwrap();
        write(File::create(topic.join(name)).unwrap());
        let events = Events::empty(folder.path()).unwrap();
        Self { folder, events }
    }

    fn project(&self) -> Project {
        Project::on_files(&self.events)
            .unwrap()
            .set("VITRINE__LIMITS__MEMORY", format!("{MEMORY_MIB}MiB"))
            // Nearly all is refused here.
            .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1.0")
    }

    fn bytes(&self) -> u64 {
        let files = fs::read_dir(self.folder.path().join("orders.v1")).unwrap();
        files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum()
    }
}

fn good(id: &str) -> String {
    format!("{}\n", order(id, NOON_MS))
}

/// The end of a run and the most memory that it had resident at any time, in MiB.
pub(crate) fn finish(project: &Project, args: &[&str]) -> (Finished, u64) {
    let mut running = project.start(args).unwrap();
    let status = format!("/proc/{}/status", running.id());
    let mut peak = 0;
    while !running.has_ended().unwrap() {
        // The kernel's own high-water mark: nothing is missed between two looks but what the last moments add.
        peak = high_water_mark(Path::new(&status)).unwrap_or(0).max(peak);
        thread::sleep(Duration::from_millis(20));
    }
    assert!(peak > 0);
    (running.wait(PATIENCE).unwrap(), peak)
}

fn high_water_mark(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024)
}

/// What a run of one event takes.
pub(crate) fn least_peak() -> u64 {
    static PEAK: OnceLock<u64> = OnceLock::new();
    *PEAK.get_or_init(|| {
        let file = OrderFile::new("0.ndjson", |mut file| {
            file.write_all(good("only").as_bytes()).unwrap();
        });
        let (ended, peak) = finish(&file.project(), &["run", "--until-caught-up"]);
        ended.success().unwrap();
        peak
    })
}

/// Runs until all is read; fails where that takes more than `mib` beyond the least.
pub(crate) fn run_within(project: &Project, mib: u64) {
    let (ended, peak) = finish(project, &["run", "--until-caught-up"]);
    ended.success().unwrap();
    let least = least_peak();
    eprintln!("peak={peak} MiB, of one event {least} MiB");
    assert!(peak <= least + mib, "{peak} MiB, {least} MiB of one event");
}

pub(crate) fn count(project: &Project, reason: &str) -> i64 {
    let query = format!("SELECT count(*) FROM ops.dead_letters WHERE reason = '{reason}'");
    project.number(&query).unwrap()
}

#[test]
fn f29_of_a_line_that_is_too_large_its_size_and_its_beginning_are_kept() {
    const BYTES: usize = 16 << 20;
    let file = OrderFile::new("0.ndjson.zst", |file| {
        let mut file = zstd::Encoder::new(file, 1).unwrap();
        let line = [vec![b'x'; BYTES], b"\n".to_vec()].concat();
        for _ in 0..60 {
            file.write_all(&line).unwrap();
        }
        file.finish().unwrap();
    });
    assert!(file.bytes() < 1 << 20);
    let project = file.project();
    run_within(&project, MEMORY_MIB / 4);
    assert_eq!(count(&project, "too_large"), 60);
    let query = "SELECT DISTINCT value_bytes, length(encode(value, 'hex')) / 2 AS held FROM ops.dead_letters";
    let rows = project.query(query).unwrap();
    let [row] = &rows[..] else {
        panic!("{rows:?}");
    };
    let sizes = (number(&row["value_bytes"]), number(&row["held"]));
    assert_eq!(sizes, (BYTES as i64, 4_096));
}

#[test]
fn f29_a_flood_of_malformed_lines_is_bounded_and_stops_the_service_by_its_bytes() {
    let file = OrderFile::new("0.ndjson", |file| {
        let mut file = BufWriter::new(file);
        let line = format!("{{{}\n", "y".repeat(1_000_000));
        file.write_all(good("first").as_bytes()).unwrap();
        for _ in 0..1_500 {
            file.write_all(line.as_bytes()).unwrap();
        }
        file.flush().unwrap();
    });
    let project = file.project();
    // The first record is good, so that not all are dead letters; at the default ratio it stops long before the last.
    let cautious = file
        .project()
        .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "0.5");
    let (stopped, peak) = finish(&cautious, &["run", "--until-caught-up"]);
    assert_eq!(stopped.code(), Some(1), "{}", stopped.stderr);
    assert!(
        stopped.stderr.contains("100 % of the bytes of the last"),
        "{}",
        stopped.stderr
    );
    assert!(peak <= least_peak() + MEMORY_MIB, "{peak} MiB");
    // A start after such an end reads what stands in the log behind the last checkpoint: bounded too.
    let (stopped, peak) = finish(&cautious, &["run", "--until-caught-up"]);
    assert_eq!(stopped.code(), Some(1), "{}", stopped.stderr);
    assert!(peak <= least_peak() + MEMORY_MIB, "{peak} MiB");
    run_within(&project, MEMORY_MIB);
    assert_eq!(count(&project, "malformed_json"), 1_500);
    let bytes = "SELECT sum(value_bytes) FROM ops.dead_letters";
    assert_eq!(project.number(bytes).unwrap(), 1_500 * 1_000_001);
}

#[test]
fn f29_ids_that_are_too_long_cost_no_more_than_other_refused_bytes() {
    let file = OrderFile::new("0.ndjson", |file| {
        let mut file = BufWriter::new(file);
        file.write_all(good("first").as_bytes()).unwrap();
        for index in 0..400 {
            let id = format!("{index}{}", "i".repeat(1_000_000));
            let mut event = order("fat", NOON_MS);
            event["event_id"] = id.into();
            writeln!(file, "{event}").unwrap();
        }
        file.flush().unwrap();
    });
    let project = file.project();
    run_within(&project, MEMORY_MIB);
    assert_eq!(count(&project, "bad_value"), 400);
}

#[test]
fn f27_a_file_that_unpacks_to_a_gigabyte_is_read_through_small_buffers() {
    const BYTES: usize = 1_000_000_000;
    fn zeros(file: &mut dyn Write) {
        let some = vec![0; 1 << 20];
        let mut left = BYTES;
        while left > 0 {
            let now = left.min(some.len());
            file.write_all(&some[..now]).unwrap();
            left -= now;
        }
        file.write_all(format!("\n{}", good("behind")).as_bytes())
            .unwrap();
    }
    for name in ["0.ndjson.gz", "0.ndjson.zst"] {
        let file = OrderFile::new(name, |file| {
            if name.ends_with("gz") {
                let mut file = GzEncoder::new(file, Compression::fast());
                zeros(&mut file);
                file.finish().unwrap();
            } else {
                let mut file = zstd::Encoder::new(file, 1).unwrap();
                zeros(&mut file);
                file.finish().unwrap();
            }
        });
        assert!(file.bytes() < 10 << 20);
        let project = file.project();
        run_within(&project, MEMORY_MIB / 4);
        let size = "SELECT value_bytes FROM ops.dead_letters WHERE reason = 'too_large'";
        assert_eq!(project.number(size).unwrap(), BYTES as i64);
        let read = "SELECT count(*) FROM events.orders";
        assert_eq!(project.number(read).unwrap(), 1);
    }
}
