//! Orders, from placing to closing.

pub(crate) mod order;
mod report;
mod supply;

use schemas::time::DurationMs;

use order::{OrderEventKind, SimulatedLine, SimulatedOrder, draw_course};
use supply::Supply;

use super::agenda::Action;
use super::context::SimulationContext;
use super::plan::Plan;
use super::random::{RandomGenerator, Stream, scaled};
use super::world::{Customer, CustomerKind, SupplyStatus, World, scaled_price};

/// Working days on which a customer requests emergency replenishment, per mille.
const EMERGENCY: u32 = 4;
/// Days of sales that a sample retailer wants in stock.
const WANTED_COVER_DAYS: i64 = 11;
/// Order lines without a wholesale price and with a wrong one, per mille.
const UNPRICED: u32 = 30;
const MISPRICED: u32 = 3;

/// Takes orders and processes them until they are closed.
pub(crate) struct OrderDesk {
    random: RandomGenerator,
    supply: Supply,
    orders: u32,
}

impl OrderDesk {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            random: RandomGenerator::new(plan.seed, Stream::Orders),
            supply: Supply::new(plan),
            orders: 0,
        }
    }

    /// Schedules the orders of the day: regular ones by weekday, emergencies at random.
    pub(crate) fn open_day(&mut self, context: &mut SimulationContext<'_, '_>) {
        let day = context.day;
        if !day.is_working {
            return;
        }
        self.supply.open_week(context.world, day.week);
        for (index, customer) in context.world.customers.iter().enumerate() {
            let place = |is_emergency| Action::PlaceOrder {
                customer: index as u32,
                is_emergency,
            };
            if customer.orders_on(day.weekday) {
                let at = day.at(8, 30) + self.random.minutes(0, 450);
                context.agenda.schedule(at, place(false));
            } else if customer.kind == CustomerKind::Retailer && self.random.permille(EMERGENCY) {
                let at = day.at(9, 0) + self.random.minutes(0, 360);
                context.agenda.schedule(at, place(true));
            }
        }
    }

    /// A customer orders, unless nothing is needed.
    pub(crate) fn place(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        index: u32,
        is_emergency: bool,
    ) {
        let customer = context.customer(index);
        let kind = match customer.kind {
            _ if is_emergency => "EMERGENCY",
            CustomerKind::KeyAccount => "KEY_ACCOUNT_DEAL",
            _ if self.random.permille(4) => "TRIAL",
            _ => "REGULAR",
        };
        let wanted = self.wanted(context, index, is_emergency);
        if wanted.is_empty() {
            return;
        }
        let lines = (1..)
            .zip(wanted)
            .map(|(line_no, (sku, qty))| self.line(context, customer, line_no, sku, qty))
            .collect();
        let course = draw_course(context.now, context.day, kind, customer, &mut self.random);
        self.orders += 1;
        self.advance(
            context,
            Box::new(SimulatedOrder {
                order_id: format!("O{:09}", self.orders),
                customer: index,
                kind,
                cycle_date: context.day.date_text.clone(),
                promised_date: course.promised_date,
                payment_due_date: course.payment_due_date,
                lines,
                remaining_steps: course.steps,
            }),
        );
    }

    /// Performs the next step of an order and schedules the one after it.
    pub(crate) fn advance(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        mut order: Box<SimulatedOrder>,
    ) {
        let Some((_, step)) = order.remaining_steps.pop() else {
            return;
        };
        self.apply(context, &mut order, step);
        self.report(context, &order, step);
        // Without an allocation there is nothing to deliver, settle or close.
        if step == OrderEventKind::Allocated
            && order.lines.iter().all(|line| line.allocated_qty == 0)
        {
            let cancelled_at = context.now + DurationMs::from_minutes(30);
            order.remaining_steps = vec![(cancelled_at, OrderEventKind::Cancelled)];
        }
        if let Some((at, _)) = order.remaining_steps.last() {
            context.agenda.schedule(*at, Action::Order(order));
        }
    }

    /// Applies a step to lines and shelves.
    fn apply(
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

    /// What the customer orders: SKU and quantity.
    fn wanted(
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

    fn line(
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
