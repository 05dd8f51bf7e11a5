//! What the steps of an order change: its lines, and the shelves of sample retailers.

use super::OrderDesk;
use super::order::{OrderEventKind, SimulatedOrder};
use crate::context::SimulationContext;

impl OrderDesk {
    /// Applies a step to lines and shelves.
    pub(super) fn apply(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        order: &mut SimulatedOrder,
        step: OrderEventKind,
    ) {
        let customer = context.customer(order.customer);
        match step {
            OrderEventKind::Placed => add_to_awaited(context, order, 1),
            OrderEventKind::Amended => {
                add_to_awaited(context, order, -1);
                self.amend(order);
                add_to_awaited(context, order, 1);
            }
            OrderEventKind::Allocated => {
                for line in &mut order.lines {
                    line.allocated_qty = self.supply.allocate(
                        context.world,
                        customer,
                        line.sku,
                        line.requested_qty,
                        context.now,
                    );
                }
            }
            OrderEventKind::Delivered => {
                add_to_awaited(context, order, -1);
                self.deliver(context, order);
            }
            OrderEventKind::Rejected | OrderEventKind::Cancelled => {
                add_to_awaited(context, order, -1)
            }
            OrderEventKind::Returned | OrderEventKind::Exchanged => {
                self.return_goods(context, order, step)
            }
            _ => {}
        }
    }

    fn amend(&mut self, order: &mut SimulatedOrder) {
        let changed = self.random.below(order.lines.len() as u32) as usize;
        if order.lines.len() > 2 && self.random.permille(200) {
            order.lines.remove(changed);
            return;
        }
        let line = &mut order.lines[changed];
        line.requested_qty = (line.requested_qty + self.random.between(-3, 5)).max(1);
    }

    fn deliver(&mut self, context: &mut SimulationContext<'_, '_>, order: &mut SimulatedOrder) {
        let is_discrepant = self.random.permille(10);
        for line in &mut order.lines {
            let broken = i64::from(is_discrepant && line.line_no == 1);
            line.delivered_qty = (line.allocated_qty - broken).max(0);
            if let Some(item) = context
                .shelves
                .of(order.customer)
                .and_then(|shelf| shelf.item_mut(line.sku))
            {
                item.stock_qty += line.delivered_qty;
            }
        }
    }

    /// Some cartons of one line are returned; never more than were delivered or are still on the shelf.
    fn return_goods(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        order: &mut SimulatedOrder,
        step: OrderEventKind,
    ) {
        let chosen = self.random.below(order.lines.len() as u32) as usize;
        let line = &mut order.lines[chosen];
        let wanted = self.random.between(1, 3).min(line.delivered_qty);
        let item = context
            .shelves
            .of(order.customer)
            .and_then(|shelf| shelf.item_mut(line.sku));
        line.returned_qty = match item {
            Some(item) => {
                let returned = wanted.min(item.stock_qty);
                // An exchange replaces what it returns.
                if step == OrderEventKind::Returned {
                    item.stock_qty -= returned;
                }
                returned
            }
            None => wanted,
        };
    }
}

/// Adds the requested quantities, times `sign`, to what a sample retailer awaits.
fn add_to_awaited(context: &mut SimulationContext<'_, '_>, order: &SimulatedOrder, sign: i64) {
    let Some(shelf) = context.shelves.of(order.customer) else {
        return;
    };
    for line in &order.lines {
        if let Some(item) = shelf.item_mut(line.sku) {
            item.awaited_qty += sign * line.requested_qty;
        }
    }
}
