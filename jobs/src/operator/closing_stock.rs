//! `facts.closing_stock`: the last count of a retailer and SKU on each local day it was counted (M03).
//!
//! The closing stock of a window is the stock of its last day with a fact, so windows need no state of their own. The last count
//! of a day is the one with the latest `counted_at`; of several at one instant, the one with the later stamp, then the later item.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::columns::{FactColumn, FactTable};
use pipeline::error::Result;
use pipeline::history::{Fact, HistoryEntry, Operator, OperatorContext};
use pipeline::time::Zone;
use schemas::event::{Topic, TopicSet};
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::sell_through::{ShelfKey, project_counts};
use crate::reference::RetailReference;

/// A day's closing stock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClosingStockFact {
    pub customer_id: Arc<str>,
    pub sku_id: Arc<str>,
    pub territory_id: Arc<str>,
    pub class_id: Arc<str>,
    /// `counted_at` of the last count of the day.
    pub instant: TimestampMs,
    pub stock_qty: i64,
    /// Counts of the day.
    pub counts_n: i64,
}

static TABLE: FactTable<ClosingStockFact> = FactTable::new(
    "Last stock count of each retailer, SKU and day (期末库存)",
    &[
        FactColumn::text("customer_id", "Retailer (客户)", |f| &f.customer_id),
        FactColumn::text("sku_id", "SKU (品规)", |f| &f.sku_id),
        FactColumn::text("territory_id", "Territory at that count (片区)", |f| {
            &f.territory_id
        }),
        FactColumn::text(
            "class_id",
            "Retailer class at that count (客户类别)",
            |f| &f.class_id,
        ),
        FactColumn::instant("instant", "When it was counted (盘点时间)", |f| {
            f.instant
        }),
        FactColumn::integer("stock_qty", "Stock in base units (库存)", |f| f.stock_qty),
        FactColumn::integer("counts_n", "Counts of the day (盘点次数)", |f| {
            f.counts_n
        }),
    ],
);

impl Fact for ClosingStockFact {
    fn table() -> &'static FactTable<Self> {
        &TABLE
    }

    fn instant(&self) -> TimestampMs {
        self.instant
    }
}

/// One counted item.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StockCount {
    pub counted_at: TimestampMs,
    pub qty: i64,
}

/// See the module's page.
pub(crate) struct ClosingStock {
    pub zone: Zone,
}

impl Operator for ClosingStock {
    type Reference = RetailReference;
    type Key = ShelfKey;
    type Event = StockCount;
    type Fact = ClosingStockFact;

    fn name(&self) -> &'static str {
        "closing_stock"
    }

    fn topics(&self) -> TopicSet {
        TopicSet::of(&[Topic::Visits])
    }

    fn project(
        &self,
        _topic: Topic,
        batch: &RecordBatch,
        emit: &mut dyn FnMut(usize, ShelfKey, StockCount),
    ) -> Result<()> {
        project_counts(batch, &mut |row, key, counted_at, qty| {
            emit(row, key, StockCount { counted_at, qty });
        })
    }

    fn facts(
        &self,
        key: &ShelfKey,
        history: &[HistoryEntry<StockCount>],
        context: &mut OperatorContext<'_, RetailReference>,
        out: &mut Vec<ClosingStockFact>,
    ) {
        let mut days: BTreeMap<_, (StockCount, i64)> = BTreeMap::new();
        for HistoryEntry { event: count, .. } in history {
            let day = self.zone.day_of(count.counted_at);
            let (last, counts_n) = days.entry(day).or_insert((*count, 0));
            *counts_n += 1;
            // The history is in the order of stamps: of equal instants the later entry counts.
            if count.counted_at >= last.counted_at {
                *last = *count;
            }
        }
        for (last, counts_n) in days.into_values() {
            let customer = context.reference.customer(&key.0, last.counted_at);
            out.push(ClosingStockFact {
                customer_id: key.0.clone(),
                sku_id: key.1.clone(),
                territory_id: customer.territory_id.clone(),
                class_id: customer.class_id.clone(),
                instant: last.counted_at,
                stock_qty: last.qty,
                counts_n,
            });
        }
    }
}

#[cfg(test)]
mod tests;
