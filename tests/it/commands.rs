//! The commands around a run, as a user strings them together: simulate, publish, run, audit, status, check.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::PATIENCE;
use tests::kafka::Broker;
use tests::vitrine::{self, Finished};

struct Case {
    environment: Vec<(String, String)>,
}

impl Case {
    fn run(&self, args: &[&str]) -> Finished {
        self.run_with(args, &[])
    }

    fn run_with(&self, args: &[&str], more: &[(&str, &str)]) -> Finished {
        let own = self
            .environment
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let environment: Vec<_> = own.chain(more.iter().copied()).collect();
        vitrine::run(args, &environment, PATIENCE).unwrap()
    }
}

/// Simulated event files whose topics have names of their own, and those topics at the broker.
fn prepare(broker: &Broker, dir: &Path) -> Case {
    let events = dir.join("events");
    let args = [
        "simulate",
        "--days",
        "4",
        "--customers",
        "40",
        "--partitions",
        "2",
        "--dirty",
        "--out",
    ];
    let args: Vec<&str> = args.into_iter().chain([events.to_str().unwrap()]).collect();
    vitrine::run(args, &[], PATIENCE)
        .unwrap()
        .success()
        .unwrap();
    let url = format!("file://{}", dir.join("storage").display());
    let mut environment = vec![
        (
            "VITRINE__SOURCE__BROKERS".to_owned(),
            broker.address().to_owned(),
        ),
        ("VITRINE__STORAGE__URL".to_owned(), url),
        (
            "VITRINE__REFERENCE__DIR".to_owned(),
            events.join("ref").display().to_string(),
        ),
        ("VITRINE__EPOCH__INTERVAL".to_owned(), "500ms".to_owned()),
    ];
    for topic in ["orders", "visits", "complaints", "prices"] {
        let name = broker.topic(topic, 2, &[]).unwrap();
        fs::rename(events.join(format!("{topic}.v1")), events.join(&name)).unwrap();
        environment.push((format!("VITRINE__TOPICS__{}", topic.to_uppercase()), name));
    }
    for topic in ["alerts", "demand"] {
        let name = broker.topic(topic, 1, &[]).unwrap();
        environment.push((format!("VITRINE__TOPICS__{}", topic.to_uppercase()), name));
    }
    Case { environment }
}

/// Lines of the event files of one topic.
fn lines(folder: &Path) -> usize {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .map(|file| {
            fs::read(file)
                .unwrap()
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
        })
        .sum()
}

#[test]
fn what_was_published_is_accounted_for_and_recomputed() {
    let broker = Broker::shared().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let case = prepare(broker, dir.path());
    let events = dir.path().join("events");

    let checked = case.run(&["check"]).success().unwrap();
    assert!(
        checked.stdout.lines().all(|line| line.contains(": ok (")),
        "{}",
        checked.stdout
    );

    let published = case
        .run(&["publish", events.to_str().unwrap()])
        .success()
        .unwrap();
    let mut sent = 0;
    for line in published.stdout.lines() {
        let (topic, records) = line.split_once(": ").unwrap();
        let expected = lines(&events.join(topic));
        assert_eq!(records, format!("{expected} records"), "{topic}");
        sent += expected as u64;
    }
    assert!(sent > 200, "{}", published.stdout);

    case.run(&["run", "--until-caught-up"]).success().unwrap();

    let audited = case.run(&["audit"]).success().unwrap();
    assert!(!audited.stdout.contains("DIFFERS"), "{}", audited.stdout);
    let compared = |table: &str| -> u64 {
        let begin = format!("metrics.{table}: ");
        let line = audited
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix(&begin))
            .unwrap();
        line.split_once(' ').unwrap().0.parse().unwrap()
    };
    assert!(compared("demand_orders") > 0, "{}", audited.stdout);

    // finality of the epoch reaches the views
    let asked = "SELECT count(*) AS rows FROM metrics.demand_orders WHERE is_final";
    let said = case
        .run(&["sql", asked, "--format", "csv"])
        .success()
        .unwrap();
    let rows: u64 = said.stdout.lines().nth(1).unwrap().parse().unwrap();
    assert!(rows > 0, "{}", said.stdout);

    let said = case.run(&["status", "--json"]).success().unwrap();
    let status: Value = serde_json::from_str(&said.stdout).unwrap();
    let totals = &status["totals"];
    assert_eq!(totals["read"], sent);
    let verdicts = ["accepted", "duplicate", "dead_letters", "too_late"];
    let judged: u64 = verdicts
        .iter()
        .map(|verdict| totals[verdict].as_u64().unwrap())
        .sum();
    assert_eq!(judged, sent);
    let inputs = status["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), 8);
    assert!(
        inputs.iter().all(|input| input["lag"] == 0),
        "{}",
        said.stdout
    );

    // a broker that is away is said so, and nothing fails
    let away = [("VITRINE__SOURCE__BROKERS", "127.0.0.1:1")];
    let said = case.run_with(&["status"], &away).success().unwrap();
    assert!(
        said.stdout.contains("lag is not known: no broker answered"),
        "{}",
        said.stdout
    );

    // days of another zone hold other facts, so they cannot be compared (K44)
    let other = [("VITRINE__TIME__ZONE", "UTC")];
    let audited = case.run_with(&["audit"], &other);
    assert_eq!(audited.code(), Some(2), "{}", audited.stderr);
    assert!(audited.stderr.contains("[time] zone"), "{}", audited.stderr);
}

#[test]
fn mistakes_are_told_with_exit_code_2() {
    let broker = Broker::shared().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let case = prepare(broker, dir.path());
    let events = dir.path().join("events");

    // input topics are never created
    let missing = [("VITRINE__TOPICS__ORDERS", "orders.v1")];
    fs::create_dir(events.join("orders.v1")).unwrap();
    let refused = case.run_with(&["publish", events.to_str().unwrap()], &missing);
    assert_eq!(refused.code(), Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("topic=orders.v1"),
        "{}",
        refused.stderr
    );

    let file = dir.path().join("vitrine.toml");
    fs::write(
        &file,
        "[source]\nbrokrs = \"a\"\n[epoch]\nseal_every = \"soon\"\n",
    )
    .unwrap();
    let checked = case.run(&["--config", file.to_str().unwrap(), "check"]);
    assert_eq!(checked.code(), Some(2), "{}", checked.stderr);
    for key in ["[source] brokrs: unknown key", "[epoch] seal_every: "] {
        assert!(checked.stdout.contains(key), "{}", checked.stdout);
    }
}
