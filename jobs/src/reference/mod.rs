//! What every shard knows beside its keys: reference data (files) and list prices (events of the global topic).
//!
//! Facts take their dimensions and list prices from here, as of the instant at which they count (K8); metric texts see
//! the same as of their window's end, as tables `asof.*`.

mod archive;
mod data;
#[cfg(test)]
pub mod fixture;
mod list_price;

use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::money::Fen;

pub use archive::ReferenceArchive;
pub use data::{CustomerAt, Problem, ReferenceData, ReferenceError, UNKNOWN};
pub use list_price::{ALL_REGIONS, ListPrices, PriceType};

/// The topic whose events change the reference.
const PRICES: &str = "prices";

/// See the module's page. Dependencies ([`pipeline::history::OperatorContext::read`]) are SKUs: whoever looked up a list price declares its `sku_id`.
pub struct RetailReference {
    pub data: Arc<ReferenceData>,
    pub list_prices: ListPrices,
}

impl RetailReference {
    /// A reference that has read its files and heard no event yet.
    pub fn new(data: Arc<ReferenceData>) -> Self {
        Self {
            data,
            list_prices: ListPrices::default(),
        }
    }

    /// The customer's attributes at `at_ms`; [`UNKNOWN`] where reference data have no version in force.
    pub fn customer(&self, customer_id: &str, at_ms: i64) -> &CustomerAt {
        self.data.customer(customer_id, at_ms)
    }

    /// The list price in force for a customer of `region_code` at `at_ms` (K19).
    pub fn list_price(
        &self,
        sku_id: &str,
        region_code: &str,
        of: PriceType,
        at_ms: i64,
    ) -> Option<Fen> {
        self.list_prices.at(sku_id, region_code, of, at_ms)
    }
}

impl pipeline::history::ReferenceState for RetailReference {
    fn apply(
        &mut self,
        topic: &str,
        batch: &RecordBatch,
        skip: &[bool],
        removed: &[Arc<str>],
    ) -> Result<Vec<Arc<str>>, ArrowError> {
        if topic != PRICES {
            return Ok(Vec::new());
        }
        self.list_prices.apply(batch, skip, removed)
    }

    fn as_of(&self, instant_ms: i64) -> Result<Vec<(&'static str, RecordBatch)>, ArrowError> {
        let mut tables = self.data.as_of(instant_ms)?;
        tables.push(("list_price", self.list_prices.as_of(instant_ms)?));
        Ok(tables)
    }

    fn save(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(&self.list_prices)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), postcard::Error> {
        self.list_prices = postcard::from_bytes(bytes)?;
        Ok(())
    }
}
