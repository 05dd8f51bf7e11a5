//! What a finished storage is held against: the oracle's tables, the simulator's labels, and its own books.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pipeline::time::wall;
use schemas::time::{DurationMs, TimestampMs};
use serde_json::Value;
use tests::events::{Events, TOPICS};
use tests::oracle;
use tests::project::Project;

/// Event files that several tests read, and the rows expected of them.
pub(crate) struct Sample {
    pub events: Events,
    pub expected: PathBuf,
    _shared: SharedEvents,
}

/// Event files that several tests read and none changes.
pub(crate) struct SharedEvents {
    pub events: Events,
    /// Held while this process lives: another test run would write the same folder.
    _lock: File,
}

impl SharedEvents {
    /// Simulates into the folder for temporary files of this test binary, where the last run's are overwritten.
    pub(crate) fn simulate(name: &str, args: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = root.join(name);
        let lock = File::create(root.join(format!("{name}.lock"))).unwrap();
        lock.lock().unwrap();
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        println!("{name}: vitrine simulate {}", args.join(" "));
        let events = Events::simulate(folder.join("events"), args).unwrap();
        Self {
            events,
            _lock: lock,
        }
    }
}

impl Sample {
    /// Simulates events, and has the oracle compute what is expected of them.
    pub(crate) fn simulate(name: &str, args: &[&str]) -> Self {
        let shared = SharedEvents::simulate(name, args);
        let events = shared.events.clone();
        let expected = events.dir().with_file_name("expected");
        expect(&events, &expected);
        Self {
            events,
            expected,
            _shared: shared,
        }
    }

    /// 28 days of 500 retailers with disorder, duplicates, malformed and late records.
    pub(crate) fn four_weeks() -> &'static Self {
        static SAMPLE: OnceLock<Sample> = OnceLock::new();
        SAMPLE.get_or_init(|| {
            Self::simulate(
                "four-weeks",
                &[
                    "--days",
                    "28",
                    "--customers",
                    "500",
                    "--dirty",
                    "--seed",
                    "7",
                ],
            )
        })
    }

    /// 21 days of few retailers, clean: for cases that change the files.
    pub(crate) fn three_weeks() -> &'static Self {
        static SAMPLE: OnceLock<Sample> = OnceLock::new();
        SAMPLE.get_or_init(|| {
            Self::simulate(
                "three-weeks",
                &["--days", "21", "--customers", "80", "--seed", "3"],
            )
        })
    }
}

/// Has the oracle compute the rows expected of `events`.
pub(crate) fn expect(events: &Events, out: &Path) {
    expect_with(events, &events.reference(), out);
}

/// The same with other reference data.
pub(crate) fn expect_with(events: &Events, reference: &Path, out: &Path) {
    fs::create_dir_all(out).unwrap();
    oracle::compute(events.dir(), reference, out, &["--clock-max"]).unwrap();
}

/// No row of any public table differs, and none was written twice.
pub(crate) fn assert_equal(project: &Project, expected: &Path) {
    let comparison = oracle::compare(expected, &project.storage()).unwrap();
    print!("{}", comparison.report);
    assert!(comparison.equal, "{}", comparison.report);
    assert_no_revision_twice(project);
}

/// The same of a service whose live time has gone on behind the last event: its feed may have further complete days, all without
/// demand, that files alone do not show.
pub(crate) fn assert_metrics_equal(project: &Project, expected: &Path) {
    let comparison = oracle::compare(expected, &project.storage()).unwrap();
    let of_metrics = |line: &&str| line.contains("differing=") && !line.starts_with("demand_daily");
    let of_metrics: Vec<&str> = comparison.report.lines().filter(of_metrics).collect();
    assert_eq!(of_metrics.len(), 8, "{}", comparison.report);
    let is_equal = |line: &&str| line.ends_with("differing=0");
    assert!(of_metrics.iter().all(is_equal), "{}", comparison.report);
    let demand = "SELECT CAST(COALESCE(sum(y), 0) AS BIGINT) FROM feeds.demand_daily";
    let requested = "SELECT CAST(COALESCE(sum(requested_qty), 0) AS BIGINT) FROM metrics.demand_orders WHERE window_kind = 'D1'";
    assert_eq!(
        project.number(demand).unwrap(),
        project.number(requested).unwrap()
    );
    assert_no_revision_twice(project);
}

/// No two rows with the same key, window and revision.
pub(crate) fn assert_no_revision_twice(project: &Project) {
    for table in schemas::table::metric_tables() {
        assert!(
            !table.key.contains(&"revision"),
            "the key names one row of all revisions"
        );
        let (name, key) = (
            table.name,
            [table.key.as_slice(), &["revision"]].concat().join(", "),
        );
        let query = format!(
            "SELECT count(*) FROM (SELECT {key} FROM metrics_revisions.{name} GROUP BY {key} HAVING count(*) > 1)"
        );
        assert_eq!(
            project.number(&query).unwrap(),
            0,
            "{name}: a revision exists twice"
        );
    }
}

/// Every missed notice to a department that was not stopped within the grace (60 s) fired, however the events were cut into seals.
pub(crate) fn assert_breaches_fired(project: &Project) {
    let missed = "FROM ops.sla_steps AS s WHERE s.step_id IN ('CMP_DEPT_10M', 'RSC_DEPT_10M') AND s.outcome = 'BREACHED' \
                  AND (s.stopped_at IS NULL OR s.stopped_at > s.deadline + INTERVAL '60 seconds')";
    let fired = "SELECT 1 FROM ops.alerts AS a WHERE a.rule_id = 'A15' AND a.state = 'firing' AND a.deadline = s.deadline \
                 AND array_has(a.subjects, s.case_id)";
    let all = project
        .number(&format!("SELECT count(*) {missed}"))
        .unwrap();
    let silent = format!("SELECT count(*) {missed} AND NOT EXISTS ({fired})");
    assert!(all > 10, "missed={all}");
    assert_eq!(project.number(&silent).unwrap(), 0, "of missed={all}");
}

