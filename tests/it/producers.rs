//! F10: producers that are restarted, and send again what they do not know to have arrived.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;
use tests::events::{Events, Line, TOPICS, Topics, message};
use tests::kafka::{Broker, Message};
use tests::project::Project;

use crate::arrival::instant;
use crate::kills::hurried;
use crate::proof::{Sample, assert_equal, expect, seed};
use crate::reader::{Reader, settings, starts};

const DAY_MS: i64 = 24 * 3_600_000;

/// All lines with their topic and partition, as one producer sends them: by `recorded_at`.
fn in_order(events: &Events) -> Vec<(usize, i32, Line)> {
    let mut all = Vec::new();
    for (topic, folder) in TOPICS.into_iter().enumerate() {
        for (partition, lines) in (0..).zip(events.partitions(folder).unwrap()) {
            all.extend(lines.into_iter().map(|line| (topic, partition, line)));
        }
    }
    all.sort_by_cached_key(|(_, _, line)| instant(line, "recorded_at"));
    all
}

/// The first of `all` that was recorded in the sample's last two days: those come once nobody waits for more, or live time would
/// go on behind the last event.
fn last_days(all: &[(usize, i32, Line)]) -> usize {
    let recorded_at = |of: &(usize, i32, Line)| instant(&of.2, "recorded_at");
    let last = all.last().map(recorded_at).unwrap();
    all.partition_point(|of| recorded_at(of) < last - 2 * DAY_MS)
}

