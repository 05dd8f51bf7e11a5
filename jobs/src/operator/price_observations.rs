//! `facts.price_observations`: market prices observed at retailers, classified as valid or outlier (M06, M07; K14).
//!
//! Every accepted `price.observed` is a fact, at `observed_at`. One outside 0.3 to 3 times the suggested price (as of `observed_at`,
//! bounds included) is in quarantine: its state is OUTLIER, and it is classified again when the list price changes. Without a
//! suggested price there is no quarantine.
//!
//! `is_last_of_day` marks the last VALID SELLING observation of a local day (`observed_at`, then stamp), so that a retailer's latest
//! price in any span of days is that of its last pane.
//!
//! Reading: an observation without `price_basis` is UNKNOWN, not SELLING.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::columns::{Columns, FactColumn, FactTable};
use pipeline::error::Result;
use pipeline::history::{Fact, HistoryEntry, Operator, OperatorContext};
use pipeline::time::Zone;
use schemas::event::{Topic, TopicSet};
use schemas::money::Fen;
use schemas::partition::partition_of;
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::sell_through::ShelfKey;
use crate::reference::{PriceType, RetailReference, UNKNOWN};

const SELLING: &str = "SELLING";

/// Whether an observation counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ObservationState {
    Valid,
    Outlier,
}

impl ObservationState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Outlier => "OUTLIER",
        }
    }

    /// K14, in whole fen: 0.3 × suggested ≤ price ≤ 3 × suggested.
    fn classify(price: Fen, suggested: Option<Fen>) -> Self {
        let Some(suggested) = suggested.map(|suggested| i128::from(suggested.as_fen())) else {
            return Self::Valid;
        };
        let price = i128::from(price.as_fen());
        if 10 * price >= 3 * suggested && price <= 3 * suggested {
            Self::Valid
        } else {
            Self::Outlier
        }
    }
}

/// An observed price.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PriceObservationFact {
    pub customer_id: Arc<str>,
    pub sku_id: Arc<str>,
    pub territory_id: Arc<str>,
    pub class_id: Arc<str>,
    /// `observed_at`.
    pub instant: TimestampMs,
    pub event_id: Arc<str>,
    pub price_basis: Arc<str>,
    pub state: ObservationState,
    pub is_last_of_day: bool,
    pub price: Fen,
}

static TABLE: FactTable<PriceObservationFact> = FactTable::new(
    "Market prices observed at retailers (市场价格)",
    &[
        FactColumn::text("customer_id", "Retailer (客户)", |f| &f.customer_id),
        FactColumn::text("sku_id", "SKU (品规)", |f| &f.sku_id),
        FactColumn::text("territory_id", "Territory at that instant (片区)", |f| {
            &f.territory_id
        }),
        FactColumn::text(
            "class_id",
            "Retailer class at that instant (客户类别)",
            |f| &f.class_id,
        ),
        FactColumn::instant(
            "instant",
            "When the price was observed (采价时间)",
            |f| f.instant,
        ),
        FactColumn::text("event_id", "Event that reported it (事件)", |f| {
            &f.event_id
        }),
        FactColumn::text(
            "price_basis",
            "SELLING, BUYBACK, UNKNOWN (价格口径)",
            |f| &f.price_basis,
        ),
        FactColumn::text(
            "state",
            "VALID, or OUTLIER in quarantine, K14 (状态)",
            |f| f.state.as_str(),
        ),
        FactColumn::flag(
            "is_last_of_day",
            "Whether it is the day's last valid selling price (当日最后)",
            |f| f.is_last_of_day,
        ),
        FactColumn::integer("price_fen", "Price per base unit in fen (价格)", |f| {
            f.price.as_fen()
        }),
    ],
);

impl Fact for PriceObservationFact {
    fn table() -> &'static FactTable<Self> {
        &TABLE
    }

    fn instant(&self) -> TimestampMs {
        self.instant
    }
}

/// One `price.observed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Observation {
    pub observed_at: TimestampMs,
    pub price: Fen,
    pub price_basis: Arc<str>,
}

/// See the module's page. Every shard reads all prices; the shard that owns the customer publishes the facts.
pub(crate) struct PriceObservations {
    pub zone: Zone,
    pub shard: u32,
    pub shards: u32,
}

impl Operator for PriceObservations {
    type Reference = RetailReference;
    type Key = ShelfKey;
    type Event = Observation;
    type Fact = PriceObservationFact;

    fn name(&self) -> &'static str {
        "price_observations"
    }

    fn topics(&self) -> TopicSet {
        TopicSet::of(&[Topic::Prices])
    }

    fn project(
        &self,
        _topic: Topic,
        batch: &RecordBatch,
        emit: &mut dyn FnMut(usize, ShelfKey, Observation),
    ) -> Result<()> {
        let columns = Columns::of(batch);
        let event_type = columns.text("event_type")?;
        let customer_id = columns.text("customer_id")?;
        let sku_id = columns.text("sku_id")?;
        let price_fen = columns.integer("price_fen")?;
        let observed_at = columns.instant("observed_at")?;
        let price_basis = columns.text("price_basis")?;
        for row in 0..batch.num_rows() {
            if !event_type.is(row, "price.observed") {
                continue;
            }
            if let (Some(customer), Some(sku), Some(price_fen), Some(observed_at)) = (
                customer_id.shared(row),
                sku_id.shared(row),
                price_fen.get(row),
                observed_at.get(row),
            ) {
                let price_basis = price_basis.shared(row).unwrap_or_else(|| UNKNOWN.into());
                let observation = Observation {
                    observed_at,
                    price: Fen::from_fen(price_fen),
                    price_basis,
                };
                emit(row, (customer, sku), observation);
            }
        }
        Ok(())
    }

    fn facts(
        &self,
        key: &ShelfKey,
        history: &[HistoryEntry<Observation>],
        context: &mut OperatorContext<'_, RetailReference>,
        out: &mut Vec<PriceObservationFact>,
    ) {
        let (customer_id, sku_id) = key;
        if !history.is_empty() {
            context.read(sku_id);
        }
        // By day: the latest instant, and the index of its fact in `out`.
        let mut last_of_day = BTreeMap::new();
        for entry in history {
            let event = &entry.event;
            let at = event.observed_at;
            let customer = context.reference.customer(customer_id, at);
            let suggested = context.reference.list_price(
                sku_id,
                &customer.region_code,
                PriceType::SuggestedRetail,
                at,
            );
            let state = ObservationState::classify(event.price, suggested);
            if state == ObservationState::Valid && *event.price_basis == *SELLING {
                let last = last_of_day
                    .entry(self.zone.day_of(at))
                    .or_insert((at, out.len()));
                // The history is in the order of stamps: of equal instants the later entry counts.
                if at >= last.0 {
                    *last = (at, out.len());
                }
            }
            out.push(PriceObservationFact {
                customer_id: customer_id.clone(),
                sku_id: sku_id.clone(),
                territory_id: customer.territory_id.clone(),
                class_id: customer.class_id.clone(),
                instant: at,
                event_id: entry.stamp.event_id.clone(),
                price_basis: event.price_basis.clone(),
                state,
                is_last_of_day: false,
                price: event.price,
            });
        }
        for (_, index) in last_of_day.into_values() {
            out[index].is_last_of_day = true;
        }
    }

    fn is_public(&self, fact: &PriceObservationFact) -> bool {
        partition_of(fact.customer_id.as_bytes(), self.shards) == self.shard
    }
}

#[cfg(test)]
mod tests;
