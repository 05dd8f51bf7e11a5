//! `facts.order_lines`: requested, allocated, delivered, returned, cancelled and unmet quantities per order line (M01; K9, K10).
//!
//! ```text
//!  placed ─ amended ─ amended ─│ allocated ─ amended ─ delivered ─ returned
//!                     ▲ the counted version: the last before the first allocation, or the last of all
//! ```
//!
//! * REQUESTED: the counted version, at the instant of `order.placed`; gone once the order is cancelled, unless supply was the reason
//!   (K26: the first cancellation decides). What an amendment cuts for lack of supply is no version.
//! * ALLOCATED, DELIVERED, RETURNED: at their own events, whether or not the rest of the order is known.
//! * CANCELLED: the counted version, at the (first) cancellation.
//! * UNMET: requested − allocated where positive, per `line_no`, at the first allocation; a cancellation leaves it as it is.
//!
//! Readings beyond K9 and K10:
//! * `order.rejected` changes nothing, `order.exchanged` is neutral (as in K12).
//! * An order whose first allocation precedes every version has no counted version: nothing requested, unmet or cancelled.
//! * Amendments without an `order.placed` give a counted version (prices, unmet, cancelled), but nothing requested.
//! * `censored` of a REQUESTED line says that its order asked for all of the SKU that it could get, or that nobody planned how much of
//!   it there is ([`censored`], K27).
//! * Where `line_no` is not unique, lines of one number share its allocation in their order; the last one with a price gives it to lines
//!   of other events (K37).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::columns::{Columns, FactColumn, FactTable};
use pipeline::error::Result;
use pipeline::history::{Fact, HistoryEntry, Operator, OperatorContext};
use pipeline::time::Zone;
use schemas::event::{Topic, TopicSet};
use schemas::money::Fen;
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use crate::reference::{PriceType, RetailReference, UNKNOWN};

/// `cancel_reason` and `amend_reason` where supply could not meet demand.
const SUPPLY_LIMIT: &str = "SUPPLY_LIMIT";

/// What the quantity of a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LineKind {
    Requested,
    Allocated,
    Delivered,
    Returned,
    Cancelled,
    Unmet,
}

impl LineKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Allocated => "ALLOCATED",
            Self::Delivered => "DELIVERED",
            Self::Returned => "RETURNED",
            Self::Cancelled => "CANCELLED",
            Self::Unmet => "UNMET",
        }
    }
}

/// A quantity of one order line, dimensions as of the instant at which it counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OrderLineFact {
    pub customer_id: Arc<str>,
    pub order_id: Arc<str>,
    pub line_no: i64,
    pub kind: LineKind,
    pub instant: TimestampMs,
    /// The event whose line this is.
    pub event_id: Arc<str>,
    pub sku_id: Arc<str>,
    pub territory_id: Arc<str>,
    pub class_id: Arc<str>,
    pub order_kind: Arc<str>,
    pub qty: i64,
    /// Wholesale value (K10); 0 where no price is known, and for UNMET, which has no value.
    pub value: Fen,
    /// `qty` where no price is known, else 0.
    pub unpriced_qty: i64,
    /// 1 where the line makes its order count among `orders`.
    pub counts_as_order: i64,
    /// 1 where what the order asks for of the SKU may understate demand (K27).
    pub censored: i64,
}

static TABLE: FactTable<OrderLineFact> = FactTable::new(
    "Quantities of order lines at each step (订单行)",
    &[
        FactColumn::text("customer_id", "Retailer (客户)", |f| &f.customer_id),
        FactColumn::text("order_id", "Order (订单)", |f| &f.order_id),
        FactColumn::integer("line_no", "Number of the line in its order (行号)", |f| {
            f.line_no
        }),
        FactColumn::text(
            "kind",
            "REQUESTED, ALLOCATED, DELIVERED, RETURNED, CANCELLED, UNMET (环节)",
            |f| f.kind.as_str(),
        ),
        FactColumn::instant("instant", "When it counts (计入时间)", |f| f.instant),
        FactColumn::text("event_id", "Event whose line this is (事件)", |f| {
            &f.event_id
        }),
        FactColumn::text("sku_id", "SKU (品规)", |f| &f.sku_id),
        FactColumn::text("territory_id", "Territory at that instant (片区)", |f| {
            &f.territory_id
        }),
        FactColumn::text(
            "class_id",
            "Retailer class at that instant (客户类别)",
            |f| &f.class_id,
        ),
        FactColumn::text(
            "order_kind",
            "REGULAR, EMERGENCY, ... (订单类型)",
            |f| &f.order_kind,
        ),
        FactColumn::integer("qty", "Quantity in base units (数量)", |f| f.qty),
        FactColumn::integer(
            "value_fen",
            "Wholesale value in fen, K10 (批发金额)",
            |f| f.value.as_fen(),
        ),
        FactColumn::integer(
            "unpriced_qty",
            "Quantity without any price (无价数量)",
            |f| f.unpriced_qty,
        ),
        FactColumn::integer(
            "counts_as_order",
            "1 where the line makes its order count (计入订单数)",
            |f| f.counts_as_order,
        ),
        FactColumn::integer(
            "censored",
            "1 where what the order asks for of the SKU may understate demand, K27 (受限)",
            |f| f.censored,
        ),
    ],
);

