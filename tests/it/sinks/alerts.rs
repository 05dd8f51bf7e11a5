//! Alerts at their receivers and in their topic: signed, repeated as they were, in order, and the same as in `ops.alerts`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::partition::partition_of;
use schemas::time::TimestampMs;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tests::events::{Events, Topics};
use tests::kafka::Broker;
use tests::project::Project;

use super::fortnight;
use super::receiver::{Answer, Receiver, Request};
use super::transition::{self, Transition, assert_episodes};
use crate::cases::silent_night;
use crate::reader::{Reader, settings, starts};

/// Path, rule and secret of two receivers at one address.
const HOOKS: [(&str, &str, &str); 2] = [
    ("/desk", "A15", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    // 64 bytes, the longest that Standard Webhooks allows
    (
        "/market",
        "A01",
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
    ),
];

/// Sends each rule's alerts to its own path of the receiver; `more` are further lines of `[alerts]`.
fn hooked(project: Project, receiver: &Receiver, more: &str) -> Project {
    let hooks = HOOKS.map(|(path, rule, secret)| {
        let file = project.beside(&format!("{rule}.secret"));
        fs::write(&file, format!("{secret}\n")).unwrap();
        let url = receiver.url(path);
        let name = &path[1..];
        format!("{{ name = {name:?}, url = {url:?}, secret_file = {file:?}, rules = [{rule:?}] }}")
    });
    let section = format!(
        "[alerts]\nallow_private_addresses = true\nwebhooks = [{}]\n{more}\n",
        hooks.join(", ")
    );
    project.configure(&section).unwrap()
}

#[test]
fn alerts_reach_receivers_and_topic_as_in_the_table_through_faults_and_a_kill() {
    let broker = Broker::shared().unwrap();
    let events = fortnight();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    // to the midnight after the silent evening: what departments are told in the morning is not known yet
    let silent = trouble(events, "silent_complaint_desk");
    let midnight = silent["to"].as_i64().unwrap() + 2 * 3_600_000;
    events.send_recorded(broker, &topics, ..midnight).unwrap();
    let mut receiver = Receiver::closed();
    let project = Project::on_kafka(broker, &topics, &events.reference()).unwrap();
    // Two weeks pass in seconds here: at the default a retry would find its alert too old.
    let project = hooked(project, &receiver, "max_age = \"30d\"")
        .set("VITRINE__EPOCH__SEAL_EVERY", "200ms")
        .set("VITRINE__EPOCH__INTERVAL", "1s");

    // first nobody listens; then somebody does, fails, takes some, and leaves the others without an answer
    let running = project.start(&["run"]).unwrap();
    project
        .until("the receiver was missed", |_| {
            Ok(!missed(&running.stderr()?).is_empty())
        })
        .unwrap();
    let first = [[Answer::Failed; 3], [Answer::Taken; 3]].concat();
    receiver.answer(first, Answer::Kept);
    receiver.open();
    project
        .until("an alert is on its way", |_| {
            Ok(receiver.has_answered(Answer::Kept))
        })
        .unwrap();
    let killed = running.kill().unwrap();
    let unreached = missed(&killed.stderr);
    receiver.answer([], Answer::Taken);
    events.send_recorded(broker, &topics, midnight..).unwrap();
    let drained = project.run(&["run", "--drain"]).unwrap();

    let requests = receiver.requests();
    let bodies = assert_signed_and_equal(&requests);
    assert_repeated(&requests, &unreached);
    let table = transition::table(&project);
    let sent: BTreeMap<String, Transition> = bodies
        .iter()
        .map(|(id, body)| (id.clone(), Transition::of_body(body)))
        .collect();
    assert_eq!(sent, table);
    assert_eq!(in_topic(broker, &topics.alerts()), bodies);

    for (path, rule, secret) in HOOKS {
        let taken = received(&requests, path);
        assert!(
            taken.iter().all(|t| t.data.rule_id == rule),
            "{path} takes {rule} alone"
        );
        let of_rule = table.values().filter(|t| t.data.rule_id == rule).count();
        assert_eq!(
            taken.len(),
            of_rule,
            "every alert of {rule} was taken at {path}"
        );
        assert_episodes(&taken);
        for log in [&killed.stderr, &drained.stderr, &drained.stdout] {
            assert!(!log.contains(secret), "a secret is shown");
        }
    }
    let ends = table.values().filter(|transition| transition.is_end());
    assert!(ends.count() > 0, "no alert ends");
    assert_squeeze_found(&trouble(events, "margin_squeeze"), &table);
    assert_silence_found(&silent, &table, &project);
    assert_delivered(&project, &table);
}

/// Ids of alerts that found nobody at their receiver's address, by the log.
fn missed(log: &str) -> BTreeSet<String> {
    log.lines()
        .filter(|line| line.contains("will be repeated") && line.contains("Connection refused"))
        .filter_map(|line| line.split_once(" id=")?.1.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// Standard Webhooks headers fit body and secret, and one id never has two bodies; those bodies by id.
fn assert_signed_and_equal(requests: &[Request]) -> BTreeMap<String, Bytes> {
    let mut bodies = BTreeMap::new();
    for request in requests {
        let (_, _, secret) = HOOKS
            .iter()
            .find(|(path, ..)| *path == request.path)
            .unwrap();
        let id = request.header("webhook-id");
        assert_eq!(
            request.header("content-type"),
            "application/cloudevents+json"
        );
        let timestamp = request.header("webhook-timestamp");
        let sent_at = TimestampMs::from_ms(timestamp.parse::<i64>().unwrap() * 1_000);
        let age = request.received_at - sent_at;
        assert!(
            (-1_000..30_000).contains(&age.as_ms()),
            "{id} was sent {age} ago"
        );
        assert_eq!(
            request.header("webhook-signature"),
            signature(secret, id, timestamp, &request.body),
            "{id}"
        );
        assert_eq!(Transition::of_body(&request.body).id, id);
        let body = bodies
            .entry(id.to_owned())
            .or_insert_with(|| request.body.clone());
        assert_eq!(*body, request.body, "{id} came with another body");
    }
    bodies
}

/// Standard Webhooks' signature, from RFC 2104: the product's comes from a crate that does both.
fn signature(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(&key);
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(format!("{id}.{timestamp}."))
        .chain_update(body)
        .finalize();
    let outer = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize();
    format!("v1,{}", STANDARD.encode(outer))
}

/// What met no receiver, an error, or a kill before the answer came again later under its id, and was taken.
fn assert_repeated(requests: &[Request], missed: &BTreeSet<String>) {
    let first = |answer: Answer| {
        let place = requests.iter().position(|request| request.answer == answer);
        place.unwrap_or_else(|| panic!("no request was {answer:?}"))
    };
    assert!(
        first(Answer::Failed) < first(Answer::Kept),
        "a request was left without an answer before one had failed"
    );
    let taken_from = |from: usize, id: &str| {
        let later = requests[from..].iter();
        later
            .filter(|request| request.answer == Answer::Taken)
            .any(|request| request.header("webhook-id") == id)
    };
    for id in missed {
        assert!(taken_from(0, id), "{id} was given up when nobody listened");
    }
    for (at, request) in requests.iter().enumerate() {
        let id = request.header("webhook-id");
        assert!(
            request.answer == Answer::Taken || taken_from(at, id),
            "{id} was given up after it was {:?}",
            request.answer
        );
    }
}

/// What one receiver has taken, without repetitions, in the order in which it came.
fn received(requests: &[Request], path: &str) -> Vec<Transition> {
    let mut seen = BTreeSet::new();
    requests
        .iter()
        .filter(|request| request.path == path && request.answer == Answer::Taken)
        .map(|request| Transition::of_body(&request.body))
        .filter(|transition| seen.insert(transition.id.clone()))
        .collect()
}

/// The records of the alert topic by id: keyed by subject, an equal one may come again.
fn in_topic(broker: &Broker, topic: &str) -> BTreeMap<String, Bytes> {
    let mut reader = Reader::open(&settings(broker), &starts(topic, &[0]));
    reader.read_to_ends();
    let mut bodies = BTreeMap::new();
    let mut in_order = Vec::new();
    for record in &reader.records[&0] {
        let body: Bytes = record.payload.clone().unwrap();
        let transition = Transition::of_body(&body);
        let key = record.key.as_deref().unwrap();
        assert_eq!(key, transition.subject.as_bytes(), "{}", transition.id);
        match bodies.get(&transition.id) {
            Some(first) => assert_eq!(*first, body, "{} came with another body", transition.id),
            None => {
                bodies.insert(transition.id.clone(), body);
                in_order.push(transition);
            }
        }
    }
    assert_episodes(&in_order);
    bodies
}

/// One of the simulator's planted troubles.
fn trouble(events: &Events, kind: &str) -> Value {
    let truth = fs::read_to_string(events.dir().join("truth/anomalies.ndjson")).unwrap();
    let labels = truth
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let mut of_kind = labels.filter(|label: &Value| label["kind"] == kind);
    of_kind.next().unwrap()
}

fn firing<'a>(
    table: &'a BTreeMap<String, Transition>,
    rule: &'a str,
) -> impl Iterator<Item = &'a Transition> {
    let fires = move |t: &&Transition| t.data.rule_id == rule && t.data.state == "firing";
    table.values().filter(fires)
}

/// The retailer whose prices were squeezed has its alert.
fn assert_squeeze_found(squeeze: &Value, table: &BTreeMap<String, Transition>) {
    let retailer = squeeze["subjects"]["customer_id"].as_str().unwrap();
    let Transition {
        data,
        transitioned_at,
        ..
    } = firing(table, "A01")
        .find(|transition| transition.data.subjects[0] == retailer)
        .expect("the squeezed retailer is not found");
    assert!(data.value.unwrap() < data.limit.unwrap(), "{data:?}");
    assert_eq!(Some(*transitioned_at), data.window_end);
}

/// Every breach of the silent evening has its alert.
fn assert_silence_found(silent: &Value, table: &BTreeMap<String, Transition>, project: &Project) {
    let evening = silent["from"].as_i64().unwrap()..silent["to"].as_i64().unwrap();
    let in_evening = firing(table, "A15").filter(|t| evening.contains(&t.data.deadline.unwrap()));
    let breached = format!(
        "SELECT count(*) FROM facts.sla_steps_current WHERE step_id IN ('CMP_DEPT_10M', 'RSC_DEPT_10M') \
         AND outcome = 'BREACHED' AND CAST(deadline AS BIGINT) BETWEEN {}000 AND {}000",
        evening.start, evening.end
    );
    let breached = project.number(&breached).unwrap();
    assert!(breached > 1, "breached={breached}");
    assert_eq!(in_evening.count() as i64, breached);
    for Transition {
        id,
        data,
        transitioned_at,
        ..
    } in firing(table, "A15")
    {
        // nobody sent an event then: a timer did it, after a minute's grace
        assert_eq!(*transitioned_at, data.deadline.unwrap() + 60_000, "{id}");
        assert!(!data.evidence.is_empty(), "{id}");
        let shard = partition_of(data.subjects[0].as_bytes(), 4);
        assert!(
            data.seal.starts_with(&format!("{shard}/")),
            "{id} of {}",
            data.seal
        );
    }
}

/// `ops.deliveries` knows of each alert that its receiver and the topic have it.
fn assert_delivered(project: &Project, table: &BTreeMap<String, Transition>) {
    let query = "SELECT DISTINCT id, split_part(destination, ' ', 1) AS destination \
                 FROM ops.deliveries WHERE outcome = 'DELIVERED'";
    let rows = project.query(query).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let delivered: BTreeSet<(String, String)> = rows
        .iter()
        .map(|row| (text(&row["id"]), text(&row["destination"])))
        .collect();
    let expected = table.values().flat_map(|transition| {
        let rule = &transition.data.rule_id;
        let (path, ..) = HOOKS.iter().find(|(_, of, _)| of == rule).unwrap();
        [&path[1..], "topic"].map(|to| (transition.id.clone(), to.to_owned()))
    });
    assert_eq!(delivered, expected.collect::<BTreeSet<_>>());
}

/// `[alerts] max_age`: files have no live time, so age is measured by the clock.
#[test]
fn an_alert_over_the_age_limit_is_recorded_and_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let events = silent_night(folder.path());
    // the deadline passes at 14:11 on the 5th
    for (drain_to, is_sent) in [
        ("2026-01-06T14:00:00Z", true),
        ("2026-01-06T15:00:00Z", false),
    ] {
        let mut receiver = Receiver::closed();
        receiver.open();
        let project = hooked(Project::on_files(&events).unwrap(), &receiver, "");
        project.run(&["run", "--drain-to", drain_to]).unwrap();
        let table = transition::table(&project);
        assert_eq!(table.len(), 1, "{drain_to}");
        let outcomes = project
            .query("SELECT id, outcome FROM ops.deliveries")
            .unwrap();
        assert_eq!(outcomes.len(), 1, "{drain_to}: {outcomes:?}");
        assert!(table.contains_key(outcomes[0]["id"].as_str().unwrap()));
        let outcome = if is_sent { "DELIVERED" } else { "EXPIRED" };
        assert_eq!(outcomes[0]["outcome"], outcome, "{drain_to}");
        assert_eq!(
            receiver.requests().len(),
            usize::from(is_sent),
            "{drain_to}"
        );
    }
}
