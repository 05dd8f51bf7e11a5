//! Whether what an order asks for may understate demand (K27): a customer who may have 20 cartons asks for 20, whatever he could sell.
//!
//! Of an order and a SKU it does where
//! * its lines of the SKU together ask for at least the cap of the plan in force at `order.placed`; the most specific plan counts, and
//!   one without a cap is never reached; or
//! * the SKU is CONSTRAINED at the end of the local day of `order.placed` (its last ms, as K8 has it for rows about a window), and no plan
//!   for the customer's class and area is in force then.
//!
//! Class and area are those of `order.placed` in both cases: the day's rows are counted under them. The area is that of the territory,
//! which a series of the demand feed is about; that of the customer where the territory has none.

use std::collections::HashMap;
use std::sync::Arc;

use pipeline::time::Zone;
use schemas::time::DurationMs;

use super::OrderLineFact;
use crate::reference::RetailReference;

/// Marks the requested lines of one order.
pub(super) fn mark(requested: &mut [OrderLineFact], zone: Zone, reference: &RetailReference) {
    let mut asked: HashMap<Arc<str>, i64> = HashMap::new();
    for line in requested.iter() {
        let total = asked.entry(line.sku_id.clone()).or_default();
        *total = total.saturating_add(line.qty);
    }
    for line in requested {
        line.censored = i64::from(is_censored(line, asked[&line.sku_id], zone, reference));
    }
}

/// `line` stands for all lines of its SKU, which ask for `asked`.
fn is_censored(line: &OrderLineFact, asked: i64, zone: Zone, reference: &RetailReference) -> bool {
    let placed_at = line.instant;
    let customer = reference.customer(&line.customer_id, placed_at);
    let scope = (
        &*customer.class_id,
        reference.supply_area(customer, placed_at),
    );
    let plan_at = |at| reference.allocation_plan(&line.sku_id, scope, at);
    let cap = plan_at(placed_at).and_then(|plan| plan.cap_qty);
    if cap.is_some_and(|cap| asked >= cap) {
        return true;
    }
    let day_end = zone.start_of(zone.day_of(placed_at).plus(1)) - DurationMs::from_ms(1);
    reference.is_constrained(&line.sku_id, day_end) && plan_at(day_end).is_none()
}
