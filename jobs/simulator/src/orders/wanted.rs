//! What customers order: goods, quantities and prices.

use super::OrderDesk;
use super::order::SimulatedLine;
use crate::context::SimulationContext;
use crate::random::scaled;
use crate::world::{Customer, SupplyStatus, World, scaled_price};

/// Days of sales that a sample retailer wants in stock.
const WANTED_COVER_DAYS: i64 = 11;
/// Order lines without a wholesale price and with a wrong one, per mille.
const UNPRICED: u32 = 30;
const MISPRICED: u32 = 3;

impl OrderDesk {
    /// What the customer orders: SKU and quantity.
    pub(super) fn wanted(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        index: u32,
        is_emergency: bool,
    ) -> Vec<(u16, i64)> {
        let world = context.world;
        let customer = context.customer(index);
        if is_emergency {
            let sku = self.random.pick(&customer.carries);
            return vec![(
                sku,
                world.weekly_rate(customer, sku) + self.random.between(2, 10),
            )];
        }
        let season = context.day.demand_permille;
        if let Some(shelf) = context.shelves.of(index) {
            return shelf
                .items
                .iter()
                .map(|item| {
                    let cover = scaled(item.weekly_rate * WANTED_COVER_DAYS, season) / 7;
                    let missing = cover - item.stock_qty - item.awaited_qty;
                    (
                        item.sku,
                        Self::inflated(world, item.sku, self.random.about(missing.max(0), 150)),
                    )
                })
                .filter(|(_, qty)| *qty > 0)
                .collect();
        }
        let orders_a_week = i64::from(customer.order_weekdays.count_ones());
        let mut wanted = Vec::with_capacity(customer.carries.len());
        for sku in &customer.carries {
            // A random part of the SKUs is due.
            if self.random.permille(600) {
                let usual = world.weekly_rate(customer, *sku) * 5 / (3 * orders_a_week);
                let qty = scaled(self.random.about(usual.max(1), 350), season).max(1);
                wanted.push((*sku, Self::inflated(world, *sku, qty)));
            }
        }
        wanted
    }

    /// Customers order more of what is known to be short.
    fn inflated(world: &World, sku: u16, qty: i64) -> i64 {
        match world.skus[usize::from(sku)].supply {
            SupplyStatus::Constrained => scaled(qty, 1_350),
            _ => qty,
        }
    }

    pub(super) fn line(
        &mut self,
        context: &SimulationContext<'_, '_>,
        customer: &Customer,
        line_no: u16,
        sku: u16,
        qty: i64,
    ) -> SimulatedLine {
        let area = context.world.territory(customer).area;
        let listed = context
            .world
            .price_book
            .in_force(sku, area, context.now)
            .wholesale;
        let roll = self.random.below(1_000);
        SimulatedLine {
            line_no,
            sku,
            requested_qty: qty,
            allocated_qty: 0,
            delivered_qty: 0,
            returned_qty: 0,
            wholesale_price: match roll {
                _ if roll < UNPRICED => None,
                _ if roll < UNPRICED + MISPRICED => Some(scaled_price(listed, 1_060)),
                _ => Some(listed),
            },
            is_key_brand_recommended: context.world.skus[usize::from(sku)].is_key_brand
                && self.random.permille(400),
        }
    }
}
