//! The weekly collection at a sample retailer: stock, out-of-stock days, prices (000-R65).

use super::{FieldForce, by_visitor, visit_id};
use crate::simulate::days::MINUTE_MS;
use crate::simulate::outbox::Envelope;
use crate::simulate::plan::SimulateError;
use crate::simulate::prices::{Collection, PriceDesk};
use crate::simulate::scene::Scene;
use crate::simulate::truth::SoldInterval;
use crate::simulate::verdict::EventId;

/// Items counted wrongly and left so, and collections keyed wrongly and corrected, per mille.
const MISCOUNTED: u32 = 3;
const MISKEYED: u32 = 15;

/// What one item of a collection says.
struct Counted<'s> {
    sku_id: &'s str,
    qty: i64,
    empty_days: i64,
}

impl FieldForce {
    /// Counts everything at `scene.now` and looks at prices.
    pub(super) fn collect(
        &mut self,
        scene: &mut Scene<'_, '_>,
        prices: &mut PriceDesk,
        index: u32,
        planned_day: u32,
    ) -> Result<(), SimulateError> {
        let customer = scene.customer(index);
        let collection = Collection {
            collection_id: &format!("I{}", &visit_id(index, planned_day)[1..]),
            method: self
                .dice
                .weighted(&[(92, "ON_SITE"), (5, "PHONE"), (3, "ONLINE")]),
            index,
        };
        let (counts, intervals) = self.count(scene, index);
        for interval in &intervals {
            scene.outbox.sold(interval)?;
        }
        let written_at = scene.now + self.dice.minutes(5, 14);
        let mut envelope = by_visitor(scene, customer, "visit.info_collected", written_at);
        if self.dice.permille(MISKEYED) {
            let wrong = post(scene, &envelope, &collection, &counts, 20, planned_day);
            envelope.corrects = Some(wrong);
        }
        post(scene, &envelope, &collection, &counts, 0, planned_day);
        prices.observe(scene, &collection);
        Ok(())
    }

    /// Counts the shelf and starts new intervals; also what was truly sold in the ones that end.
    fn count<'w>(
        &mut self,
        scene: &mut Scene<'w, '_>,
        index: u32,
    ) -> (Vec<Counted<'w>>, Vec<SoldInterval<'w>>) {
        let world = scene.world;
        let customer = scene.customer(index);
        let (mut counts, mut intervals) = (Vec::new(), Vec::new());
        let Some(shelf) = scene.shelves.of(index) else {
            return (counts, intervals);
        };
        for item in &mut shelf.items {
            let sku_id = world.skus[usize::from(item.sku)].sku_id.as_str();
            let miscount = if self.dice.permille(MISCOUNTED) {
                self.dice.between(-3, 3).max(-item.stock_qty)
            } else {
                0
            };
            if let Some((from, previous_stock_qty)) = item.counted {
                intervals.push(SoldInterval {
                    customer_id: &customer.customer_id,
                    sku_id,
                    from,
                    to: scene.now,
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
            item.counted = Some((scene.now, item.stock_qty));
            item.sold_qty = 0;
            item.empty_days = 0;
        }
        (counts, intervals)
    }
}

/// The collection's event, the first item's count off by `slip`.
fn post(
    scene: &mut Scene<'_, '_>,
    envelope: &Envelope<'_>,
    collection: &Collection<'_>,
    counts: &[Counted<'_>],
    slip: i64,
    planned_day: u32,
) -> EventId {
    let counted_at = scene.now;
    debug_assert!(envelope.occurred_at < counted_at + 15 * MINUTE_MS);
    scene.outbox.post(envelope, |payload| {
        payload
            .text("collection_id", collection.collection_id)
            .text("visit_id", &visit_id(collection.index, planned_day))
            .text("iso_week", &scene.day.iso_week)
            .text("method", collection.method)
            .list(
                "stock",
                counts.iter().enumerate(),
                |item, (position, count)| {
                    let slip = if position == 0 { slip } else { 0 };
                    item.text("sku_id", count.sku_id)
                        .int("qty", count.qty + slip)
                        .int("counted_at", counted_at);
                },
            );
        let empty = counts.iter().filter(|count| count.empty_days > 0);
        payload.list("stockout", empty, |item, count| {
            item.text("sku_id", count.sku_id)
                .int("days", count.empty_days);
        });
    })
}
