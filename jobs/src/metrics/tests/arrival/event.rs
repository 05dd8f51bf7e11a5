//! Events of a small distributor: two shards, three retailers (two of different shards share a territory), two SKUs.

use std::fmt;
use std::sync::{Arc, LazyLock};

use schemas::event::Topic;
use schemas::partition::partition_of;
use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};

use crate::operator::fixture::instant;
use crate::reference::fixture::reference_data;
use crate::reference::{ReferenceData, RetailReference};

/// Shards, and partitions of every topic.
pub(super) const SHARDS: u32 = 2;

pub(super) const SKUS: [&str; 2] = ["S1", "S2"];

/// Retailers: 0 and 2 belong to shard 0, 1 belongs to shard 1; 0 and 1 share a territory.
pub(super) static CUSTOMERS: LazyLock<[String; 3]> = LazyLock::new(|| {
    let mut unused: Vec<String> = (1..50).map(|number| format!("C{number}")).collect();
    [0, 1, 0].map(|shard| {
        let is_of_shard = |id: &String| partition_of(id.as_bytes(), SHARDS) == shard;
        let place = unused.iter().position(is_of_shard).unwrap();
        unused.remove(place)
    })
});

/// The instant this many days after the beginning of Monday, 2 March 2026, in Shanghai.
pub(super) fn start_of(day: i64) -> TimestampMs {
    static MONDAY: LazyLock<TimestampMs> = LazyLock::new(|| instant("2026-03-02T00:00:00+08:00"));
    *MONDAY + day * DurationMs::DAY
}

/// The instant of this time on that day.
pub(super) fn at(day: i64, time_of_day: DurationMs) -> TimestampMs {
    start_of(day) + time_of_day
}

/// Two versions of the reference data: in the second, retailer 1 moves after eight days and retailer 2 is of class B from the start. SKU 1
/// is constrained and gets its plans with the second version; of SKU 2 an order may be of 8, then of 4.
pub(super) fn reference(version: usize) -> RetailReference {
    static VERSIONS: LazyLock<[Arc<ReferenceData>; 2]> = LazyLock::new(|| {
        let [first, second, third] = &*CUSTOMERS;
        let moved = format!(
            "{second},T1,A,R1,AR1,RETAILER,,2026-03-10T00:00:00+08:00\n\
             {second},T2,B,R2,AR2,RETAILER,2026-03-10T00:00:00+08:00,\n\
             {third},T2,B,R2,AR2,RETAILER,,\n"
        );
        let stayed = format!("{second},T1,A,R1,AR1,RETAILER,,\n{third},T2,A,R2,AR2,RETAILER,,\n");
        [stayed.clone(), moved].map(|others| {
            let rows = format!(
                "customer_id,territory_id,class_id,region_code,area_unit_id,customer_kind,valid_from,valid_to\n\
                 {first},T1,A,R1,AR1,RETAILER,,\n{others}"
            );
            let plans = if others == stayed { "" } else { "S1,A,ALL,6,,\n" };
            let plans = format!(
                "sku_id,class_id,area_unit_id,cap_qty,valid_from,valid_to\n{plans}\
                 S2,ALL,ALL,8,,2026-03-06T12:00:00+08:00\nS2,ALL,ALL,4,2026-03-06T12:00:00+08:00,\n"
            );
            let skus = "sku_id,supply_status\nS1,CONSTRAINED\nS2,NORMAL\n";
            Arc::new(reference_data(&[
                ("ref_customer.csv", &rows),
                ("ref_sku.csv", skus),
                ("ref_allocation_plan.csv", &plans),
            ]))
        })
    });
    RetailReference::new(VERSIONS[version].clone())
}

/// The event that a correction names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Corrects {
    Nothing,
    /// Another event of the same topic and scope (modulo their number).
    SameScope(usize),
    /// The event of this number in any topic and scope; it may not exist, or be the correction itself.
    Any(usize),
}

/// One event; its number in the scenario gives its id.
#[derive(Clone)]
pub(super) struct Event {
    pub event_type: &'static str,
    pub occurred_at: TimestampMs,
    pub recorded_at: TimestampMs,
    /// Index in [`CUSTOMERS`]; list prices have none.
    pub customer: Option<usize>,
    pub corrects: Corrects,
    /// The fields of its type beside the envelope.
    pub fields: Value,
}

impl Event {
    pub(super) fn new(
        event_type: &'static str,
        occurred_at: TimestampMs,
        customer: Option<usize>,
        fields: Value,
    ) -> Self {
        Self {
            event_type,
            occurred_at,
            recorded_at: occurred_at,
            customer,
            corrects: Corrects::Nothing,
            fields,
        }
    }

    pub(super) fn topic(&self) -> Topic {
        match self.event_type.split('.').next() {
            Some("order") => Topic::Orders,
            Some("visit") => Topic::Visits,
            Some("price") => Topic::Prices,
            _ => Topic::Complaints,
        }
    }

    /// What a correction and the event that it names must share (K23).
    fn scope(&self) -> (Topic, Option<usize>, Option<&str>) {
        let sku_id = match self.customer {
            Some(_) => None,
            None => self.fields["sku_id"].as_str(),
        };
        (self.topic(), self.customer, sku_id)
    }

    pub(super) fn partition(&self) -> u32 {
        let key = match self.customer {
            Some(customer) if self.topic().is_keyed() => &CUSTOMERS[customer],
            _ => self.fields["sku_id"].as_str().unwrap_or_default(),
        };
        partition_of(key.as_bytes(), SHARDS)
    }

    /// The record's value, as event `number` of `all`.
    pub(super) fn payload(&self, number: usize, all: &[Event]) -> Vec<u8> {
        let mut record = json!({
            "event_id": id(number),
            "event_type": self.event_type,
            "schema_version": 1,
            "occurred_at": self.occurred_at,
            "recorded_at": self.recorded_at,
        });
        if let Some(customer) = self.customer {
            record["customer_id"] = CUSTOMERS[customer].as_str().into();
        }
        if let Some(target) = self.corrected(number, all) {
            record["corrects"] = target.into();
        }
        let fields = self.fields.as_object().unwrap().clone();
        record.as_object_mut().unwrap().extend(fields);
        serde_json::to_vec(&record).unwrap()
    }

    fn corrected(&self, number: usize, all: &[Event]) -> Option<String> {
        match self.corrects {
            Corrects::Nothing => None,
            Corrects::Any(target) => Some(id(target)),
            Corrects::SameScope(target) => {
                let has_same_scope =
                    |&other: &usize| other != number && all[other].scope() == self.scope();
                let candidates: Vec<usize> = (0..all.len()).filter(has_same_scope).collect();
                let place = target.checked_rem(candidates.len())?;
                Some(id(candidates[place]))
            }
        }
    }
}

pub(super) fn id(number: usize) -> String {
    format!("e{number}")
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since_monday = self.occurred_at - start_of(0);
        let days = since_monday.as_ms().div_euclid(DurationMs::DAY.as_ms());
        let time_of_day = self.occurred_at - start_of(days);
        let minutes = time_of_day.as_ms() as f64 / DurationMs::MINUTE.as_ms() as f64;
        write!(f, "{} day {days} minute {minutes}", self.event_type)?;
        if let Some(customer) = self.customer {
            write!(f, " {}", CUSTOMERS[customer])?;
        }
        if self.corrects != Corrects::Nothing {
            write!(f, " {:?}", self.corrects)?;
        }
        write!(f, " {}", self.fields)
    }
}
