//! `censored` of the demand feed (K27), by hand and by the oracle, before and after the plans change.

use std::collections::BTreeMap;
use std::fs;

use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};
use tests::events::{Events, Line};
use tests::project::Project;

use crate::proof::{assert_equal, expect, number};

/// Monday 2026-01-05, noon in Shanghai.
const NOON: TimestampMs = TimestampMs::from_ms(1_767_585_600_000);
/// Midnight before the third day.
const THIRD_DAY: &str = "2026-01-07T00:00:00+08:00";

/// An order placed at noon of a day; of each line SKU and quantity.
fn placed(event_id: &str, day: i64, customer: &str, lines: &[(&str, i64)]) -> Line {
    let at = NOON + DurationMs::from_days(day);
    let lines: Vec<Value> = lines
        .iter()
        .zip(1..)
        .map(|((sku, qty), line_no)| json!({"line_no": line_no, "sku_id": sku, "requested_qty": qty}))
        .collect();
    let event = json!({
        "event_id": event_id, "event_type": "order.placed", "schema_version": 1, "occurred_at": at, "recorded_at": at,
        "customer_id": customer, "order_id": event_id, "lines": lines,
    });
    event.to_string().into_bytes()
}

fn orders() -> Vec<Line> {
    vec![
        // Ten over both lines: the cap of class A in area U1. Five are the cap of S2. Nobody planned S3.
        placed("e0", 0, "C1", &[("S1", 6), ("S2", 5), ("S3", 1), ("S1", 4)]),
        // No plan for area U2.
        placed("e1", 0, "C3", &[("S1", 1)]),
        placed("e2", 1, "C1", &[("S1", 9)]),
        // No plan for class B.
        placed("e3", 3, "C2", &[("S1", 1)]),
        placed("e4", 4, "C1", &[("S2", 4)]),
    ]
}

fn write_reference(events: &Events, plans: &str) {
    let plans =
        format!("plan_id,sku_id,class_id,area_unit_id,cap_qty,valid_from,valid_to\n{plans}");
    for (name, text) in [
        (
            "ref_customer",
            "customer_id,class_id,territory_id,area_unit_id,valid_from,valid_to\n\
             C1,A,T1,U1,,\nC2,B,T1,U1,,\nC3,A,T2,U2,,\n",
        ),
        (
            "ref_territory",
            "territory_id,area_unit_id,valid_from,valid_to\nT1,U1,,\nT2,U2,,\n",
        ),
        (
            "ref_sku",
            "sku_id,supply_status,valid_from,valid_to\nS1,CONSTRAINED,,\nS2,NORMAL,,\nS3,CONSTRAINED,,\n",
        ),
        ("ref_allocation_plan", &plans),
    ] {
        fs::write(events.reference().join(format!("{name}.csv")), text).unwrap();
    }
}

/// Of each series, a letter a day from Monday on: censored `C`, zero-filled `c`; not censored `:`, zero-filled `.`.
fn feed(project: &Project) -> BTreeMap<String, String> {
    let query =
        "SELECT unique_id, censored, is_zero_filled FROM feeds.demand_daily ORDER BY unique_id, ds";
    let mut series: BTreeMap<String, String> = BTreeMap::new();
    for row in project.query(query).unwrap() {
        let letter = match (row["censored"] == true, row["is_zero_filled"] == true) {
            (true, false) => 'C',
            (true, true) => 'c',
            (false, false) => ':',
            (false, true) => '.',
        };
        let name = row["unique_id"].as_str().unwrap().to_owned();
        series.entry(name).or_default().push(letter);
    }
    series
}

fn named(series: [(&str, &str); 4]) -> BTreeMap<String, String> {
    let named = series.map(|(name, days)| (name.to_owned(), days.to_owned()));
    named.into()
}

#[test]
fn k27_days_are_censored_by_caps_and_missing_plans_and_restated_when_plans_change() {
    let folder = tempfile::tempdir().unwrap();
    let events = Events::in_folder(folder.path().join("events"));
    fs::create_dir_all(events.reference()).unwrap();
    events.write("orders.v1", 0, &orders()).unwrap();
    write_reference(&events, "AP1,S1,A,U1,10,,\nAP1,S2,ALL,ALL,5,,\n");
    let project = Project::on_files(&events).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    assert_eq!(
        feed(&project),
        named([
            ("S1|T1", "C:.C."),
            ("S1|T2", "Ccccc"),
            ("S2|T1", "C...:"),
            ("S3|T1", "Ccccc"),
        ])
    );
    let proved = |name: &str| {
        let expected = folder.path().join(name);
        expect(&events, &expected);
        assert_equal(&project, &expected);
        let audit = project.run(&["audit"]).unwrap().stdout;
        assert!(!audit.contains("DIFFERS"), "{audit}");
    };
    proved("before");
    let restated = "SELECT count(*) FROM feeds.status WHERE control = 'restated'";
    assert_eq!(project.number(restated).unwrap(), 0);

    // A higher cap, a plan for class B, and one for S3 from the third day on. All days are final.
    let plans = format!(
        "AP2,S1,A,U1,11,,\nAP2,S1,B,ALL,20,,\nAP2,S2,ALL,ALL,5,,\nAP2,S3,ALL,ALL,9,{THIRD_DAY},\n"
    );
    write_reference(&events, &plans);
    project.run(&["run", "--drain"]).unwrap();
    assert_eq!(
        feed(&project),
        named([
            ("S1|T1", "::.:."),
            // The plan for class B is one for every area: where nobody ordered, some class could have.
            ("S1|T2", "C...."),
            ("S2|T1", "C...:"),
            ("S3|T1", "Cc..."),
        ])
    );
    proved("after");
    // What changed has a second revision, and no other row.
    let revisions = "SELECT revision, count(*) AS n FROM feeds.demand_daily GROUP BY revision ORDER BY revision";
    let revisions = project.query(revisions).unwrap();
    let revisions: Vec<_> = revisions
        .iter()
        .map(|row| (number(&row["revision"]), number(&row["n"])))
        .collect();
    assert_eq!(revisions, [(1, 11), (2, 9)]);
    // Each day has one.
    let days = "SELECT ds FROM feeds.status WHERE control = 'restated' ORDER BY ds";
    let days = project.query(days).unwrap();
    let days: Vec<_> = days.iter().map(|row| row["ds"].as_str().unwrap()).collect();
    assert_eq!(
        days,
        [
            "2026-01-05",
            "2026-01-06",
            "2026-01-07",
            "2026-01-08",
            "2026-01-09"
        ]
    );
}
