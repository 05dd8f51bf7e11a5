//! List prices as `price.list_set` announced them (K19).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use pipeline::columns::{Columns, EventHead};
use pipeline::history::{EventOrder, EventPlace, RemovedEvent};
use schemas::event::Topic;
use schemas::money::Fen;
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::UNKNOWN;

/// Which price a list price sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum PriceType {
    /// The price that the retailer pays (批发价).
    Wholesale,
    /// The price that is suggested for the consumer (建议零售价).
    SuggestedRetail,
}

impl PriceType {
    /// The name in events and tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Wholesale => "WHOLESALE",
            Self::SuggestedRetail => "SUGGESTED_RETAIL",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Wholesale, Self::SuggestedRetail];
        all.into_iter()
            .find(|price_type| price_type.as_str() == text)
    }
}

/// The region of a price that holds wherever a region has none of its own.
const ALL_REGIONS: &str = "ALL";

/// A list price as one event announced it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Announcement {
    pub region_code: Arc<str>,
    pub price_type: PriceType,
    pub price: Fen,
    pub valid_from: TimestampMs,
    pub valid_to: Option<TimestampMs>,
    pub stamp: EventOrder,
}

/// Every announced list price, by SKU.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct ListPrices {
    by_sku: BTreeMap<Arc<str>, Vec<Announcement>>,
    /// The SKUs of the announcements of an event id: it may be accepted again once it is forgotten.
    skus_of_event: BTreeMap<Arc<str>, Vec<Arc<str>>>,
}

impl ListPrices {
    /// Adds the list prices of a batch of accepted price events except rows marked in `skip`, removes the events `removed`, and returns
    /// the SKUs whose prices changed.
    ///
    /// A missing `region_code` is [`ALL_REGIONS`]; a price of an unknown type, or for a region that nobody can name (K29), is ignored.
    pub(super) fn apply(
        &mut self,
        batch: &RecordBatch,
        skip: &[bool],
        removed: &[RemovedEvent],
    ) -> Result<Vec<Arc<str>>, ArrowError> {
        let columns = Columns::of(batch);
        let event_type = columns.text("event_type")?;
        let event_id = columns.text("event_id")?;
        let occurred_at = columns.instant("occurred_at")?;
        let recorded_at = columns.instant("recorded_at")?;
        let sku_id = columns.text("sku_id")?;
        let region_code = columns.text("region_code")?;
        let price_type = columns.text("price_type")?;
        let price_fen = columns.integer("price_fen")?;
        let valid_from = columns.instant("valid_from")?;
        let valid_to = columns.instant("valid_to")?;
        let head = EventHead::of(batch)?;
        let mut touched = Vec::new();
        for row in 0..batch.num_rows() {
            if skip.get(row) == Some(&true) || !event_type.is(row, "price.list_set") {
                continue;
            }
            let (Some(sku), Some(id), Some(price_fen), Some(valid_from)) = (
                sku_id.shared(row),
                event_id.shared(row),
                price_fen.get(row),
                valid_from.get(row),
            ) else {
                continue;
            };
            let Some(price_type) = price_type.get(row).and_then(PriceType::parse) else {
                continue;
            };
            if region_code.is(row, UNKNOWN) {
                continue;
            }
            let region_code = region_code.shared(row);
            let announcement = Announcement {
                region_code: region_code.unwrap_or_else(|| ALL_REGIONS.into()),
                price_type,
                price: Fen::from_fen(price_fen),
                valid_from,
                valid_to: valid_to.get(row),
                stamp: EventOrder {
                    occurred_at: occurred_at.get(row).unwrap_or(TimestampMs::MIN),
                    recorded_at: recorded_at.get(row).unwrap_or(TimestampMs::MIN),
                    event_id: id,
                    place: EventPlace::of(Topic::Prices, &head, row),
                    part: 0,
                },
            };
            self.announce(&sku, announcement);
            touched.push(sku);
        }
        for event in removed {
            self.remove(event, &mut touched);
        }
        touched.sort();
        touched.dedup();
        Ok(touched)
    }

    fn remove(&mut self, event: &RemovedEvent, touched: &mut Vec<Arc<str>>) {
        let Some(mut skus) = self.skus_of_event.remove(&event.event_id) else {
            return;
        };
        skus.retain(|sku| {
            let Some(announcements) = self.by_sku.get_mut(sku) else {
                return false;
            };
            let before = announcements.len();
            announcements.retain(|announcement| !announcement.stamp.is_of(event));
            if announcements.len() < before {
                touched.push(sku.clone());
            }
            let mut left = announcements.iter();
            left.any(|announcement| announcement.stamp.event_id == event.event_id)
        });
        if !skus.is_empty() {
            self.skus_of_event.insert(event.event_id.clone(), skus);
        }
    }

    pub(super) fn announce(&mut self, sku_id: &Arc<str>, announcement: Announcement) {
        let event_id = announcement.stamp.event_id.clone();
        let skus = self.skus_of_event.entry(event_id).or_default();
        if !skus.contains(sku_id) {
            skus.push(sku_id.clone());
        }
        let announcements = self.by_sku.entry(sku_id.clone()).or_default();
        announcements.push(announcement);
    }

    /// The price in force in `region_code` at `at`: the region's own, else that of [`ALL_REGIONS`].
    pub(super) fn at(
        &self,
        sku_id: &str,
        region_code: &str,
        price_type: PriceType,
        at: TimestampMs,
    ) -> Option<Fen> {
        let announcements = self.by_sku.get(sku_id)?;
        let in_force = |region| price_in_force(announcements, region, price_type, at);
        in_force(region_code).or_else(|| in_force(ALL_REGIONS))
    }

    /// Table `asof.list_price`: all prices in force at `at`, also those of [`ALL_REGIONS`] where a region has its own.
    pub(super) fn as_of(&self, at: TimestampMs) -> Result<RecordBatch, ArrowError> {
        let mut rows = Vec::new();
        for (sku, announcements) in &self.by_sku {
            let mut scopes: Vec<_> = announcements
                .iter()
                .map(|announcement| (&announcement.region_code, announcement.price_type))
                .collect();
            scopes.sort();
            scopes.dedup();
            for (region, price_type) in scopes {
                let price = price_in_force(announcements, region, price_type, at);
                rows.extend(price.map(|price| (sku, region, price_type.as_str(), price)));
            }
        }
        rows.sort();
        RecordBatch::try_from_iter_with_nullable([
            (
                "sku_id",
                Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))) as ArrayRef,
                false,
            ),
            (
                "region_code",
                Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
                false,
            ),
            (
                "price_type",
                Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.2))),
                false,
            ),
            (
                "price_fen",
                Arc::new(Int64Array::from_iter_values(
                    rows.iter().map(|row| row.3.as_fen()),
                )),
                false,
            ),
        ])
    }
}

/// The announcement that began last decides, also after its `valid_to`: it ended the one before it for good.
fn price_in_force(
    announcements: &[Announcement],
    region_code: &str,
    price_type: PriceType,
    at: TimestampMs,
) -> Option<Fen> {
    announcements
        .iter()
        .filter(|a| *a.region_code == *region_code && a.price_type == price_type)
        .filter(|a| a.valid_from <= at)
        .max_by(|a, b| (a.valid_from, &a.stamp).cmp(&(b.valid_from, &b.stamp)))
        .filter(|a| a.valid_to.is_none_or(|to| at < to))
        .map(|a| a.price)
}

#[cfg(test)]
mod tests;
