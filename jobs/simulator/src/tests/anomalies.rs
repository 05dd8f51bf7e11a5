//! The planted anomalies are visible in the events of the default plan, and nowhere else.

use std::collections::BTreeMap;

use schemas::time::DurationMs;

use super::run::{Run, demo, instant, int, text};
use crate::days::Days;
use crate::{Anomaly, Plan};

fn anomaly<'r>(run: &'r Run, kind: &str) -> &'r Anomaly {
    run.summary
        .anomalies
        .iter()
        .find(|anomaly| anomaly.kind == kind)
        .unwrap_or_else(|| panic!("no {kind} is planted"))
}

/// By customer: the margin of observed prices over the first list prices, and the number of SKUs observed.
fn margins(run: &Run) -> BTreeMap<String, (f64, usize)> {
    let wholesale: BTreeMap<String, i64> = run
        .events("price.list_set")
        .iter()
        .filter(|price| price["price_type"] == "WHOLESALE" && price["region_code"] == "ALL")
        .rev()
        .map(|price| (text(&price["sku_id"]).to_owned(), int(&price["price_fen"])))
        .collect();
    let mut observed: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for price in run.standing("price.observed") {
        let sku_id = text(&price["sku_id"]).to_owned();
        let ratio = int(&price["price_fen"]) * 10 / wholesale[&sku_id];
        // Prices in a wrong unit are for the quarantine.
        if price["price_basis"] == "SELLING" && (5..30).contains(&ratio) {
            observed
                .entry(text(&price["customer_id"]).to_owned())
                .or_default()
                .insert(sku_id, int(&price["price_fen"]));
        }
    }
    let margin = |prices: &BTreeMap<String, i64>| {
        let sales: i64 = prices.values().sum();
        let cost: i64 = prices.keys().map(|sku_id| wholesale[sku_id]).sum();
        ((sales - cost) as f64 / sales as f64, prices.len())
    };
    observed
        .iter()
        .map(|(customer, prices)| (customer.clone(), margin(prices)))
        .collect()
}

#[test]
fn one_retailer_has_a_margin_of_five_per_cent_and_the_others_about_ten() {
    let run = Run::of(&demo());
    let squeezed = &anomaly(&run, "margin_squeeze").subjects["customer_id"];
    let margins = margins(&run);
    assert_eq!(margins.len(), 50);
    for (customer, (margin, skus)) in &margins {
        if customer == squeezed {
            assert!(
                (0.045..0.06).contains(margin) && *skus == 15,
                "{margin} of {skus}"
            );
        } else {
            assert!(
                (0.092..0.125).contains(margin),
                "{customer}: {margin} of {skus}"
            );
        }
    }
}

#[test]
fn on_one_evening_no_department_is_notified_of_complaints_before_the_morning() {
    let run = Run::of(&demo());
    let silence = anomaly(&run, "silent_complaint_desk");
    let ended: BTreeMap<_, _> = run
        .events("case.call_ended")
        .iter()
        .map(|event| {
            (
                text(&event["case_id"]).to_owned(),
                instant(&event["call_ended_at"]),
            )
        })
        .collect();
    let notified: BTreeMap<_, _> = run
        .events("case.dept_notified")
        .iter()
        .map(|event| {
            (
                text(&event["case_id"]).to_owned(),
                instant(&event["occurred_at"]),
            )
        })
        .collect();
    let silent = run
        .events("case.opened")
        .iter()
        .filter(|case| {
            case["case_kind"] == "COMPLAINT"
                && case["unit_id"] == silence.subjects["unit_id"].as_str()
        })
        .filter(|case| (silence.from..silence.to).contains(&instant(&case["occurred_at"])))
        .filter(|case| ended.contains_key(text(&case["case_id"])))
        .inspect(|case| {
            let notified = notified.get(text(&case["case_id"]));
            let morning = silence.to + DurationMs::from_hours(10);
            assert!(notified.is_none_or(|notified| *notified >= morning));
        })
        .count();
    assert!(silent >= 8, "silent={silent}");
    let in_time = ended
        .iter()
        .filter(|(case, ended)| {
            notified
                .get(*case)
                .is_some_and(|notified| *notified - **ended <= DurationMs::from_minutes(10))
        })
        .count();
    assert!(
        in_time > 4 * silent,
        "on other evenings departments are notified"
    );
}

#[test]
fn satisfaction_with_one_unit_drops() {
    let run = Run::of(&demo());
    let drop = anomaly(&run, "satisfaction_drop");
    let mean = |in_period: bool, of_unit: bool| {
        let scores: Vec<i64> = run
            .events("survey.answered")
            .iter()
            .filter(|event| (instant(&event["occurred_at"]) >= drop.from) == in_period)
            .filter(|event| (event["unit_id"] == drop.subjects["unit_id"].as_str()) == of_unit)
            .flat_map(|event| event["answers"].as_array().unwrap().clone())
            .filter(|answer| answer["question_id"] == "Q0")
            .filter_map(|answer| answer["score"].as_i64())
            .collect();
        assert!(scores.len() >= 20, "{} answers", scores.len());
        scores.iter().sum::<i64>() as f64 / scores.len() as f64
    };
    assert!(mean(true, true) < 3.0 && mean(false, true) > 4.0);
    assert!(mean(true, false) > 4.0);
}

#[test]
fn a_popular_sku_runs_out_at_many_sample_retailers() {
    let run = Run::of(&demo());
    let short = anomaly(&run, "stock_out");
    let week_two = Days::of(&demo()).unwrap().day(7).start;
    let mut empty: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for event in run.standing("visit.info_collected") {
        for item in event["stock"].as_array().unwrap() {
            if instant(&item["counted_at"]) >= week_two {
                let (zero, all) = empty.entry(text(&item["sku_id"]).to_owned()).or_default();
                *zero += usize::from(int(&item["qty"]) == 0);
                *all += 1;
            }
        }
    }
    let share = |sku_id: &str| {
        let (zero, all) = empty[sku_id];
        zero * 100 / all
    };
    assert!(share(&short.subjects["sku_id"]) >= 40, "{empty:?}");
    assert!(share("SKU001") < 20, "{empty:?}");
    for allocated in run.events("order.allocated") {
        let in_period = (short.from..short.to).contains(&instant(&allocated["occurred_at"]));
        for line in allocated["lines"].as_array().unwrap() {
            if in_period && line["sku_id"] == short.subjects["sku_id"].as_str() {
                assert_eq!(int(&line["allocated_qty"]), 0);
            }
        }
    }
}

#[test]
fn a_short_run_plants_only_the_anomalies_that_fit() {
    let run = Run::of(&Plan { days: 3, ..demo() });
    let kinds: Vec<_> = run
        .summary
        .anomalies
        .iter()
        .map(|anomaly| anomaly.kind)
        .collect();
    assert_eq!(kinds, ["margin_squeeze"]);
}