impl Fact for OrderLineFact {
    fn table() -> &'static FactTable<Self> {
        &TABLE
    }

    fn instant(&self) -> TimestampMs {
        self.instant
    }
}

/// The step of its order that an event reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OrderStep {
    Placed,
    Amended,
    Allocated,
    Delivered,
    Returned,
    Cancelled,
}

impl OrderStep {
    /// The step of an event type and the line's quantity at that step; `None` for events that move no goods.
    fn of(event_type: &str) -> Option<(Self, &'static str)> {
        Some(match event_type {
            "order.placed" => (Self::Placed, "requested_qty"),
            "order.amended" => (Self::Amended, "requested_qty"),
            "order.allocated" => (Self::Allocated, "allocated_qty"),
            "order.delivered" => (Self::Delivered, "delivered_qty"),
            "order.returned" => (Self::Returned, "returned_qty"),
            "order.cancelled" => (Self::Cancelled, "requested_qty"),
            _ => return None,
        })
    }
}

/// One line of an order event; the quantity is that of the event's step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrderLine {
    pub line_no: i64,
    pub sku_id: Arc<str>,
    pub qty: i64,
    pub price: Option<Fen>,
}

/// An order event as this operator keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrderEvent {
    pub step: OrderStep,
    /// Only `order.placed` carries it.
    pub order_kind: Option<Arc<str>>,
    /// A cancellation or amendment because supply was short (K26).
    pub is_supply_limited: bool,
    pub lines: Vec<OrderLine>,
}

impl OrderEvent {
    /// Whether its lines are what the customer wants.
    fn is_version(&self) -> bool {
        match self.step {
            OrderStep::Placed => true,
            OrderStep::Amended => !self.is_supply_limited,
            _ => false,
        }
    }
}

/// (customer_id, order_id)
pub(crate) type OrderKey = (Arc<str>, Arc<str>);

/// See the module's page.
pub(crate) struct OrderLines {
    pub zone: Zone,
}

impl Operator for OrderLines {
    type Reference = RetailReference;
    type Key = OrderKey;
    type Event = OrderEvent;
    type Fact = OrderLineFact;

    fn name(&self) -> &'static str {
        "order_lines"
    }

    fn topics(&self) -> TopicSet {
        TopicSet::of(&[Topic::Orders])
    }

    fn project(
        &self,
        _topic: Topic,
        batch: &RecordBatch,
        emit: &mut dyn FnMut(usize, OrderKey, OrderEvent),
    ) -> Result<()> {
        let columns = Columns::of(batch);
        let event_type = columns.text("event_type")?;
        let customer_id = columns.text("customer_id")?;
        let order_id = columns.text("order_id")?;
        let order_kind = columns.text("order_kind")?;
        let cancel_reason = columns.text("cancel_reason")?;
        let amend_reason = columns.text("amend_reason")?;
        let lines = columns.list("lines")?;
        let items = lines.items();
        let line_no = items.integer("line_no")?;
        let sku_id = items.text("sku_id")?;
        let price_fen = items.integer("wholesale_price_fen")?;
        let mut quantities = HashMap::new();
        for name in [
            "requested_qty",
            "allocated_qty",
            "delivered_qty",
            "returned_qty",
        ] {
            quantities.insert(name, items.integer(name)?);
        }
        for row in 0..batch.num_rows() {
            let Some((step, quantity)) = event_type.get(row).and_then(OrderStep::of) else {
                continue;
            };
            let (Some(customer), Some(order)) = (customer_id.shared(row), order_id.shared(row))
            else {
                continue;
            };
            let qty = &quantities[quantity];
            let lines = lines.range(row).filter_map(|item| {
                Some(OrderLine {
                    line_no: line_no.get(item)?,
                    sku_id: sku_id.shared(item)?,
                    qty: qty.get(item).unwrap_or(0),
                    price: price_fen.get(item).map(Fen::from_fen),
                })
            });
            let is_supply_limited = match step {
                OrderStep::Cancelled => cancel_reason.is(row, SUPPLY_LIMIT),
                OrderStep::Amended => amend_reason.is(row, SUPPLY_LIMIT),
                _ => false,
            };
            let event = OrderEvent {
                step,
                order_kind: order_kind.shared(row),
                is_supply_limited,
                lines: lines.collect(),
            };
            emit(row, (customer, order), event);
        }
        Ok(())
    }

    fn facts(
        &self,
        key: &OrderKey,
        history: &[HistoryEntry<OrderEvent>],
        context: &mut OperatorContext<'_, RetailReference>,
        out: &mut Vec<OrderLineFact>,
    ) {
        let first = |step: OrderStep| history.iter().find(|entry| entry.event.step == step);
        let allocation = first(OrderStep::Allocated);
        let placed = first(OrderStep::Placed);
        let cancellation = first(OrderStep::Cancelled);
        let counted = history
            .iter()
            .take_while(|entry| entry.event.step != OrderStep::Allocated)
            .filter(|entry| entry.event.is_version())
            .last();
        let order = Order {
            key,
            order_kind: placed
                .and_then(|entry| entry.event.order_kind.clone())
                .unwrap_or_else(|| UNKNOWN.into()),
            counted: counted.map_or(&[], |entry| &entry.event.lines),
        };
        let leaves = cancellation.is_some_and(|entry| !entry.event.is_supply_limited);
        if let (Some(version), Some(placed), false) = (counted, placed, leaves) {
            let at = placed.stamp.occurred_at;
            let first = out.len();
            order.count(LineKind::Requested, version, at, context, out);
            censored::mark(&mut out[first..], self.zone, context.reference);
        }
        if let (Some(version), Some(cancellation)) = (counted, cancellation) {
            let at = cancellation.stamp.occurred_at;
            order.count(LineKind::Cancelled, version, at, context, out);
        }
        if let Some(allocation) = allocation {
            order.unmet(allocation, context, out);
        }
        for entry in history {
            let kind = match entry.event.step {
                OrderStep::Allocated => LineKind::Allocated,
                OrderStep::Delivered => LineKind::Delivered,
                OrderStep::Returned => LineKind::Returned,
                OrderStep::Placed | OrderStep::Amended | OrderStep::Cancelled => continue,
            };
            order.count(kind, entry, entry.stamp.occurred_at, context, out);
        }
    }
}

