//! The reference state of a shard: reference data from files, list prices from events of the global topic.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::error::Result;
use pipeline::history::{ReferenceState, RemovedEvent};
use schemas::event::Topic;
use schemas::money::Fen;
use schemas::time::TimestampMs;

use super::data::{AllocationPlan, CustomerAt, ReferenceData};
use super::list_price::{ListPrices, PriceType};

/// Reference data of one version, and the list prices announced so far.
///
/// The dependencies that an operator declares ([`pipeline::history::OperatorContext::read`]) are SKUs: an operator that looks up a
/// list price declares its `sku_id`.
pub struct RetailReference {
    data: Arc<ReferenceData>,
    pub(super) list_prices: ListPrices,
}

impl RetailReference {
    /// A state with these reference data and no list price yet.
    pub fn new(data: Arc<ReferenceData>) -> Self {
        Self {
            data,
            list_prices: ListPrices::default(),
        }
    }

    /// The customer's attributes at `at`; all [`super::UNKNOWN`] where no version is in force.
    pub(crate) fn customer(&self, customer_id: &str, at: TimestampMs) -> &CustomerAt {
        self.data.customer(customer_id, at)
    }

    /// Whether the SKU is CONSTRAINED at `at`.
    pub(crate) fn is_constrained(&self, sku_id: &str, at: TimestampMs) -> bool {
        self.data.is_constrained(sku_id, at)
    }

    /// The plan in force at `at` for a customer of this class in this area (K27).
    pub(crate) fn allocation_plan(
        &self,
        sku_id: &str,
        scope: (&str, &str),
        at: TimestampMs,
    ) -> Option<AllocationPlan> {
        self.data.allocation_plan(sku_id, scope, at)
    }

    /// The area whose plans apply to a customer at `at`.
    pub(crate) fn supply_area<'r>(&'r self, customer: &'r CustomerAt, at: TimestampMs) -> &'r str {
        self.data.supply_area(customer, at)
    }

    /// The list price in force for a customer of `region_code` at `at` (K19).
    pub(crate) fn list_price(
        &self,
        sku_id: &str,
        region_code: &str,
        price_type: PriceType,
        at: TimestampMs,
    ) -> Option<Fen> {
        self.list_prices.at(sku_id, region_code, price_type, at)
    }
}

impl ReferenceState for RetailReference {
    fn apply(
        &mut self,
        topic: Topic,
        batch: &RecordBatch,
        skip: &[bool],
        removed: &[RemovedEvent],
    ) -> Result<Vec<Arc<str>>> {
        if topic != Topic::Prices {
            return Ok(Vec::new());
        }
        Ok(self.list_prices.apply(batch, skip, removed)?)
    }

    fn as_of(&self, instant: TimestampMs) -> Result<Vec<(&'static str, RecordBatch)>> {
        let mut tables = self.data.as_of(instant)?;
        tables.push(("list_price", self.list_prices.as_of(instant)?));
        Ok(tables)
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(postcard::to_stdvec(&self.list_prices)?)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<()> {
        self.list_prices = postcard::from_bytes(bytes)?;
        Ok(())
    }
}
