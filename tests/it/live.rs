//! A service that keeps running: time goes on where nothing is said, and the options by which a run ends by itself.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pipeline::time::wall;
use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};
use tests::PATIENCE;
use tests::events::{Topics, message};
use tests::kafka::Broker;
use tests::project::Project;

use crate::arrival::instant;
use crate::bad_input::{NOON_MS, order};
use crate::cases::{self, EVENING};
use crate::kills::hurried;
use crate::proof::{Sample, number};
use crate::reader::{Reader, settings, starts};
use crate::refusals::refused;

const DAY_MS: i64 = DurationMs::DAY.as_ms();

fn complaint(kind: &str, event_id: &str, at: TimestampMs, more: Value) -> Vec<u8> {
    cases::complaint(kind, event_id, at - EVENING, more)
}

#[test]
fn a_deadline_passes_by_live_time_and_a_stop_that_came_late_withdraws_the_alert() {
    silent_night(DurationMs::ZERO);
}

/// Live time is the wall's, moved back by how long after their recording records reached Kafka.
#[test]
fn a_replayed_past_keeps_its_own_time() {
    silent_night(DurationMs::from_days(300));
}

/// A case whose deadline and grace end a few seconds after the last record. What was recorded at t reached Kafka `delay`
/// later, so that its night is now, or lies long ago.
fn silent_night(delay: DurationMs) {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    let reference = tempfile::tempdir().unwrap();
    // the clock of complaints stays an hour behind: what fires is live time
    let project = hurried(Project::on_kafka(broker, &topics, reference.path()).unwrap())
        .set("VITRINE__TIME__COMPLAINTS__OUT_OF_ORDERNESS", "1h");
    let running = project.start(&["run"]).unwrap();
    project
        .until("it is up", |project| {
            Ok(project.number("SELECT count(*) FROM ops.rules")? > 0)
        })
        .unwrap();
    let alerts = format!("{}.alerts", topics.orders());
    let mut alerts = Reader::open(&settings(broker), &starts(&alerts, &[0]));

    let sent_at = wall::now();
    let recorded_at = sent_at - delay;
    let due_at = recorded_at + DurationMs::from_secs(5);
    let deadline = due_at - DurationMs::MINUTE;
    let ended_at = deadline - DurationMs::from_minutes(10);
    let received_at = ended_at - DurationMs::MINUTE;
    let lines = [
        // recorded at once: it was under way for longer, and δ is the shortest that anything was
        complaint(
            "case.opened",
            "opened",
            received_at,
            json!({"case_kind": "COMPLAINT", "channel": "PHONE", "category": "PRICE", "answered": true,
                   "received_at": received_at}),
        ),
        complaint(
            "case.call_ended",
            "ended",
            ended_at,
            json!({"call_ended_at": ended_at, "recorded_at": recorded_at}),
        ),
    ];
    let send = |line: &[u8], at: TimestampMs| {
        let record = message(0, line).at(at);
        broker.produce(topics.complaints(), [record]).unwrap();
    };
    for line in &lines {
        send(line, sent_at);
    }
    if delay == DurationMs::ZERO {
        // a source whose clock is a year ahead does not take live time with it
        let mut ahead = order("O1", sent_at.as_ms());
        ahead["recorded_at"] = (sent_at + DurationMs::from_days(365)).as_ms().into();
        let ahead = message(0, ahead.to_string().as_bytes()).at(sent_at);
        broker.produce(topics.orders(), [ahead]).unwrap();
    }
    alerts.until("the alert has fired", |reader| !reader.records.is_empty());
    let fired_after = alerts.records[&0][0].timestamp.unwrap() - sent_at;
    // wall and monotonic clock may drift apart a little
    assert!(
        (4_900..60_000).contains(&fired_after.as_ms()),
        "due 5,000 ms after the last record, fired after {fired_after}"
    );

    // the department had been told in time; word of it was under way
    let now = wall::now();
    let told_at = ended_at + DurationMs::from_minutes(5);
    let told = json!({"recorded_at": now - delay});
    send(&complaint("case.dept_notified", "told", told_at, told), now);
    alerts.until("the alert is withdrawn", |reader| {
        reader.records[&0].len() == 2
    });
    let said: Vec<Value> = alerts
        .payloads(0)
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    for (alert, state) in said.iter().zip(["firing", "withdrawn"]) {
        assert_eq!(
            alert["type"],
            format!("vitrine.alert.{state}.v1"),
            "{alert}"
        );
        assert_eq!(alert["subject"], "A15|CMP_DEPT_10M|C1|K1");
        assert_eq!(alert["data"]["deadline"], deadline.as_ms());
        assert_eq!(alert["data"]["first_fired_at"], due_at.as_ms());
    }
    assert_ne!(said[0]["id"], said[1]["id"]);
    assert!(number(&said[0]["data"]["sequence"]) < number(&said[1]["data"]["sequence"]));

    running.terminate(PATIENCE).unwrap();
    let states = project
        .query("SELECT id, state FROM ops.alerts ORDER BY sequence")
        .unwrap();
    let expected = [
        json!({"id": said[0]["id"], "state": "firing"}),
        json!({"id": said[1]["id"], "state": "withdrawn"}),
    ];
    assert_eq!(states, expected);
    let outcome = "SELECT outcome FROM ops.sla_steps WHERE step_id = 'CMP_DEPT_10M'";
    assert_eq!(project.value(outcome).unwrap(), "MET");
}

