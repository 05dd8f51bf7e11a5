//! K7 from outside: how far a drain goes, what it leaves behind, and what changes after a row was final.

use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::PATIENCE;
use tests::by_hand::{self, line};
use tests::events::{Events, Line, Topics, message};
use tests::kafka::Broker;
use tests::project::Project;

use crate::proof::number;
use crate::refusals::refused;

/// Monday 2026-01-05, 10:00 in Shanghai.
const MONDAY: TimestampMs = TimestampMs::from_ms(1_767_578_400_000);

/// Event files of a test's own, without reference data.
fn no_events() -> (TempDir, Events) {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::empty(folder.path().join("events")).unwrap();
    (folder, events)
}

fn event(event_type: &str, event_id: &str, at: TimestampMs, more: Value) -> Line {
    let mut event = by_hand::event(event_type, event_id, at, more);
    event["customer_id"] = "C1".into();
    line(&event)
}

fn placed(order_id: &str, at: TimestampMs) -> Line {
    let lines =
        json!([{"line_no": 1, "sku_id": "S1", "requested_qty": 5, "wholesale_price_fen": 100}]);
    let more = json!({"order_id": order_id, "order_kind": "REGULAR", "lines": lines});
    event("order.placed", order_id, at, more)
}

#[test]
fn k07_a_drain_goes_to_the_last_window_of_a_deadline_and_leaves_the_storage_closed() {
    let (_folder, events) = no_events();
    // Sunday 2026-01-11, 22:00. The last deadline, of the callback, is 24 hours later and so in the week after.
    let evening = MONDAY + DurationMs::from_days(6) + DurationMs::from_hours(12);
    let opened = json!({"case_id": "K1", "case_kind": "COMPLAINT", "channel": "WEB", "received_at": evening});
    let case = event("case.opened", "opened", evening, opened);
    events.write("complaints.v1", 0, &[case]).unwrap();
    let project = Project::on_files(&events).unwrap();
    let said = project.run(&["run", "--drain"]).unwrap().stdout;
    // That week ends on Monday the 19th, 00:00 in Shanghai, and complaints may be two days late.
    assert!(
        said.starts_with("drained to 2026-01-20T16:00:00.000Z\n"),
        "{said}"
    );
    let rows = "SELECT step_id FROM metrics.sla_compliance WHERE window_kind = 'W1' AND breached_n = 1 AND is_final";
    assert_eq!(project.query(rows).unwrap().len(), 5);

    let revisions = "SELECT count(*) FROM metrics_revisions.sla_compliance";
    let before = project.number(revisions).unwrap();
    for args in [&["run"][..], &["run", "--until-caught-up"]] {
        let line = refused(&project, args, 2);
        assert!(
            line.contains("was drained") && line.contains("run --drain"),
            "{line}"
        );
    }
    let again = project.run(&["run", "--drain"]).unwrap().stdout;
    assert_eq!(
        again.lines().next(),
        said.lines().next(),
        "nothing moves any more"
    );
    assert_eq!(project.number(revisions).unwrap(), before);
}

#[test]
fn k07_a_drain_takes_in_what_came_after_the_last_run_and_closes_it() {
    let (_folder, events) = no_events();
    let first = placed("O1", MONDAY);
    events
        .write("orders.v1", 0, std::slice::from_ref(&first))
        .unwrap();
    let project = Project::on_files(&events).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(requested(&project), (Vec::new(), None));

    let second = placed("O2", MONDAY + DurationMs::from_ms(1));
    events.write("orders.v1", 0, &[first, second]).unwrap();
    let said = project.run(&["run", "--drain"]).unwrap().stdout;
    // M06 waits longest for an order: windows of 28 days until Monday 2026-02-02, 14 days ahead, seven days late.
    assert!(
        said.starts_with("drained to 2026-02-22T16:00:00.000Z\n"),
        "{said}"
    );
    assert_eq!(requested(&project), (vec![(1, 10, false)], Some(true)));
}

/// What is published of the demand of that Monday: (revision, requested quantity, restated) of each revision, and whether the last
/// is final by now.
fn requested(project: &Project) -> (Vec<(i64, i64, bool)>, Option<bool>) {
    let of_monday =
        "demand_orders WHERE window_kind = 'D1' AND window_start = '2026-01-04T16:00:00Z'";
    let query = format!(
        "SELECT revision, requested_qty, restated FROM metrics_revisions.{of_monday} ORDER BY revision"
    );
    let revisions = project.query(&query).unwrap();
    let revisions = revisions
        .iter()
        .map(|row| {
            let restated = row["restated"].as_bool().unwrap();
            (
                number(&row["revision"]),
                number(&row["requested_qty"]),
                restated,
            )
        })
        .collect();
    let query = format!("SELECT is_final FROM metrics.{of_monday}");
    let latest = project.query(&query).unwrap();
    assert!(latest.len() <= 1);
    (
        revisions,
        latest.first().and_then(|row| row["is_final"].as_bool()),
    )
}