/// A plain producer that is killed six times: each time it begins again where it knows that all before has arrived, which is
/// sometimes far back.
#[test]
fn f10_a_restarted_producer_that_repeats_itself_changes_nothing() {
    let seed = seed();
    println!("seed={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let sample = Sample::three_weeks();
    let all = in_order(&sample.events);
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    let send = |of: &[(usize, i32, Line)], is_killed: bool| {
        let records = of.iter().map(|(topic, partition, line)| {
            let name = topics.names()[*topic].as_str();
            (name, message(*partition, line))
        });
        broker.produce_as_one(records, is_killed).unwrap();
    };
    let project = hurried(Project::on_kafka(broker, &topics, &sample.events.reference()).unwrap());
    let running = project.start(&["run"]).unwrap();

    let live = last_days(&all);
    let mut known = 0;
    for restart in 1..=6 {
        let end = live * restart / 6;
        // what follows has arrived, or is on its way when it dies: it knows of neither
        let unknown = random.random_range(known..end);
        send(&all[known..unknown], false);
        send(&all[unknown..end], random.random());
        known = match restart {
            // what it had written down is of no use: it begins days before
            3 | 5 => known.saturating_sub(live / 4),
            _ => unknown,
        };
    }
    send(&all[known..live], false);
    let arrived = arrived(broker, &topics, "read_committed").len() as i64;
    let read = "SELECT sum(read_n) FROM ops.conservation";
    project
        .until(
            "all is read",
            |project| Ok(project.number(read)? >= arrived),
        )
        .unwrap();
    running.terminate(Duration::from_secs(60)).unwrap();
    send(&all[live..], false);
    project.run(&["run", "--drain"]).unwrap();

    // The oracle reads what stands in the topics, whatever that has become.
    let folder = tempfile::tempdir().unwrap();
    let events = sample.events.copy(folder.path().join("events")).unwrap();
    let in_log = arrived_by_partition(broker, &topics, "read_committed");
    let mut count = 0;
    for (folder, partitions) in TOPICS.into_iter().zip(in_log) {
        for (partition, lines) in partitions.into_iter().enumerate() {
            count += lines.len() as i64;
            events.write(folder, partition, &lines).unwrap();
        }
    }
    let expected = folder.path().join("expected");
    expect(&events, &expected);
    let duplicates = verdicts(&expected, "duplicate");
    let late = verdicts(&expected, "too_late");
    println!(
        "sent={} in_log={count} duplicates={duplicates} late={late}",
        all.len()
    );
    assert!(
        duplicates > all.len() as i64 / 10,
        "hardly anything came twice"
    );
    assert_equal(&project, &expected);
    assert_equal(&project, &sample.expected);
    assert_books(&project, [count, duplicates, late]);
}

/// How many records the oracle gave this verdict.
fn verdicts(expected: &Path, verdict: &str) -> i64 {
    let verdicts = fs::read_to_string(expected.join("verdicts.csv")).unwrap();
    let cell = format!(",{verdict},");
    verdicts.lines().filter(|line| line.contains(&cell)).count() as i64
}

/// Records read, duplicates and late events, as `ops.conservation` has them; all others are accepted.
fn assert_books(project: &Project, [read, duplicates, late]: [i64; 3]) {
    for (column, count) in [
        ("read_n", read),
        ("duplicate_n", duplicates),
        ("too_late_n", late),
        ("accepted_n", read - duplicates - late),
        ("dead_letter_n", 0),
    ] {
        let query = format!("SELECT sum({column}) FROM ops.conservation");
        assert_eq!(project.number(&query).unwrap(), count, "{column}");
    }
}

/// What stands in the topics, to a reader of this isolation level.
fn arrived(broker: &Broker, topics: &Topics, isolation: &str) -> Vec<Line> {
    let by_partition = arrived_by_partition(broker, topics, isolation);
    by_partition.into_iter().flatten().flatten().collect()
}

/// The same by topic and partition.
fn arrived_by_partition(broker: &Broker, topics: &Topics, isolation: &str) -> Vec<Vec<Vec<Line>>> {
    let mut settings = settings(broker);
    let level = ("isolation.level".to_owned(), isolation.to_owned());
    settings.properties.extend([level]);
    let of_topic = |name: &String| {
        let mut reader = Reader::open(&settings, &starts(name, &[0; 4]));
        reader.read_to_ends();
        let records = (0..4).map(|partition| {
            let records = reader.records.remove(&partition).unwrap_or_default();
            let payloads = records.into_iter().map(|record| record.payload.unwrap());
            payloads.map(|payload| payload.to_vec()).collect()
        });
        records.collect()
    };
    topics.names().iter().map(of_topic).collect()
}

/// A producer for each topic sends a day in a transaction. Every third time it dies before it commits, and the one that takes
/// its place sends the day again, or thinks better of some of it: what was aborted stands in the log and never happened.
#[test]
fn f10_what_a_restarted_producer_aborts_never_happened() {
    let sample = Sample::three_weeks();
    let all = in_order(&sample.events);
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    let project = hurried(Project::on_kafka(broker, &topics, &sample.events.reference()).unwrap());
    let running = project.start(&["run"]).unwrap();

    let mut undone = 0;
    let mut send = |day: usize, of_day: &[(usize, i32, Line)]| {
        for (topic, name) in topics.names().iter().enumerate() {
            let id = format!("{name}-till");
            let lines = of_day.iter().filter(|(of, _, _)| *of == topic);
            if (day + topic).is_multiple_of(3) {
                let begun = lines
                    .clone()
                    .enumerate()
                    .map(|(number, (_, partition, line))| {
                        // half of it is sent again, half never
                        let line = if number.is_multiple_of(2) {
                            line.clone()
                        } else {
                            renamed(line)
                        };
                        message(*partition, &line)
                    });
                let begun: Vec<Message> = begun.collect();
                undone += begun.len();
                // gone without a word: the transaction is open until another producer takes its id
                drop(broker.open_transaction(&id, name, begun).unwrap());
            }
            let whole = lines.map(|(_, partition, line)| message(*partition, line));
            broker
                .open_transaction(&id, name, whole)
                .unwrap()
                .commit()
                .unwrap();
        }
    };
    let live = last_days(&all);
    let days = 12;
    for day in 0..days {
        send(day, &all[live * day / days..live * (day + 1) / days]);
    }
    let read = "SELECT sum(read_n) FROM ops.conservation";
    project
        .until("all is read", |project| {
            Ok(project.number(read)? == live as i64)
        })
        .unwrap();
    running.terminate(Duration::from_secs(60)).unwrap();
    send(days, &all[live..]);
    project.run(&["run", "--drain"]).unwrap();

    assert!(undone > all.len() / 5, "undone={undone}");
    let in_log = arrived(broker, &topics, "read_uncommitted").len();
    assert_eq!(
        in_log,
        all.len() + undone,
        "what was aborted stands in the log"
    );
    assert_equal(&project, &sample.expected);
    assert_books(&project, [all.len() as i64, 0, 0]);
}

/// The event under another id.
fn renamed(line: &[u8]) -> Line {
    let mut event: Value = serde_json::from_slice(line).unwrap();
    let id = format!("{}-undone", event["event_id"].as_str().unwrap());
    event["event_id"] = id.into();
    event.to_string().into_bytes()
}
