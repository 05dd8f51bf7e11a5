//! A whole shard, without input and output: accepted events in, facts out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use pipeline::shard::Clocks;
use schemas::event::Topic;
use schemas::money::Fen;
use serde_json::{Value, json};

use super::*;
use crate::operator::fixture::{batch, ms};
use crate::reference::PriceType;
use crate::reference::fixture::one_customer;

/// When everything happens, unless said otherwise.
const AT: &str = "2026-03-03T10:00:00+08:00";

/// A row's columns by their names.
type Row = BTreeMap<String, String>;

/// A shard, and the sum of all weights that it gave out.
struct Shard {
    core: ShardState<RetailReference>,
    runtime: tokio::runtime::Runtime,
    facts: BTreeMap<(String, Row), i64>,
    /// (topic, correction).
    orphans: BTreeMap<(&'static str, String), i64>,
}

impl Shard {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let zone = Zone(chrono_tz::Asia::Shanghai);
        let (metrics, policy) = (metrics().unwrap(), policy().unwrap());
        let core = shard_core(zone, 0, 1, one_customer(), metrics, policy, Vec::new());
        Self {
            core: runtime.block_on(core).unwrap(),
            runtime,
            facts: BTreeMap::new(),
            orphans: BTreeMap::new(),
        }
    }

    /// Events of one batch, all clocks having passed.
    fn hear(&mut self, topic: Topic, events: &[(&str, &str, Value)]) {
        let sets = self.core.clock_sets();
        let clocks: Clocks = sets.into_keys().map(|set| (set, ms(AT) * 2)).collect();
        let batches = [(topic, batch(topic, events))];
        let applied = self.core.apply(&batches, &clocks, None);
        let effects = self.runtime.block_on(applied).unwrap();
        for (table, rows) in effects.facts {
            let schema = rows.schema();
            let weights = rows[WEIGHT].as_primitive::<Int64Type>();
            for row in 0..rows.num_rows() {
                let cell = |(column, field): (usize, &Arc<Field>)| {
                    let text = array_value_to_string(rows.column(column), row).unwrap();
                    (field.name().clone(), text)
                };
                let mut cells: Row = schema.fields().iter().enumerate().map(cell).collect();
                cells.remove(WEIGHT);
                *self.facts.entry((table.clone(), cells)).or_default() += weights.value(row);
            }
        }
        for orphan in effects.orphans {
            let key = (orphan.topic.name(), orphan.event_id);
            *self.orphans.entry(key).or_default() += orphan.weight;
        }
    }

    /// The facts that hold, in these columns, sorted.
    fn facts(&self, table: &str, columns: &[&str]) -> Vec<String> {
        assert!(self.facts.values().all(|weight| matches!(weight, 0 | 1)));
        let held = self
            .facts
            .iter()
            .filter(|((of, _), weight)| of == table && **weight == 1);
        let mut rows: Vec<String> = held
            .map(|((_, row), _)| {
                columns
                    .iter()
                    .map(|column| row[*column].as_str())
                    .collect::<Vec<_>>()
            })
            .map(|cells| cells.join(" "))
            .collect();
        rows.sort();
        rows
    }

    fn orphans(&self) -> Vec<(&'static str, &str)> {
        let held = self.orphans.iter().filter(|(_, weight)| **weight != 0);
        held.map(|((topic, event_id), _)| (*topic, event_id.as_str()))
            .collect()
    }
}

/// An order of one line, or another version of it.
fn order(event_id: &str, qty: i64, more: Value) -> Value {
    let mut fields = json!({
        "event_id": event_id, "order_id": "O1",
        "lines": [{"line_no": 1, "sku_id": "S1", "requested_qty": qty, "wholesale_price_fen": 10}],
    });
    let fields_of = fields.as_object_mut().unwrap();
    fields_of.extend(more.as_object().unwrap().clone());
    fields
}

const REQUESTED: &[&str] = &["customer_id", "kind", "qty"];

#[test]
fn k23_a_correction_takes_out_the_event_it_names_in_its_own_topic_and_of_its_own_customer() {
    let mut shard = Shard::new();
    shard.hear(
        Topic::Orders,
        &[("order.placed", AT, order("first", 5, json!({})))],
    );

    let case = json!({
        "event_id": "case", "corrects": "first", "case_id": "K1", "case_kind": "COMPLAINT", "channel": "WEB",
        "received_at": ms(AT),
    });
    shard.hear(Topic::Complaints, &[("case.opened", AT, case)]);
    let of_another = order(
        "other",
        3,
        json!({"customer_id": "C2", "corrects": "first"}),
    );
    shard.hear(Topic::Orders, &[("order.placed", AT, of_another)]);
    assert_eq!(
        shard.facts("order_lines", REQUESTED),
        ["C1 REQUESTED 5", "C2 REQUESTED 3"]
    );
    // What they are beside a correction counts all the same.
    assert_eq!(shard.facts("sla_steps", &["case_id"]).len(), 5);
    assert_eq!(
        shard.orphans(),
        [("complaints", "case"), ("orders", "other")]
    );

    let again = order("second", 7, json!({"corrects": "first"}));
    shard.hear(Topic::Orders, &[("order.placed", AT, again)]);
    assert_eq!(
        shard.facts("order_lines", REQUESTED),
        ["C1 REQUESTED 7", "C2 REQUESTED 3"]
    );
    assert_eq!(
        shard.orphans(),
        [("complaints", "case"), ("orders", "other")]
    );
}

