//! F17: the wall clock of a running process jumps, and nothing comes of it but other time stamps.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use pipeline::time::wall;
use schemas::time::TimestampMs;
use serde_json::Value;
use tests::events::Topics;
use tests::kafka::Broker;
use tests::project::Project;
use tests::vitrine::Vitrine;

use crate::arrival::instant;
use crate::kills::hurried;
use crate::proof::{Sample, assert_breaches_fired, assert_equal};
use crate::reader::{Reader, settings, starts};
use crate::sinks::receiver::{Answer, Receiver};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// What a signal grants, and a machine that is busy.
const A_MINUTE_AND_A_HALF: Duration = Duration::from_secs(90);

/// A wall clock that is ahead of this machine's, or behind it, in the processes of one project. The monotonic clock is left alone.
struct WallClock {
    offset: PathBuf,
}

impl WallClock {
    /// Puts it under `project`; it shows the right time.
    fn under(project: Project) -> (Project, Self) {
        let offset = project.beside("clock");
        let project = project
            .set("LD_PRELOAD", library().to_str().unwrap())
            .set("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap())
            .set("FAKETIME_NO_CACHE", "1")
            .set("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .set("DONT_FAKE_MONOTONIC", "1")
            // files keep the time at which they were written
            .set("NO_FAKE_STAT", "1");
        let clock = Self { offset };
        clock.jump_by(0);
        (project, clock)
    }

    fn jump_by(&self, ms: i64) {
        let (sign, ms) = (if ms < 0 { '-' } else { '+' }, ms.abs());
        let offset = format!("{sign}{}.{:03}\n", ms / 1_000, ms % 1_000);
        let beside = self.offset.with_extension("next");
        fs::write(&beside, offset).unwrap();
        // whole at any instant: it is read at every look at the clock
        fs::rename(beside, &self.offset).unwrap();
    }

    fn jump_to(&self, shown: TimestampMs) {
        self.jump_by((shown - wall::now()).as_ms());
    }
}

/// libfaketime for programs with threads.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap();
    let mut found = folders
        .map(|folder| folder.unwrap().path().join("faketime/libfaketimeMT.so.1"))
        .filter(|library| library.is_file());
    found
        .next()
        .expect("libfaketime is missing: run deploy/install test")
}

/// Where the clock goes while events come, another place for each day of them. Most alerts come about on the fifth and sixth.
fn jump(clock: &WallClock, step: usize) {
    match step % 7 {
        0 => clock.jump_by(HOUR_MS),
        1 => clock.jump_by(-HOUR_MS),
        // a leap second
        2 => clock.jump_by(-1_000),
        // slow for two seconds, at a tenth of its pace
        3 => {
            for behind in 1..=20 {
                clock.jump_by(-90 * behind);
                thread::sleep(Duration::from_millis(100));
            }
        }
        4 => clock.jump_to(TimestampMs::from_ms(10 * DAY_MS)),
        5 => clock.jump_to(TimestampMs::from_ms(2_147_483_648_000 + DAY_MS)),
        _ => clock.jump_by(0),
    }
}

#[test]
fn f17_jumps_of_the_wall_clock_change_no_row_and_hold_up_no_alert() {
    let sample = Sample::three_weeks();
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    let project = Project::on_kafka(broker, &topics, &sample.events.reference()).unwrap();
    let mut receiver = Receiver::closed();
    let project = hurried(hooked(project, &receiver));
    let (project, clock) = WallClock::under(project);
    let mut running = project.start(&["run"]).unwrap();

    let begins = first(sample);
    let send = |from: i64, to: i64| {
        let span = begins + from * DAY_MS..begins + to * DAY_MS;
        sample.events.send_recorded(broker, &topics, span).unwrap();
    };
    // Nobody listens: alerts wait for another try. Then the clock jumps back, and somebody does.
    send(-1, 5);
    project
        .until("the receiver was missed", |_| {
            Ok(running.stderr()?.contains("will be repeated"))
        })
        .unwrap();
    for back in [HOUR_MS, 300 * DAY_MS] {
        clock.jump_by(-back);
        thread::sleep(Duration::from_secs(2));
    }
    receiver.open();
    project
        .until(
            "what waited is delivered under a clock that went back",
            |_| Ok(receiver.has_answered(Answer::Taken)),
        )
        .unwrap();

    for step in 0..14 {
        let before = published(&running);
        jump(&clock, step);
        let day = 5 + step as i64;
        send(day, day + 1);
        // an epoch of each day is made under the clock that it came under
        project
            .until(
                "an epoch is published",
                |_| Ok(published(&running) > before),
            )
            .unwrap();
        let has_ended = running.has_ended().unwrap();
        assert!(!has_ended, "{}", running.stderr().unwrap());
    }
    let count = sent(sample, begins + 19 * DAY_MS);
    let read = "SELECT sum(read_n) FROM ops.conservation";
    project
        .until("all is read", |project| Ok(project.number(read)? == count))
        .unwrap();
    assert_shown(&running.stderr().unwrap());
    // It ends under a wrong clock too. librdkafka waits by the wall clock: what it has not sent within the time that a signal grants is
    // left to the next run, which is said.
    clock.jump_by(-HOUR_MS);
    running.signal("TERM").unwrap();
    let ended = running.wait(A_MINUTE_AND_A_HALF).unwrap();
    let is_left = ended
        .stderr
        .contains("could not be sent to Kafka; they are kept")
        || ended.stderr.contains("what was sealed is kept");
    let is_good = ended.code() == Some(0) || (ended.code() == Some(1) && is_left);
    assert!(is_good, "{:?}: {}", ended.code(), ended.stderr);
    clock.jump_by(0);
    send(19, 30);
    project.run(&["run", "--drain"]).unwrap();

    assert_equal(&project, &sample.expected);
    assert_breaches_fired(&project);
    assert_all_delivered(&project, broker, &topics, &receiver);
}

/// Sends all alerts to `receiver`, whenever they came about: three weeks pass in a minute here.
fn hooked(project: Project, receiver: &Receiver) -> Project {
    let file = project.beside("secret");
    fs::write(&file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let url = receiver.url("/desk");
    let section = format!(
        "[alerts]\nallow_private_addresses = true\nmax_age = \"60d\"\n\
         webhooks = [{{ name = \"desk\", url = {url:?}, secret_file = {file:?} }}]\n"
    );
    project.configure(&section).unwrap()
}

/// When the first event was recorded.
fn first(sample: &Sample) -> i64 {
    recorded(sample).into_iter().min().unwrap()
}

/// How many events were recorded before an instant.
fn sent(sample: &Sample, before: i64) -> i64 {
    let recorded = recorded(sample);
    recorded.iter().filter(|at| **at < before).count() as i64
}

fn recorded(sample: &Sample) -> Vec<i64> {
    let mut recorded = Vec::new();
    for topic in tests::events::TOPICS {
        for lines in sample.events.partitions(topic).unwrap() {
            recorded.extend(lines.iter().map(|line| instant(line, "recorded_at")));
        }
    }
    recorded
}

/// How many epochs its log speaks of.
fn published(running: &Vitrine) -> usize {
    running.stderr().unwrap().matches(" published").count()
}

/// The process saw those clocks: its log says when its lines were written.
fn assert_shown(log: &str) {
    for year in ["1970-", "2038-"] {
        assert!(
            log.lines().any(|line| line.starts_with(year)),
            "{year}\n{log}"
        );
    }
}

/// Receiver and topic have every alert, and none was given up for a clock.
fn assert_all_delivered(project: &Project, broker: &Broker, topics: &Topics, receiver: &Receiver) {
    let rows = project
        .query("SELECT DISTINCT id FROM ops.alerts WHERE reason IS DISTINCT FROM 'late'")
        .unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let alerts: BTreeSet<String> = rows.iter().map(|row| text(&row["id"])).collect();
    assert!(alerts.len() > 10, "alerts={}", alerts.len());
    let taken = receiver.requests().into_iter();
    let taken = taken.filter(|request| request.answer == Answer::Taken);
    let taken: BTreeSet<String> = taken
        .map(|request| request.header("webhook-id").to_owned())
        .collect();
    assert_eq!(taken, alerts, "at the receiver");
    let mut reader = Reader::open(&settings(broker), &starts(&topics.alerts(), &[0]));
    reader.read_to_ends();
    let in_topic = reader.payloads(0).into_iter().map(|body| {
        let body: Value = serde_json::from_str(body).unwrap();
        text(&body["id"])
    });
    assert_eq!(
        in_topic.collect::<BTreeSet<String>>(),
        alerts,
        "in the topic"
    );
    let given_up =
        "SELECT count(*) FROM ops.deliveries WHERE outcome NOT IN ('DELIVERED', 'RETRY')";
    assert_eq!(project.number(given_up).unwrap(), 0);
}