#[test]
fn k07_what_changes_after_a_row_was_final_is_restated_and_what_changes_before_is_not() {
    let (_folder, events) = no_events();
    let project = Project::on_files(&events).unwrap();
    let mut lines = Vec::new();
    let mut run_with = |more: Line| {
        lines.push(more);
        events.write("orders.v1", 0, &lines).unwrap();
        project.run(&["run", "--until-caught-up"]).unwrap();
        requested(&project)
    };
    run_with(placed("O1", MONDAY));
    // The clock, a minute behind the last event, passes the end of Monday.
    let tuesday = run_with(placed("O2", MONDAY + DurationMs::DAY));
    assert_eq!(tuesday, (vec![(1, 5, false)], Some(false)));
    // An order of Monday that comes late, but not too late.
    let late = run_with(placed("O3", MONDAY + DurationMs::from_ms(1)));
    let two = vec![(1, 5, false), (2, 10, false)];
    assert_eq!(late, (two.clone(), Some(false)));
    // Two days and a minute after the end of Monday it is final.
    let weeks_later = MONDAY + DurationMs::from_days(20);
    let closed = run_with(placed("O4", weeks_later));
    assert_eq!(closed, (two, Some(true)));
    // Orders have no look-back (K24): a cancellation takes away what was asked for weeks ago.
    let more = json!({"order_id": "O3"});
    let cancelled = run_with(event(
        "order.cancelled",
        "cancelled",
        weeks_later + DurationMs::from_ms(1),
        more,
    ));
    let three = vec![(1, 5, false), (2, 10, false), (3, 5, true)];
    assert_eq!(cancelled, (three, Some(true)));
}

/// A running service revises a window at most once an hour here. A late order comes just before Monday is final.
#[test]
fn k40_a_row_is_final_with_the_last_change_that_came_in_time() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path())
        .unwrap()
        .set("VITRINE__EPOCH__SEAL_EVERY", "100ms")
        .set("VITRINE__EPOCH__INTERVAL", "300ms")
        .set("VITRINE__EPOCH__REVISE_EVERY", "1h");
    let send = |order_id: &str, at: TimestampMs| {
        let record = message(0, &placed(order_id, at));
        broker.produce(topics.orders(), [record]).unwrap();
    };
    let monday = "SELECT requested_qty, is_final FROM metrics.demand_orders \
                  WHERE window_kind = 'D1' AND window_start = '2026-01-04T16:00:00Z'";
    let row = |project: &Project| -> Option<(i64, bool)> {
        let rows = project.query(monday).ok()?;
        let row = rows.first()?;
        Some((number(&row["requested_qty"]), row["is_final"].as_bool()?))
    };
    send("O1", MONDAY);
    send("O2", MONDAY + DurationMs::DAY);
    let running = project.start(&["run"]).unwrap();
    project
        .until("Monday is published", |project| {
            Ok(row(project) == Some((5, false)))
        })
        .unwrap();
    send("O3", MONDAY + DurationMs::from_ms(1));
    let orders = "SELECT count(*) FROM events.orders";
    project
        .until("the late order is public", |project| {
            Ok(project.number(orders)? == 3)
        })
        .unwrap();
    assert_eq!(row(&project), Some((5, false)), "too soon for a revision");
    send("O4", MONDAY + DurationMs::from_days(20));
    project
        .until("Monday is final", |project| {
            let found = row(project);
            assert_ne!(found, Some((5, true)), "final without the late order");
            Ok(found == Some((10, true)))
        })
        .unwrap();
    running.terminate(PATIENCE).unwrap();
}

/// An interval between two counts may still close 14 days after the window: M02 waits for it, and then for what is late.
#[test]
fn k07_rows_of_a_metric_that_looks_ahead_are_final_that_much_later() {
    let (_folder, events) = no_events();
    let count = |id: &str, at: TimestampMs, qty: i64| {
        let stock = json!([{"sku_id": "S1", "qty": qty, "counted_at": at}]);
        event(
            "visit.info_collected",
            id,
            at,
            json!({"collection_id": id, "stock": stock}),
        )
    };
    let counts = [
        count("first", MONDAY, 9),
        count("second", MONDAY + DurationMs::DAY, 4),
    ];
    events.write("visits.v1", 0, &counts).unwrap();
    events
        .write("orders.v1", 0, &[placed("O1", MONDAY)])
        .unwrap();
    let project = Project::on_files(&events).unwrap();
    // The week ends on Monday the 12th; 14 days ahead and 7 days late make 21.
    let week_end = MONDAY + DurationMs::from_days(7) - DurationMs::from_hours(10);
    let final_at = week_end + DurationMs::from_days(21);
    let is_final = |at: TimestampMs| {
        project
            .run(&["run", "--drain-to", &at.to_string()])
            .unwrap();
        let of = |table: &str| {
            let query = format!("SELECT is_final FROM metrics.{table} WHERE window_kind = 'W1'");
            project.value(&query).unwrap().as_bool().unwrap()
        };
        [of("sell_through"), of("demand_orders")]
    };
    let orders_late = week_end + DurationMs::from_days(2);
    assert_eq!(is_final(orders_late), [false, true]);
    assert_eq!(is_final(final_at - DurationMs::from_ms(1)), [false, true]);
    assert_eq!(is_final(final_at), [true, true]);
}