/// Windows that wait for orders, visits and prices end although no price comes any more.
#[test]
fn windows_go_on_where_one_topic_has_fallen_silent() {
    let sample = Sample::three_weeks();
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    let reference = sample.events.reference();
    let project = hurried(Project::on_kafka(broker, &topics, &reference).unwrap());
    let running = project.start(&["run"]).unwrap();
    // Thursday of each week; weeks end on Sunday at 16:00 UTC
    let thursday = |week: i64| NOON_MS + (7 * week + 3) * DAY_MS;
    let events = &sample.events;
    events
        .send_recorded(broker, &topics, ..thursday(0))
        .unwrap();
    for (week, ended) in [(1, "2026-01-11T16:00"), (2, "2026-01-18T16:00")] {
        let span = thursday(week - 1)..thursday(week);
        events
            .send_where(broker, &topics, |topic, _, line| {
                topic != "prices.v1" && span.contains(&instant(line, "recorded_at"))
            })
            .unwrap();
        let last = "SELECT max(window_end) FROM metrics.retailer_margin WHERE window_kind = 'W1'";
        project
            .until(
                &format!("the week that ended at {ended} is public"),
                |project| {
                    Ok(project
                        .value(last)?
                        .as_str()
                        .is_some_and(|last| last >= ended))
                },
            )
            .unwrap();
    }
    running.terminate(PATIENCE).unwrap();
}

/// `--until-caught-up` is about what was there at start, all of it, and waits for nothing that comes later.
#[test]
fn caught_up_is_what_was_there_at_start() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    let send = |name: &str, numbers: Range<i64>| {
        let orders = numbers.map(|n| order(&format!("{name}-{n}"), NOON_MS + n).to_string());
        let orders = orders.map(|order| message(0, order.as_bytes()));
        broker.produce(topics.orders(), orders).unwrap();
    };
    send("before", 0..2_000);
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path()).unwrap();
    let caught_up = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let more = scope.spawn(|| {
            let mut n = 0;
            while !caught_up.load(Ordering::Relaxed) {
                send("while", n..n + 1);
                n += 1;
                thread::sleep(Duration::from_millis(5));
            }
            n
        });
        let ended = project
            .start(&["run", "--until-caught-up"])
            .and_then(|running| running.wait(PATIENCE));
        caught_up.store(true, Ordering::Relaxed);
        ended.and_then(|ended| ended.success()).unwrap();
        more.join().unwrap()
    });
    let count = |name: &str| {
        let query = format!("SELECT count(*) FROM events.orders WHERE event_id LIKE '{name}-%'");
        project.number(&query).unwrap()
    };
    assert_eq!(count("before"), 2_000);
    assert!(sent > 0, "nothing came meanwhile");
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!((count("before"), count("while")), (2_000, sent));
}

/// `--drain-to` decides deadlines before the instant and makes windows final that ended long enough before it: those alone.
#[test]
fn a_drain_goes_as_far_as_it_is_told() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    // Monday and Wednesday noon, and a complaint whose steps nobody takes
    let wednesday = NOON_MS + 2 * DAY_MS;
    for (id, at) in [("O1", NOON_MS), ("O2", wednesday)] {
        let record = message(0, order(id, at).to_string().as_bytes());
        broker.produce(topics.orders(), [record]).unwrap();
    }
    let opened = json!({"case_kind": "COMPLAINT", "channel": "WEB", "received_at": wednesday});
    let opened = complaint(
        "case.opened",
        "opened",
        TimestampMs::from_ms(wednesday),
        opened,
    );
    broker
        .produce(topics.complaints(), [message(0, &opened)])
        .unwrap();

    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path()).unwrap();
    let drain_to = |instant: &str| {
        let said = project.run(&["run", "--drain-to", instant]).unwrap().stdout;
        assert!(said.starts_with(&format!("drained to {instant}")), "{said}");
        let days = "SELECT is_final FROM metrics.demand_orders WHERE window_kind = 'D1' ORDER BY window_start";
        let days = project.query(days).unwrap();
        let days: Vec<bool> = days
            .iter()
            .map(|day| day["is_final"].as_bool().unwrap())
            .collect();
        let steps = "SELECT step_id FROM ops.sla_steps WHERE outcome = 'PENDING'";
        let pending = project.query(steps).unwrap();
        let breached = "SELECT count(*) FROM ops.sla_steps WHERE outcome = 'BREACHED'";
        (days, pending, project.number(breached).unwrap())
    };
    // Thursday 10:00: Monday ended more than two days ago, and two hours are left to call back
    let (days, pending, breached) = drain_to("2026-01-08T02:00:00.000Z");
    assert_eq!(days, [true, false]);
    assert_eq!(pending, [json!({"step_id": "CMP_CALLBACK_24H"})]);
    assert_eq!(breached, 4);
    let week = "SELECT count(*) FROM metrics.demand_orders WHERE window_kind = 'W1'";
    assert_eq!(project.number(week).unwrap(), 0, "the week has not ended");
    let fired = "SELECT count(*) FROM ops.alerts WHERE rule_id = 'A15' AND state = 'firing'";
    assert_eq!(project.number(fired).unwrap(), 1);

    let (days, pending, breached) = drain_to("2026-01-10T00:00:00.000Z");
    assert_eq!((days, pending.len(), breached), (vec![true, true], 0, 5));
    assert_eq!(project.number(fired).unwrap(), 1, "no alert fires twice");
    let line = refused(&project, &["run"], 2);
    assert!(line.contains("was drained"), "{line}");
}
