//! A whole shard without I/O: accepted events in, facts out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use pipeline::shard::Clocks;
use schemas::event::Topic;
use schemas::money::Fen;
use schemas::time::DurationMs;
use serde_json::{Value, json};

use super::*;
use crate::operator::fixture::{batch, instant};
use crate::reference::PriceType;
use crate::reference::fixture::one_customer;

/// The instant of events unless a test names another.
const AT: &str = "2026-03-03T10:00:00+08:00";

/// The cells of a row by column.
type Row = BTreeMap<String, String>;

/// A shard, and the sum of all weights that it has emitted.
struct Shard {
    state: ShardState<RetailReference>,
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
        let state = shard_state(zone, 0, 1, one_customer(), metrics, policy, Vec::new());
        Self {
            state: runtime.block_on(state).unwrap(),
            runtime,
            facts: BTreeMap::new(),
            orphans: BTreeMap::new(),
        }
    }

    /// Ingests one batch of events; all clocks have passed.
    fn ingest(&mut self, topic: Topic, events: &[(&str, &str, Value)]) {
        let sets = self.state.clock_sets();
        let clock = instant(AT) + DurationMs::from_days(20_000);
        let clocks: Clocks = sets.into_iter().map(|set| (set, clock)).collect();
        let batches = [(topic, batch(topic, events))];
        let applied = self.state.apply(&batches, &clocks, None);
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
        let current = self
            .facts
            .iter()
            .filter(|((of, _), weight)| of == table && **weight == 1);
        let mut rows: Vec<String> = current
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
        let current = self.orphans.iter().filter(|(_, weight)| **weight != 0);
        current
            .map(|((topic, event_id), _)| (*topic, event_id.as_str()))
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
fn k23_a_correction_removes_the_event_it_names_in_its_own_topic_and_of_its_own_customer() {
    let mut shard = Shard::new();
    shard.ingest(
        Topic::Orders,
        &[("order.placed", AT, order("first", 5, json!({})))],
    );

    let case = json!({
        "event_id": "case", "corrects": "first", "case_id": "K1", "case_kind": "COMPLAINT", "channel": "WEB",
        "received_at": instant(AT),
    });
    shard.ingest(Topic::Complaints, &[("case.opened", AT, case)]);
    let of_another = order(
        "other",
        3,
        json!({"customer_id": "C2", "corrects": "first"}),
    );
    shard.ingest(Topic::Orders, &[("order.placed", AT, of_another)]);
    assert_eq!(
        shard.facts("order_lines", REQUESTED),
        ["C1 REQUESTED 5", "C2 REQUESTED 3"]
    );
    // Apart from the correction these events count as usual.
    assert_eq!(shard.facts("sla_steps", &["case_id"]).len(), 5);
    assert_eq!(
        shard.orphans(),
        [("complaints", "case"), ("orders", "other")]
    );

    let again = order("second", 7, json!({"corrects": "first"}));
    shard.ingest(Topic::Orders, &[("order.placed", AT, again)]);
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
fn k23_a_correction_that_arrives_first_removes_its_event_and_is_an_orphan_until_then() {
    let mut shard = Shard::new();
    let again = order("second", 7, json!({"corrects": "first"}));
    shard.ingest(Topic::Orders, &[("order.placed", AT, again)]);
    assert_eq!(shard.orphans(), [("orders", "second")]);
    shard.ingest(
        Topic::Orders,
        &[("order.placed", AT, order("first", 5, json!({})))],
    );
    assert_eq!(shard.facts("order_lines", REQUESTED), ["C1 REQUESTED 7"]);
    assert_eq!(shard.orphans(), []);
}

#[test]
fn k23_without_a_customer_a_correction_is_limited_to_its_sku() {
    let mut shard = Shard::new();
    let set = |event_id: &str, sku_id: &str, price_fen: i64, corrects: Option<&str>| {
        let fields = json!({
            "event_id": event_id, "customer_id": null, "sku_id": sku_id, "price_type": "WHOLESALE", "price_fen": price_fen,
            "valid_from": instant(AT), "corrects": corrects,
        });
        ("price.list_set", AT, fields)
    };
    let price = |shard: &Shard| {
        let reference = shard.state.reference();
        let price = reference.list_price("S1", "R1", PriceType::Wholesale, instant(AT));
        price.map(Fen::as_fen)
    };
    // Of two that begin at once the later id decides: without the correction `b` would override `a`.
    shard.ingest(Topic::Prices, &[set("b", "S1", 100, None)]);
    shard.ingest(Topic::Prices, &[set("of another", "S2", 1, Some("b"))]);
    assert_eq!(price(&shard), Some(100));
    assert_eq!(shard.orphans(), [("prices", "of another")]);
    shard.ingest(Topic::Prices, &[set("a", "S1", 110, Some("b"))]);
    assert_eq!(price(&shard), Some(110));
    assert_eq!(shard.orphans(), [("prices", "of another")]);
}

#[test]
fn k14_a_quarantined_observation_is_an_outlier_and_is_classified_again_after_a_new_list_price() {
    let mut shard = Shard::new();
    let observed = json!({
        "event_id": "seen", "sku_id": "S1", "price_fen": 1_000, "price_basis": "SELLING", "observed_at": instant(AT),
    });
    let set = |event_id: &str, price_fen: i64| {
        let fields = json!({
            "event_id": event_id, "customer_id": null, "sku_id": "S1", "price_type": "SUGGESTED_RETAIL",
            "price_fen": price_fen, "valid_from": instant(AT),
        });
        ("price.list_set", AT, fields)
    };
    let states = |shard: &Shard| shard.facts("price_observations", &["state", "is_last_of_day"]);
    shard.ingest(Topic::Prices, &[("price.observed", AT, observed)]);
    assert_eq!(states(&shard), ["VALID true"]);
    shard.ingest(Topic::Prices, &[set("p1", 333)]);
    assert_eq!(states(&shard), ["OUTLIER false"]);
    shard.ingest(Topic::Prices, &[set("p2", 334)]);
    assert_eq!(states(&shard), ["VALID true"]);
}

#[test]
fn k08_of_versions_of_one_instant_the_later_recorded_counts_and_then_the_later_id() {
    let placed = || {
        (
            "order.placed",
            "2026-03-03T09:00:00+08:00",
            order("placed", 1, json!({})),
        )
    };
    let amended = |event_id: &str, qty, recorded_after_ms| {
        let more = json!({"recorded_at": instant(AT) + DurationMs::from_ms(recorded_after_ms)});
        ("order.amended", AT, order(event_id, qty, more))
    };
    let table = [
        // `z` has the later id but was recorded earlier.
        ([amended("z", 2, 0), amended("a", 3, 1)], "C1 REQUESTED 3"),
        ([amended("y", 4, 5), amended("z", 5, 5)], "C1 REQUESTED 5"),
    ];
    for (versions, expected) in table {
        let [first, second] = versions;
        for order_of_arrival in [[first.clone(), second.clone()], [second, first]] {
            let mut shard = Shard::new();
            shard.ingest(Topic::Orders, &[placed()]);
            for version in order_of_arrival {
                shard.ingest(Topic::Orders, &[version]);
            }
            assert_eq!(shard.facts("order_lines", REQUESTED), [expected]);
        }
    }
}

#[test]
fn k28_ids_of_staff_stand_in_restricted_columns_of_events_and_facts() {
    const STAFF: [&str; 9] = [
        "actor_id",
        "visitor_id",
        "staff_id",
        "resolver_id",
        "named_staff_id",
        "complained_staff_id",
        "client_manager_id",
        "market_manager_id",
        "manager_id",
    ];
    let mut met = BTreeMap::new();
    for table in stored_tables(Zone(chrono_tz::Asia::Shanghai)).unwrap() {
        if !["events", "facts"].contains(&&*table.schema_name) {
            continue;
        }
        let fields = table.schema.flattened_fields();
        for field in fields
            .iter()
            .filter(|field| STAFF.contains(&field.name().as_str()))
        {
            let metadata = field.metadata();
            let place = format!("{}.{}", table.schema_name, field.name());
            assert_eq!(
                metadata.get("class").map(String::as_str),
                Some("S"),
                "{place}"
            );
            assert!(
                metadata["comment"].contains("Restricted, class S"),
                "{place}"
            );
            *met.entry(field.name().clone()).or_insert(0) += 1;
        }
    }
    assert_eq!(met["actor_id"], 4, "one a topic");
    assert!(met.contains_key("named_staff_id"), "inside a list");
}
