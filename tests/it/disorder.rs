//! F11 and F12: disorder inside partitions and across them, up to the lateness and above it; a partition weeks behind the rest.

use std::fs;
use std::path::Path;

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tests::PATIENCE;
use tests::events::{Line, TOPICS, Topics};
use tests::kafka::Broker;
use tests::project::Project;

use crate::arrival::instant;
use crate::bad_input::NOON_MS;
use crate::kills::hurried;
use crate::proof::{Sample, assert_equal, assert_metrics_equal, expect, seed, until_read};

const HOUR_MS: i64 = 3_600_000;

/// Delays most lines by up to 36 hours, which every topic allows, and some by up to 12 days, which none does.
fn delay(lines: Vec<Line>, random: &mut ChaCha8Rng) -> Vec<Line> {
    let mut delayed: Vec<(i64, Line)> = lines
        .into_iter()
        .map(|line| {
            let longest = if random.random_ratio(1, 50) {
                12 * 24
            } else {
                36
            };
            let by = random.random_range(0..longest) * HOUR_MS;
            (instant(&line, "recorded_at") + by, line)
        })
        .collect();
    delayed.sort_by_key(|(at, _)| *at);
    delayed.into_iter().map(|(_, line)| line).collect()
}

#[test]
fn f11_disorder_up_to_the_lateness_changes_nothing_and_above_it_is_counted_and_listed() {
    let seed = seed();
    println!("seed={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let sample = &Sample::three_weeks().events;
    let events = sample.copy(folder.path().join("events")).unwrap();
    for topic in TOPICS {
        for (partition, lines) in (0..).zip(events.partitions(topic).unwrap()) {
            let lines = delay(lines, &mut random);
            events.write(topic, partition, &lines).unwrap();
        }
    }
    let expected = folder.path().join("expected");
    expect(&events, &expected);
    assert!(late(&expected) > 20, "late={}", late(&expected));

    let project = hurried(Project::on_files(&events).unwrap());
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(&project, &expected);
    assert_late(&project, &expected);

    // Across partitions: on Kafka they come one after another, each whole.
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    let project = hurried(Project::on_kafka(broker, &topics, &events.reference()).unwrap());
    let running = project.start(&["run"]).unwrap();
    let mut partitions: Vec<(&str, i32)> = TOPICS
        .into_iter()
        .flat_map(|topic| (0..4).map(move |partition| (topic, partition)))
        .collect();
    partitions.shuffle(&mut random);
    for next in partitions {
        events
            .send_where(broker, &topics, |topic, partition, _| {
                (topic, partition) == next
            })
            .unwrap();
    }
    until_read(&project, events.count().unwrap() as i64);
    running.terminate(PATIENCE).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    assert_metrics_equal(&project, &expected);
    assert_late(&project, &expected);
}

/// How many records the oracle found too late.
fn late(expected: &Path) -> i64 {
    let verdicts = fs::read_to_string(expected.join("verdicts.csv")).unwrap();
    verdicts
        .lines()
        .filter(|line| line.contains(",too_late,"))
        .count() as i64
}

fn assert_late(project: &Project, expected: &Path) {
    for query in [
        "SELECT sum(too_late_n) FROM ops.conservation",
        "SELECT count(*) FROM ops.late_events",
    ] {
        assert_eq!(project.number(query).unwrap(), late(expected), "{query}");
    }
}

/// Customers of one partition say nothing for 19 days, and then everything: windows do not wait for them, and what they say
/// counts, for lateness is judged by their own partition (K6).
#[test]
fn f12_a_partition_weeks_behind_holds_no_window_and_loses_nothing() {
    let sample = Sample::three_weeks();
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    let project = hurried(Project::on_kafka(broker, &topics, &sample.events.reference()).unwrap());
    let begins = NOON_MS + 48 * HOUR_MS;
    let send = |is_first: bool| {
        let sent = sample
            .events
            .send_where(broker, &topics, |topic, partition, line| {
                let is_behind = partition == 2 && topic != "prices.v1";
                let waits = is_behind && instant(line, "recorded_at") >= begins;
                waits != is_first
            });
        sent.unwrap();
    };
    send(true);
    let running = project.start(&["run"]).unwrap();
    let last = "SELECT max(window_end) FROM metrics.demand_orders WHERE window_kind = 'D1'";
    project
        .until(
            "windows end that the idle partition knows nothing of",
            |project| {
                let last = project.value(last)?;
                Ok(last.as_str().is_some_and(|last| last >= "2026-01-20"))
            },
        )
        .unwrap();
    send(false);
    until_read(&project, sample.events.count().unwrap() as i64);
    running.terminate(PATIENCE).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    let lost = "SELECT sum(too_late_n + dead_letter_n) FROM ops.conservation";
    assert_eq!(project.number(lost).unwrap(), 0);
    assert_metrics_equal(&project, &sample.expected);
}
