//! Reference data that change under a running service (design 3.6): new revisions, kept by content, what is broken is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tests::events::{Events, Topics, message};
use tests::kafka::Broker;
use tests::project::Project;

use crate::bad_input::order;
use crate::kills::hurried;
use crate::proof::{assert_equal, expect_with};
use crate::refusals::refused;

/// Thursday 2026-01-08, 0:00 in Shanghai: when a customer moves.
const MOVES: &str = "2026-01-07T16:00:00Z";

#[test]
fn a_customer_moves_while_the_service_runs() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--days", "10", "--customers", "40", "--seed", "9"];
    let events = Events::simulate(folder.path().join("events"), &args).unwrap();
    let reference = folder.path().join("ref");
    fs::create_dir(&reference).unwrap();
    for file in fs::read_dir(events.reference()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), reference.join(file.file_name())).unwrap();
    }
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    events.send(broker, &topics).unwrap();
    let project = hurried(Project::on_kafka(broker, &topics, &reference).unwrap())
        .set("VITRINE__EPOCH__INTERVAL", "500ms");
    let running = project.start(&["run"]).unwrap();
    let records = events.count().unwrap() as i64;
    settled(&project, records);
    let most = "SELECT customer_id FROM events.orders GROUP BY customer_id ORDER BY count(*) DESC, customer_id LIMIT 1";
    let customer = project.value(most).unwrap().as_str().unwrap().to_owned();
    let before = restated(&project);

    // from a day that is long final on
    let file = reference.join("ref_customer.csv");
    let moved = with_move(&fs::read_to_string(&file).unwrap(), &customer);
    replace(&file, &moved);
    let found = "SELECT DISTINCT window_start AS start FROM metrics.demand_orders
                 WHERE window_kind = 'D1' AND territory_id = 'T-MOVED'";
    project
        .until("the new territory has rows", |project| {
            Ok(!project.query(found)?.is_empty())
        })
        .unwrap();
    settled(&project, records);
    let days = project.query(found).unwrap();
    let from = MOVES.trim_end_matches('Z');
    assert!(
        days.iter()
            .all(|day| day["start"].as_str().unwrap() >= from),
        "before the customer moved: {days:?}"
    );
    let after = restated(&project);
    assert!(
        after.len() > before.len() && after.is_superset(&before),
        "what was final and has changed is restated: {after:?}"
    );
    let is_before = |day: &&String| day.as_str() < from;
    assert_eq!(
        after.iter().filter(is_before).count(),
        before.iter().filter(is_before).count(),
        "days before it are as they were"
    );

    // a file that nobody can read: said once, and everything goes on under the version that is in force
    let bad = moved.lines().count() + 1;
    replace(&file, &format!("{moved}{}", broken(&moved)));
    let said = |text: &str| {
        let stderr = running.stderr().unwrap();
        let lines = stderr.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    project
        .until("the broken file is reported", |_| {
            Ok(!said("stays in force").is_empty())
        })
        .unwrap();
    let partition = schemas::partition::partition_of(customer.as_bytes(), 4) as i32;
    let mut own = events.partitions("orders.v1").unwrap()[partition as usize].clone();
    // on the evening of the last day
    let mut last = order("LAST", 1_768_392_000_000);
    last["customer_id"] = customer.clone().into();
    own.push(last.to_string().into_bytes());
    let record = message(partition, own.last().unwrap());
    broker.produce(topics.orders(), [record]).unwrap();
    events.write("orders.v1", partition as usize, &own).unwrap();
    let territory = "SELECT DISTINCT territory_id FROM facts.order_lines WHERE order_id = 'LAST'";
    project
        .until("an event is ingested", |project| {
            Ok(!project.query(territory)?.is_empty())
        })
        .unwrap();
    assert_eq!(project.value(territory).unwrap(), "T-MOVED");
    thread::sleep(Duration::from_secs(2));
    let complaints = said("stays in force");
    let place = format!("ref_customer.csv:{bad}: column=valid_from: `yesterday`");
    assert!(
        complaints.len() == 1 && complaints[0].contains(&place),
        "{complaints:?}"
    );
    let changes = said("reference data have changed");
    assert_eq!(changes.len(), 1, "{changes:?}");

    // killed, it comes back with what it had sealed; started anew it would not begin with a broken file
    running.kill().unwrap();
    let line = refused(&project, &["run"], 2);
    assert!(line.contains(&place), "{line}");
    replace(&file, &moved);
    project.run(&["run", "--drain"]).unwrap();
    let expected = folder.path().join("expected");
    expect_with(&events, &reference, &expected);
    assert_equal(&project, &expected);
    assert!(restated(&project).is_superset(&after));

    // the archive holds both versions and nothing that was broken, and is all that is read from here on
    let kept = fs::read_dir(project.storage().join("reference")).unwrap();
    assert_eq!(kept.count(), 2);
    fs::remove_dir_all(&reference).unwrap();
    let audit = project.run(&["audit"]).unwrap().stdout;
    assert!(!audit.contains("DIFFERS"), "{audit}");
}

/// Puts a file in the place of another at one moment: the service never finds a part of it.
fn replace(file: &Path, text: &str) {
    let beside = tempfile::NamedTempFile::new_in(file.parent().unwrap().parent().unwrap()).unwrap();
    fs::write(&beside, text).unwrap();
    beside.persist(file).unwrap();
}

/// Waits until every record is public and no window waits for a revision.
fn settled(project: &Project, records: i64) {
    project
        .until("nothing is left to publish", |project| {
            let public = "SELECT sum(read_n) FROM ops.conservation";
            Ok(project.status()?["epoch"]["unrevised_windows"] == 0
                && project.number(public)? == records)
        })
        .unwrap();
}

/// Starts of the days of which some row was restated.
fn restated(project: &Project) -> BTreeSet<String> {
    let days = "SELECT DISTINCT window_start AS start FROM metrics_revisions.demand_orders
                WHERE window_kind = 'D1' AND restated";
    let days = project.query(days).unwrap();
    days.iter()
        .map(|day| day["start"].as_str().unwrap().to_owned())
        .collect()
}

/// The customers' file with the version in force of `customer` ending at [`MOVES`], and another territory from there on.
fn with_move(text: &str, customer: &str) -> String {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|found| *found == name).unwrap();
    let (id, territory) = (column("customer_id"), column("territory_id"));
    let (from, to) = (column("valid_from"), column("valid_to"));
    let mut moved = format!("{}\n", header.join(","));
    for line in lines {
        let mut cells: Vec<&str> = line.split(',').collect();
        if cells[id] != customer || !cells[to].is_empty() {
            moved += &format!("{line}\n");
            continue;
        }
        assert!(cells[from] < MOVES, "{line}");
        cells[to] = MOVES;
        moved += &format!("{}\n", cells.join(","));
        (cells[from], cells[to], cells[territory]) = (MOVES, "", "T-MOVED");
        moved += &format!("{}\n", cells.join(","));
    }
    assert!(moved.contains("T-MOVED"), "{customer} has no open version");
    moved
}

/// The last line of the file once more, valid from an instant that is none.
fn broken(text: &str) -> String {
    let from = text.lines().next().unwrap().split(',');
    let from = from.into_iter().position(|name| name == "valid_from");
    let mut cells: Vec<&str> = text.lines().last().unwrap().split(',').collect();
    cells[from.unwrap()] = "yesterday";
    format!("{}\n", cells.join(","))
}
