//! `facts.sell_through`: what a retailer sold between two counts of one SKU, spread over the days between (M02; K11, K12).
//!
//! ```text
//!   count 40          +30 delivered                 count 25        sell = 40 + 30 − 25 = 45
//!   t1 ├───────┼───────┼───────┼───────┼───────┼───────┤ t2        one fact a local day, summing to 45 exactly
//! ```
//!
//! An interval between two consecutive counts (`t1`, `t2`] is used if it is at most 14 days long. Only `order.delivered` and `order.returned` move stock. A
//! negative result is no sale: it counts as one negative interval at `t2`. Dimensions are those at `t2`, for every day.
//!
//! Reading: of several counts at one instant the one with the later stamp, then the later item of its event, is the count.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::columns::{Columns, FactColumn, FactTable};
use pipeline::error::Result;
use pipeline::history::{Fact, HistoryEntry, Operator, OperatorContext};
use pipeline::time::Zone;
use schemas::event::{Topic, TopicSet};
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::reference::RetailReference;

/// The longest interval that is used, itself included (K12).
const MAX_INTERVAL: DurationMs = DurationMs::from_days(14);

/// One in DECIMAL(38, 6).
const MILLION: i128 = 1_000_000;

/// One day's part of an interval, or a negative interval.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SellThroughFact {
    pub customer_id: Arc<str>,
    pub sku_id: Arc<str>,
    pub territory_id: Arc<str>,
    pub class_id: Arc<str>,
    /// Where the part begins; `t2` of a negative interval.
    pub instant: TimestampMs,
    /// In millionths of a base unit.
    pub sell_through_qty: i128,
    /// 1 for a part of a used interval, also if nothing was sold.
    pub parts_n: i64,
    pub negative_intervals: i64,
}

static TABLE: FactTable<SellThroughFact> = FactTable::new(
    "Sales of retailers to consumers, by day between two counts (社会销量)",
    &[
        FactColumn::text("customer_id", "Retailer (客户)", |f| &f.customer_id),
        FactColumn::text("sku_id", "SKU (品规)", |f| &f.sku_id),
        FactColumn::text(
            "territory_id",
            "Territory at the second count (片区)",
            |f| &f.territory_id,
        ),
        FactColumn::text(
            "class_id",
            "Retailer class at the second count (客户类别)",
            |f| &f.class_id,
        ),
        FactColumn::instant("instant", "Where the part begins (起点)", |f| f.instant),
        FactColumn::decimal(
            "sell_through_qty",
            "Quantity sold, split by time, K11 (销量)",
            |f| f.sell_through_qty,
        ),
        FactColumn::integer(
            "parts_n",
            "1 for a part of a used interval (有效区间)",
            |f| f.parts_n,
        ),
        FactColumn::integer(
            "negative_intervals",
            "1 for an interval with a negative result (负区间)",
            |f| f.negative_intervals,
        ),
    ],
);

impl Fact for SellThroughFact {
    fn table() -> &'static FactTable<Self> {
        &TABLE
    }

    fn instant(&self) -> TimestampMs {
        self.instant
    }
}

/// What happened to the stock of one SKU at one retailer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum StockEvent {
    Counted { counted_at: TimestampMs, qty: i64 },
    Delivered { qty: i64 },
    Returned { qty: i64 },
}

/// (customer_id, sku_id)
pub(crate) type ShelfKey = (Arc<str>, Arc<str>);

/// See the module's page.
pub(crate) struct SellThrough {
    pub zone: Zone,
}

impl Operator for SellThrough {
    type Reference = RetailReference;
    type Key = ShelfKey;
    type Event = StockEvent;
    type Fact = SellThroughFact;

    fn name(&self) -> &'static str {
        "sell_through"
    }

    fn topics(&self) -> TopicSet {
        TopicSet::of(&[Topic::Orders, Topic::Visits])
    }

    fn project(
        &self,
        topic: Topic,
        batch: &RecordBatch,
        emit: &mut dyn FnMut(usize, ShelfKey, StockEvent),
    ) -> Result<()> {
        match topic {
            Topic::Orders => project_movements(batch, emit),
            _ => project_counts(batch, &mut |row, key, counted_at, qty| {
                emit(row, key, StockEvent::Counted { counted_at, qty });
            }),
        }
    }

    fn facts(
        &self,
        key: &ShelfKey,
        history: &[HistoryEntry<StockEvent>],
        context: &mut OperatorContext<'_, RetailReference>,
        out: &mut Vec<SellThroughFact>,
    ) {
        // Movements have the order of the history, which is that of their instants.
        let mut movements = history.iter().filter_map(movement).peekable();
        for pair in counts(history).windows(2) {
            let (from, to) = (pair[0], pair[1]);
            while movements.next_if(|(at, _)| *at <= from.at).is_some() {}
            let mut sold = i128::from(from.qty) - i128::from(to.qty);
            while let Some((_, qty)) = movements.next_if(|(at, _)| *at <= to.at) {
                sold += qty;
            }
            if to.at - from.at > MAX_INTERVAL {
                continue;
            }
            let customer = context.reference.customer(&key.0, to.at);
            let fact = |instant, sell_through_qty, parts_n| SellThroughFact {
                customer_id: key.0.clone(),
                sku_id: key.1.clone(),
                territory_id: customer.territory_id.clone(),
                class_id: customer.class_id.clone(),
                instant,
                sell_through_qty,
                parts_n,
                negative_intervals: 1 - parts_n,
            };
            if sold < 0 {
                out.push(fact(to.at, 0, 0));
                continue;
            }
            let parts = split_by_day(sold, from.at, to.at, self.zone);
            out.extend(parts.map(|(begin, part)| fact(begin, part, 1)));
        }
    }
}