/// What all facts of an order share.
struct Order<'h> {
    key: &'h OrderKey,
    order_kind: Arc<str>,
    /// Lines of the counted version.
    counted: &'h [OrderLine],
}

impl Order<'_> {
    /// One fact for each line of `entry`, counting at `at`.
    fn count(
        &self,
        kind: LineKind,
        entry: &HistoryEntry<OrderEvent>,
        at: TimestampMs,
        context: &mut OperatorContext<'_, RetailReference>,
        out: &mut Vec<OrderLineFact>,
    ) {
        for line in &entry.event.lines {
            let mut fact = self.fact(kind, line, line.qty, entry, at, context.reference);
            match self.price(line, at, context) {
                // Far beyond any order: saturates instead of wrapping around.
                Some(price) => fact.value = price.saturating_mul(line.qty),
                None => fact.unpriced_qty = line.qty,
            }
            out.push(fact);
        }
    }

    /// One fact for each line of the counted version that the first allocation did not cover.
    fn unmet(
        &self,
        allocation: &HistoryEntry<OrderEvent>,
        context: &mut OperatorContext<'_, RetailReference>,
        out: &mut Vec<OrderLineFact>,
    ) {
        let mut allocated: HashMap<i64, i64> = HashMap::new();
        for line in &allocation.event.lines {
            let sum = allocated.entry(line.line_no).or_default();
            *sum = sum.saturating_add(line.qty);
        }
        let at = allocation.stamp.occurred_at;
        for line in self.counted {
            let left = allocated.entry(line.line_no).or_default();
            let met = line.qty.min(*left);
            *left -= met;
            if line.qty > met {
                let missing = line.qty - met;
                out.push(self.fact(
                    LineKind::Unmet,
                    line,
                    missing,
                    allocation,
                    at,
                    context.reference,
                ));
            }
        }
    }

    fn fact(
        &self,
        kind: LineKind,
        line: &OrderLine,
        qty: i64,
        entry: &HistoryEntry<OrderEvent>,
        at: TimestampMs,
        reference: &RetailReference,
    ) -> OrderLineFact {
        let (customer_id, order_id) = self.key;
        let customer = reference.customer(customer_id, at);
        OrderLineFact {
            customer_id: customer_id.clone(),
            order_id: order_id.clone(),
            line_no: line.line_no,
            kind,
            instant: at,
            event_id: entry.stamp.event_id.clone(),
            sku_id: line.sku_id.clone(),
            territory_id: customer.territory_id.clone(),
            class_id: customer.class_id.clone(),
            order_kind: self.order_kind.clone(),
            qty,
            value: Fen::ZERO,
            unpriced_qty: 0,
            counts_as_order: i64::from(kind == LineKind::Requested),
            censored: 0,
        }
    }

    /// K10: the line's own price, else that of the counted version, else the list price as of the instant.
    fn price(
        &self,
        line: &OrderLine,
        at: TimestampMs,
        context: &mut OperatorContext<'_, RetailReference>,
    ) -> Option<Fen> {
        let counted = || {
            // K37: of several lines of one number the last with a price.
            let mut same = self.counted.iter().rev();
            same.find_map(|counted| counted.price.filter(|_| counted.line_no == line.line_no))
        };
        line.price.or_else(counted).or_else(|| {
            context.read(&line.sku_id);
            let region = &context.reference.customer(&self.key.0, at).region_code;
            context
                .reference
                .list_price(&line.sku_id, region, PriceType::Wholesale, at)
        })
    }
}

mod censored;
#[cfg(test)]
mod tests;
