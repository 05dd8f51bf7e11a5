//! Who owns a storage: a signal ends its owner with a last epoch, and of two owners one ends (P1, design 3.4).

use std::ops::Range;
use std::time::Duration;

use tests::PATIENCE;
use tests::events::{TOPICS, Topics, message};
use tests::kafka::Broker;
use tests::project::Project;
use tests::vitrine::Vitrine;

use crate::arrival::instant;
use crate::bad_input::{NOON_MS, order};
use crate::kills::hurried;
use crate::proof::{Sample, assert_equal, expect, until_read};
use crate::refusals::bad_end;
use crate::signals::hang_up;

#[test]
fn a_signal_brings_a_last_epoch() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    let reference = tempfile::tempdir().unwrap();
    // no epoch comes by itself
    let project = Project::on_kafka(broker, &topics, reference.path())
        .unwrap()
        .set("VITRINE__EPOCH__INTERVAL", "1h");
    // There is something to look at before the service has made it.
    std::fs::create_dir_all(project.storage().join("log")).unwrap();
    let mut sent = 0;
    for signal in [&["TERM", "INT"], hang_up()].concat() {
        let before = project.status().unwrap()["epoch"].clone();
        let orders = (sent..sent + 100).map(|n| order(&n.to_string(), NOON_MS + n).to_string());
        let orders = orders.map(|order| message(0, order.as_bytes()));
        broker.produce(topics.orders(), orders).unwrap();
        sent += 100;
        let running = project.start(&["run"]).unwrap();
        project
            .until("all is sealed", |project| {
                Ok(project.status()?["totals"]["read"] == sent)
            })
            .unwrap();
        let sealed = project.status().unwrap();
        assert_eq!(sealed["epoch"]["epoch"], before["epoch"]);
        running.signal(signal).unwrap();
        let ended = running.wait(PATIENCE).unwrap().success().unwrap();
        let read = format!("read {sent} = accepted {sent} ");
        assert!(ended.stdout.contains(&read), "{}", ended.stdout);
        let public = "SELECT count(*) FROM events.orders";
        assert_eq!(project.number(public).unwrap(), sent, "after {signal}");
    }
}

#[test]
fn of_two_owners_the_first_ends_with_code_4() {
    let day = |n: i64| NOON_MS + n * 86_400_000;
    // up to a Thursday: a service that keeps running carries the feed on through a weekend in which nothing is ordered
    let folder = tempfile::tempdir().unwrap();
    let sample = &Sample::three_weeks().events;
    let events = sample.copy(folder.path().join("events")).unwrap();
    let mut records = 0;
    for topic in TOPICS {
        for (partition, mut lines) in (0..).zip(events.partitions(topic).unwrap()) {
            lines.retain(|line| instant(line, "recorded_at") < day(17));
            records += lines.len() as i64;
            events.write(topic, partition, &lines).unwrap();
        }
    }
    let expected = folder.path().join("expected");
    expect(&events, &expected);
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    let project = hurried(Project::on_kafka(broker, &topics, &events.reference()).unwrap());
    let send = |span: Range<i64>| events.send_recorded(broker, &topics, span).unwrap();

    send(i64::MIN..day(7));
    let first = project.start(&["run"]).unwrap();
    published_since(&project, 0);
    // while it is busy
    send(day(7)..day(14));
    let second = project.start(&["run"]).unwrap();
    fenced(first);

    // one that was frozen while another took over has not noticed, and must not go on
    let before = published_since(&project, 0);
    second.signal("STOP").unwrap();
    let third = project.start(&["run"]).unwrap();
    send(day(14)..i64::MAX);
    published_since(&project, before);
    second.signal("CONT").unwrap();
    fenced(second);

    until_read(&project, records);
    third.terminate(PATIENCE).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(&project, &expected);
    let read = "SELECT sum(read_n) FROM ops.conservation";
    assert_eq!(project.number(read).unwrap(), records);
}

/// A claim fences whoever owns the storage, so it is put only where the start has a chance.
#[test]
fn k39_a_start_that_fails_fences_nobody() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    let reference = tempfile::tempdir().unwrap();
    let project = hurried(Project::on_kafka(broker, &topics, reference.path()).unwrap());
    let orders = (0..100).map(|n| order(&n.to_string(), NOON_MS + n).to_string());
    let orders = orders.map(|order| message(0, order.as_bytes()));
    broker.produce(topics.orders(), orders).unwrap();
    let mut owner = project.start(&["run"]).unwrap();
    published_since(&project, 0);

    // The same topics of another cluster: their ids differ, and they end before what was read.
    let other = Broker::start().unwrap();
    for name in topics.names() {
        other.create_topic(name, 1, &[]).unwrap();
    }
    let broken = tempfile::tempdir().unwrap();
    std::fs::write(broken.path().join("ref_sku.csv"), "brand_id\nB1\n").unwrap();
    let broken = broken.path().display().to_string();
    for (key, value, code) in [
        ("VITRINE__SOURCE__BROKERS", other.address(), 5),
        ("VITRINE__TIME__ZONE", "Europe/Berlin", 2),
        ("VITRINE__SOURCE__PARTITIONER", "crc32", 2),
        ("VITRINE__REFERENCE__DIR", &broken, 2),
        ("VITRINE__ALERTS__WEBHOOKS", "[{ name = \"desk\" }]", 2),
    ] {
        let wrong = Vitrine::start(
            ["--config", &project.config().display().to_string(), "run"],
            &[(key, value)],
        );
        let line = bad_end(&wrong.unwrap().wait(PATIENCE).unwrap(), code);
        assert!(!line.contains("another owner"), "{key}: {line}");
    }
    // It looks at its logs every two seconds.
    std::thread::sleep(Duration::from_secs(5));
    assert!(!owner.has_ended().unwrap(), "{}", owner.stderr().unwrap());
    owner.terminate(PATIENCE).unwrap();
}

/// Waits for an epoch after `before`; the newest.
fn published_since(project: &Project, before: i64) -> i64 {
    let newest = "SELECT max(epoch) FROM ops.watermarks";
    project
        .until("an epoch is published", |project| {
            Ok(project.number(newest)? > before)
        })
        .unwrap();
    project.number(newest).unwrap()
}

fn fenced(owner: Vitrine) {
    let line = bad_end(&owner.wait(PATIENCE).unwrap(), 4);
    assert!(line.contains("another owner took over"), "{line}");
}