#[test]
fn k23_a_correction_that_comes_first_keeps_its_event_out_and_is_an_orphan_until_then() {
    let mut shard = Shard::new();
    let again = order("second", 7, json!({"corrects": "first"}));
    shard.hear(Topic::Orders, &[("order.placed", AT, again)]);
    assert_eq!(shard.orphans(), [("orders", "second")]);
    shard.hear(
        Topic::Orders,
        &[("order.placed", AT, order("first", 5, json!({})))],
    );
    assert_eq!(shard.facts("order_lines", REQUESTED), ["C1 REQUESTED 7"]);
    assert_eq!(shard.orphans(), []);
}

#[test]
fn k23_without_a_customer_it_reaches_within_its_sku() {
    let mut shard = Shard::new();
    let set = |event_id: &str, sku_id: &str, price_fen: i64, corrects: Option<&str>| {
        let fields = json!({
            "event_id": event_id, "customer_id": null, "sku_id": sku_id, "price_type": "WHOLESALE", "price_fen": price_fen,
            "valid_from": ms(AT), "corrects": corrects,
        });
        ("price.list_set", AT, fields)
    };
    let price = |shard: &Shard| {
        let reference = shard.core.reference();
        let price = reference.list_price("S1", "R1", PriceType::Wholesale, ms(AT));
        price.map(Fen::as_fen)
    };
    // Of two that begin at once the later id decides; `a` would give way to `b` were it not for the correction.
    shard.hear(Topic::Prices, &[set("b", "S1", 100, None)]);
    shard.hear(Topic::Prices, &[set("of another", "S2", 1, Some("b"))]);
    assert_eq!(price(&shard), Some(100));
    assert_eq!(shard.orphans(), [("prices", "of another")]);
    shard.hear(Topic::Prices, &[set("a", "S1", 110, Some("b"))]);
    assert_eq!(price(&shard), Some(110));
    assert_eq!(shard.orphans(), [("prices", "of another")]);
}

#[test]
fn k14_a_quarantined_observation_is_kept_as_an_outlier_and_judged_again_by_a_new_list_price() {
    let mut shard = Shard::new();
    let observed = json!({
        "event_id": "seen", "sku_id": "S1", "price_fen": 1_000, "price_basis": "SELLING", "observed_at": ms(AT),
    });
    let set = |event_id: &str, price_fen: i64| {
        let fields = json!({
            "event_id": event_id, "customer_id": null, "sku_id": "S1", "price_type": "SUGGESTED_RETAIL",
            "price_fen": price_fen, "valid_from": ms(AT),
        });
        ("price.list_set", AT, fields)
    };
    let states = |shard: &Shard| shard.facts("price_observations", &["state", "is_last_of_day"]);
    shard.hear(Topic::Prices, &[("price.observed", AT, observed)]);
    assert_eq!(states(&shard), ["VALID true"]);
    shard.hear(Topic::Prices, &[set("p1", 333)]);
    assert_eq!(states(&shard), ["OUTLIER false"]);
    shard.hear(Topic::Prices, &[set("p2", 334)]);
    assert_eq!(states(&shard), ["VALID true"]);
}

#[test]
fn k08_of_versions_of_one_instant_the_later_recorded_and_then_the_later_id_counts() {
    let placed = || {
        (
            "order.placed",
            "2026-03-03T09:00:00+08:00",
            order("placed", 1, json!({})),
        )
    };
    let amended = |event_id: &str, qty, recorded_after_ms| {
        let more = json!({"recorded_at": ms(AT) + recorded_after_ms});
        ("order.amended", AT, order(event_id, qty, more))
    };
    let table = [
        // By id `z` would win; it was written down earlier.
        ([amended("z", 2, 0), amended("a", 3, 1)], "C1 REQUESTED 3"),
        ([amended("y", 4, 5), amended("z", 5, 5)], "C1 REQUESTED 5"),
    ];
    for (versions, expected) in table {
        let [first, second] = versions;
        for order_of_arrival in [[first.clone(), second.clone()], [second, first]] {
            let mut shard = Shard::new();
            shard.hear(Topic::Orders, &[placed()]);
            for version in order_of_arrival {
                shard.hear(Topic::Orders, &[version]);
            }
            assert_eq!(shard.facts("order_lines", REQUESTED), [expected]);
        }
    }
}
