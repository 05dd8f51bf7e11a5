//! The weekly collection at a sample retailer: stock, out-of-stock days, prices (000-R65).

use schemas::time::DurationMs;

use super::FieldForce;
use super::visitor::{by_visitor, visit_id};
use crate::arrivals::Envelope;
use crate::context::SimulationContext;
use crate::error::Error;
use crate::prices::{Collection, PriceDesk};
use crate::truth::SoldInterval;
use crate::verdict::EventId;

/// Items counted wrongly and never corrected, and collections mistyped and corrected, per mille.
const MISCOUNTED: u32 = 3;
const MISTYPED: u32 = 15;

/// One item of a collection.
struct Counted<'s> {
    sku_id: &'s str,
    qty: i64,
    empty_days: i64,
}

impl FieldForce {
    /// Counts the stock at `context.now` and observes prices.
    pub(super) fn collect(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        prices: &mut PriceDesk,
        index: u32,
        planned_day: u32,
    ) -> Result<(), Error> {
        let customer = context.customer(index);
        let collection = Collection {
            collection_id: &format!("I{}", &visit_id(index, planned_day)[1..]),
            method: self
                .random
                .weighted(&[(92, "ON_SITE"), (5, "PHONE"), (3, "ONLINE")]),
            index,
        };
        let (counts, intervals) = self.count(context, index);
        for interval in &intervals {
            context.arrivals.sold(interval)?;
        }
        let written_at = context.now + self.random.minutes(5, 14);
        let mut envelope = by_visitor(context, customer, "visit.info_collected", written_at);
        if self.random.permille(MISTYPED) {
            let wrong = post(context, &envelope, &collection, &counts, 20, planned_day);
            envelope.corrects = Some(wrong);
        }
        post(context, &envelope, &collection, &counts, 0, planned_day);
        prices.observe(context, &collection);
        Ok(())
    }

    /// Counts the shelf and starts new intervals; returns the true sales of the intervals that end.
    fn count<'w>(
        &mut self,
        context: &mut SimulationContext<'w, '_>,
        index: u32,
    ) -> (Vec<Counted<'w>>, Vec<SoldInterval<'w>>) {
        let world = context.world;
        let customer = context.customer(index);
        let (mut counts, mut intervals) = (Vec::new(), Vec::new());
        let Some(shelf) = context.shelves.of(index) else {
            return (counts, intervals);
        };
        for item in &mut shelf.items {
            let sku_id = world.skus[usize::from(item.sku)].sku_id.as_str();
            let miscount = if self.random.permille(MISCOUNTED) {
                self.random.between(-3, 3).max(-item.stock_qty)
            } else {
                0
            };
            if let Some((from, previous_stock_qty)) = item.counted {
                intervals.push(SoldInterval {
                    customer_id: &customer.customer_id,
                    sku_id,
                    from,
                    to: context.now,
                    previous_stock_qty,
                    stock_qty: item.stock_qty,
                    sold_qty: item.sold_qty,
                    miscount_qty: miscount,
                });
            }
            counts.push(Counted {
                sku_id,
                qty: item.stock_qty + miscount,
                empty_days: item.empty_days,
            });
            item.counted = Some((context.now, item.stock_qty));
            item.sold_qty = 0;
            item.empty_days = 0;
        }
        (counts, intervals)
    }
}

/// Posts a collection with the count of the first item off by `slip`.
fn post(
    context: &mut SimulationContext<'_, '_>,
    envelope: &Envelope<'_>,
    collection: &Collection<'_>,
    counts: &[Counted<'_>],
    slip: i64,
    planned_day: u32,
) -> EventId {
    let counted_at = context.now;
    debug_assert!(envelope.occurred_at < counted_at + DurationMs::from_minutes(15));
    context.arrivals.post(envelope, |payload| {
        payload
            .text("collection_id", collection.collection_id)
            .text("visit_id", &visit_id(collection.index, planned_day))
            .text("iso_week", &context.day.iso_week)
            .text("method", collection.method)
            .list(
                "stock",
                counts.iter().enumerate(),
                |item, (position, count)| {
                    let slip = if position == 0 { slip } else { 0 };
                    item.text("sku_id", count.sku_id)
                        .int("qty", count.qty + slip)
                        .instant("counted_at", counted_at);
                },
            );
        let empty = counts.iter().filter(|count| count.empty_days > 0);
        payload.list("stockout", empty, |item, count| {
            item.text("sku_id", count.sku_id)
                .int("days", count.empty_days);
        });
    })
}