/// The open alerts of rule A01 are those of the oracle; `said` begins with the instant to which event time was drained. Whatever was
/// revised on the way, the last row of a subject tells its state (K33).
pub(crate) fn assert_margin_alerts(project: &Project, expected: &Path, said: &str) {
    let drained_to = said
        .strip_prefix("drained to ")
        .and_then(|rest| rest.lines().next())
        .expect("the first line says how far event time was drained");
    let drained_to = TimestampMs::from_datetime(drained_to.parse().unwrap());
    let csv = fs::read_to_string(expected.join("margin_alerts.csv")).unwrap();
    let open = csv.lines().skip(1).filter_map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let judged_at = TimestampMs::from_ms(cells[2].parse().unwrap());
        let is_open = drained_to < judged_at + DurationMs::from_days(56);
        is_open.then(|| (format!("A01|{}", cells[0]), cells[1].to_owned()))
    });
    let last = "SELECT subject, severity FROM (SELECT *, row_number() OVER (PARTITION BY subject ORDER BY sequence DESC) AS newest_first \
                FROM ops.alerts WHERE rule_id = 'A01') WHERE newest_first = 1 AND state IN ('firing', 'updated')";
    let rows = project.query(last).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found = rows
        .iter()
        .map(|row| (text(&row["subject"]), text(&row["severity"])));
    let (found, open): (BTreeMap<_, _>, BTreeMap<_, _>) = (found.collect(), open.collect());
    assert!(!open.is_empty(), "no alert is open at {drained_to}");
    assert_eq!(found, open);
}

/// Dead letters, late events and duplicates are those of `truth/dirty.ndjson`, under the configured `names` of the topics (K31), and every record has
/// one verdict (P4).
pub(crate) fn assert_verdicts(project: &Project, events: &Events, names: [&str; 4]) {
    let mut late = Vec::new();
    let mut dead = Vec::new();
    let mut duplicates = 0;
    for label in events.labels().unwrap() {
        let folder = label["topic"].as_str().unwrap();
        let topic = TOPICS.iter().position(|topic| *topic == folder).unwrap();
        let topic = names[topic].to_owned();
        let reason = label["reason"].as_str().unwrap().to_owned();
        let place = (
            topic,
            number(&label["partition"]),
            number(&label["offset"]),
            reason,
        );
        match place.3.as_str() {
            "duplicate" => duplicates += 1,
            "too_late" => late.push(place),
            _ => dead.push(place),
        }
    }
    assert!(
        duplicates > 0 && !late.is_empty() && !dead.is_empty(),
        "nothing dirty in it"
    );
    dead.sort();
    late.sort();
    let found = |query: &str| -> Vec<(String, i64, i64, String)> {
        let rows = project.query(query).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let place = |row: &Value| {
            (
                text(&row["topic"]),
                number(&row["partition"]),
                number(&row["offset"]),
                text(&row["reason"]),
            )
        };
        let mut places: Vec<_> = rows.iter().map(place).collect();
        places.sort();
        places
    };
    let columns = r#"SELECT topic, "partition", "offset""#;
    assert_eq!(
        found(&format!("{columns}, reason FROM ops.dead_letters")),
        dead
    );
    assert_eq!(
        found(&format!(
            "{columns}, 'too_late' AS reason FROM ops.late_events"
        )),
        late
    );

    let books = &project
        .query(
            "SELECT sum(read_n) AS read, sum(accepted_n) AS accepted, sum(duplicate_n) AS duplicate,
                    sum(dead_letter_n) AS dead, sum(too_late_n) AS late FROM ops.conservation",
        )
        .unwrap()[0];
    let of = |name: &str| number(&books[name]);
    assert_eq!(of("read"), events.count().unwrap() as i64);
    assert_eq!(of("duplicate"), duplicates);
    assert_eq!(of("dead"), dead.len() as i64);
    assert_eq!(of("late"), late.len() as i64);
    assert_eq!(
        of("read"),
        of("accepted") + of("duplicate") + of("dead") + of("late")
    );
    let wrong = "SELECT count(*) FROM ops.conservation WHERE read_n <> accepted_n + duplicate_n + dead_letter_n + too_late_n";
    assert_eq!(
        project.number(wrong).unwrap(),
        0,
        "a seal whose books do not balance"
    );
    // what was accepted is what was kept
    let kept: i64 = ["orders", "visits", "complaints", "prices"]
        .into_iter()
        .map(|topic| {
            project
                .number(&format!("SELECT count(*) FROM events.{topic}"))
                .unwrap()
        })
        .sum();
    assert_eq!(kept, of("accepted"));
}

/// Waits until so many records have been read and are public.
pub(crate) fn until_read(project: &Project, records: i64) {
    let read = "SELECT sum(read_n) FROM ops.conservation";
    let is_read = |project: &Project| Ok(project.number(read)? == records);
    let what = format!("{records} records are public");
    project.until(&what, is_read).unwrap();
}

/// A whole number, whichever way the row's format spells it.
pub(crate) fn number(value: &Value) -> i64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        value => value
            .as_i64()
            .unwrap_or_else(|| panic!("not a whole number: {value}")),
    }
}

/// The seed of this run's random choices: `VITRINE_TEST_SEED`, else the clock's.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("VITRINE_TEST_SEED").ok();
    given.map_or_else(
        || wall::now().as_ms().unsigned_abs(),
        |text| text.parse().expect("VITRINE_TEST_SEED is a whole number"),
    )
}
