//! The tables equal the oracle's, row by row: from files, from Kafka, over 70 days.

use tests::events::{TOPICS, Topics};
use tests::kafka::Broker;
use tests::project::Project;

use crate::proof::{Sample, assert_breaches_fired, assert_equal, assert_verdicts};
use crate::refusals::refused;

#[test]
fn files_come_to_what_the_oracle_computes() {
    let sample = Sample::four_weeks();
    let project = Project::on_files(&sample.events).unwrap();
    let said = project.run(&["run", "--drain"]).unwrap().stdout;
    assert!(said.starts_with("drained to 2026-"), "{said}");
    assert_equal(&project, &sample.expected);
    assert_verdicts(&project, &sample.events, TOPICS);
    assert_breaches_fired(&project);

    // K7: what is drained takes nothing more, and a second drain has nothing to do
    let before = project
        .value("SELECT max(epoch) FROM metrics_revisions.demand_orders")
        .unwrap();
    let line = refused(&project, &["run", "--until-caught-up"], 2);
    assert!(line.contains("was drained"), "{line}");
    project.run(&["run", "--drain"]).unwrap();
    let after = project
        .value("SELECT max(epoch) FROM metrics_revisions.demand_orders")
        .unwrap();
    assert_eq!(before, after, "a drained storage got new revisions");
}

#[test]
fn kafka_comes_to_the_same() {
    let sample = Sample::four_weeks();
    let broker = Broker::shared().unwrap();
    let large = [("max.message.bytes", "20000000")];
    let topics = Topics::create(broker, 4, &large).unwrap();
    sample.events.send(broker, &topics).unwrap();
    let project = Project::on_kafka(broker, &topics, &sample.events.reference()).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(&project, &sample.expected);
    assert_verdicts(
        &project,
        &sample.events,
        topics.names().each_ref().map(String::as_str),
    );
    assert_breaches_fired(&project);
}

/// K17: eight weeks of answers, so that the trend exists.
#[test]
fn seventy_days_have_a_trend() {
    let sample = Sample::simulate(
        "seventy-days",
        &["--days", "70", "--customers", "150", "--seed", "11"],
    );
    let project = Project::on_files(&sample.events).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(&project, &sample.expected);
    let trends = "SELECT count(*) FROM metrics.satisfaction WHERE slope_per_week IS NOT NULL";
    assert!(project.number(trends).unwrap() > 0, "no row has a trend");
}
