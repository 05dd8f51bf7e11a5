//! K33: alerts of retailers' margins that end by silence, or are corrected.

use serde_json::json;
use tests::events::Line;
use tests::project::Project;

use super::distributor::{FIVE, at, distributor, event, listed, order, prices, visits, write};
use crate::proof::{assert_equal, assert_margin_alerts, expect};

#[test]
fn k33_eight_weeks_of_silence_resolve_an_open_alert() {
    let (_folder, events) = distributor();
    write(&events);
    let project = Project::on_files(&events).unwrap();
    project
        .run(&["run", "--drain-to", "2026-06-01T00:00:00Z"])
        .unwrap();
    let rows = project
        .query("SELECT subject, state, reason, window_end FROM ops.alerts WHERE rule_id = 'A01' AND reason IS NOT NULL")
        .unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        [&rows[0]["subject"], &rows[0]["state"], &rows[0]["reason"]],
        ["A01|C3", "resolved", "no_data"]
    );
}

/// Prices that are corrected after their windows have been judged.
#[test]
fn k33_a_late_correction_withdraws_an_alert_and_brings_it_back() {
    let (folder, events) = distributor();
    let mut prices = prices();
    prices.retain(|line| !String::from_utf8_lossy(line).contains("dearer"));
    // Time goes on in all topics.
    let mut visits = visits();
    visits.push(event(
        "visit.started",
        "last-visit",
        at(26, 0),
        "C1",
        json!({"visit_id": "last"}),
    ));
    events.write("visits.v1", 0, &visits).unwrap();
    prices.push(listed(
        "last-price",
        at(26, 0),
        "S9",
        ("WHOLESALE", 500),
        json!({}),
    ));
    events.write("prices.v1", 0, &prices).unwrap();
    let flow = |to: i64| -> Vec<Line> {
        (10..to)
            .map(|day| {
                order(
                    "placed",
                    &format!("day-{day}"),
                    at(day, 0),
                    ("C1", &format!("D{day}")),
                    json!({}),
                )
            })
            .collect()
    };
    events.write("orders.v1", 0, &flow(30)).unwrap();
    let project = Project::on_files(&events)
        .unwrap()
        .set("VITRINE__EPOCH__REVISE_EVERY", "1s");
    project.run(&["run", "--until-caught-up"]).unwrap();
    let states = |project: &Project| -> Vec<String> {
        let rows = project
            .query("SELECT state FROM ops.alerts WHERE subject = 'A01|C3' AND reason IS NULL ORDER BY sequence")
            .unwrap();
        rows.iter()
            .map(|row| row["state"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(states(&project), ["firing"]);

    let mut corrected = prices.clone();
    corrected.extend(FIVE.iter().enumerate().map(|(number, sku)| {
        let more = json!({"sku_id": sku, "price_fen": 200, "observed_at": at(7, 4), "price_basis": "SELLING",
                          "collection_id": "again", "corrects": format!("C3-{number}")});
        event("price.observed", &format!("again-{number}"), at(20, 6), "C3", more)
    }));
    events.write("prices.v1", 0, &corrected).unwrap();
    events.write("orders.v1", 0, &flow(31)).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(states(&project), ["firing", "withdrawn"]);

    let expected = folder.path().join("expected");
    expect(&events, &expected);
    let said = project.run(&["run", "--drain"]).unwrap().stdout;
    assert_equal(&project, &expected);
    assert_margin_alerts(&project, &expected, &said);
}