/// Calls `emit(row, key, counted_at, qty)` for each counted item in a batch of visit events, in order.
pub(super) fn project_counts(
    batch: &RecordBatch,
    emit: &mut dyn FnMut(usize, ShelfKey, TimestampMs, i64),
) -> Result<()> {
    let columns = Columns::of(batch);
    let event_type = columns.text("event_type")?;
    let customer_id = columns.text("customer_id")?;
    let stock = columns.list("stock")?;
    let items = stock.items();
    let (sku_id, qty) = (items.text("sku_id")?, items.integer("qty")?);
    let counted_at = items.instant("counted_at")?;
    for row in 0..batch.num_rows() {
        if !event_type.is(row, "visit.info_collected") {
            continue;
        }
        let Some(customer) = customer_id.shared(row) else {
            continue;
        };
        for item in stock.range(row) {
            if let (Some(sku), Some(qty), Some(counted_at)) =
                (sku_id.shared(item), qty.get(item), counted_at.get(item))
            {
                emit(row, (customer.clone(), sku), counted_at, qty);
            }
        }
    }
    Ok(())
}

fn project_movements(
    batch: &RecordBatch,
    emit: &mut dyn FnMut(usize, ShelfKey, StockEvent),
) -> Result<()> {
    let columns = Columns::of(batch);
    let event_type = columns.text("event_type")?;
    let customer_id = columns.text("customer_id")?;
    let lines = columns.list("lines")?;
    let items = lines.items();
    let sku_id = items.text("sku_id")?;
    let delivered_qty = items.integer("delivered_qty")?;
    let returned_qty = items.integer("returned_qty")?;
    for row in 0..batch.num_rows() {
        let is_delivery = event_type.is(row, "order.delivered");
        if !is_delivery && !event_type.is(row, "order.returned") {
            continue;
        }
        let Some(customer) = customer_id.shared(row) else {
            continue;
        };
        for item in lines.range(row) {
            let Some(sku) = sku_id.shared(item) else {
                continue;
            };
            let event = if is_delivery {
                delivered_qty
                    .get(item)
                    .map(|qty| StockEvent::Delivered { qty })
            } else {
                returned_qty
                    .get(item)
                    .map(|qty| StockEvent::Returned { qty })
            };
            if let Some(event) = event {
                emit(row, (customer.clone(), sku), event);
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Count {
    at: TimestampMs,
    qty: i64,
}

/// The counts in the order of their instants, one per instant.
fn counts(history: &[HistoryEntry<StockEvent>]) -> Vec<Count> {
    let mut counts: Vec<Count> = history
        .iter()
        .filter_map(|entry| match entry.event {
            StockEvent::Counted { counted_at, qty } => Some(Count {
                at: counted_at,
                qty,
            }),
            _ => None,
        })
        .collect();
    // The sort is stable: counts of one instant keep the order of their stamps, and the last of them stays.
    counts.sort_by_key(|count| count.at);
    counts.reverse();
    counts.dedup_by_key(|count| count.at);
    counts.reverse();
    counts
}

/// When stock changed by a delivery or return, and by how much.
fn movement(entry: &HistoryEntry<StockEvent>) -> Option<(TimestampMs, i128)> {
    let qty = match entry.event {
        StockEvent::Delivered { qty } => i128::from(qty),
        StockEvent::Returned { qty } => -i128::from(qty),
        StockEvent::Counted { .. } => return None,
    };
    Some((entry.stamp.occurred_at, qty))
}

/// K11: the parts of `qty` by local day, as (begin of the part, millionths); they sum to `qty` exactly.
fn split_by_day(
    qty: i128,
    from: TimestampMs,
    to: TimestampMs,
    zone: Zone,
) -> impl Iterator<Item = (TimestampMs, i128)> {
    let length = i128::from((to - from).as_ms());
    // c(e): what is sold by e, rounded half up; nothing here is negative. A quantity would have to reach 7 × 10^22 to leave 128
    // bits, and an event's is 10^8 at most (K25).
    let sold_by = move |edge: TimestampMs| {
        let elapsed = i128::from((edge - from).as_ms());
        (2 * qty * MILLION * elapsed + length) / (2 * length)
    };
    let mut begin = from;
    std::iter::from_fn(move || {
        if begin >= to {
            return None;
        }
        let next_day = zone.start_of(zone.day_of(begin).plus(1));
        let end = next_day.min(to);
        let part = (begin, sold_by(end) - sold_by(begin));
        begin = end;
        Some(part)
    })
}

#[cfg(test)]
mod tests;
