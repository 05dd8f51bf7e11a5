//! Orders, from the customer's wish to the closed order.

pub(super) mod order;
mod report;
mod supply;

use order::{Order, OrderEventKind, SimulatedLine, draw_course};
use supply::Supply;

use super::agenda::Action;
use super::context::SimulationContext;
use super::days::DAY_MS;
use super::plan::Plan;
use super::random::{RandomGenerator, Stream, scaled};
use super::world::{Customer, CustomerKind, SupplyStatus, World};

/// Working days on which a customer asks for emergency replenishment, per mille.
const EMERGENCY: u32 = 4;
/// Days of sales a sample retailer wants on its shelf.
const WANTED_COVER_DAYS: i64 = 11;
/// Order lines without a wholesale price, and with a wrong one, per mille.
const UNPRICED: u32 = 30;
const MISPRICED: u32 = 3;

/// Takes orders and sees them through.
pub(super) struct OrderDesk {
    random: RandomGenerator,
    supply: Supply,
    taken: u32,
}

impl OrderDesk {
    pub fn new(plan: &Plan) -> Self {
        Self {
            random: RandomGenerator::new(plan.seed, Stream::Orders),
            supply: Supply::new(plan),
            taken: 0,
        }
    }

    /// Schedules the day's customers: regular ones on their weekdays, emergencies at random.
    pub fn open_day(&mut self, context: &mut SimulationContext<'_, '_>) {
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

    /// A customer orders, unless nothing is wanted.
    pub fn place(
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
        self.taken += 1;
        self.advance(
            context,
            Box::new(Order {
                order_id: format!("O{:09}", self.taken),
                customer: index,
                kind,
                cycle_date: context.day.date_text.clone(),
                promised_date: course.promised_date,
                payment_due_date: course.payment_due_date,
                lines,
                to_come: course.steps,
            }),
        );
    }

    /// Takes the order's next step and schedules the one after it.
    pub fn advance(&mut self, context: &mut SimulationContext<'_, '_>, mut order: Box<Order>) {
        let Some((_, step)) = order.to_come.pop() else {
            return;
        };
        self.act(context, &mut order, step);
        self.report(context, &order, step);
        // Nothing allocated: nothing to deliver, settle or close.
        if step == OrderEventKind::Allocated
            && order.lines.iter().all(|line| line.allocated_qty == 0)
        {
            order.to_come = vec![(context.now + DAY_MS / 48, OrderEventKind::Cancelled)];
        }
        if let Some((at, _)) = order.to_come.last() {
            context.agenda.schedule(*at, Action::Order(order));
        }
    }

    /// What a step does to lines and shelves.
    fn act(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        order: &mut Order,
        step: OrderEventKind,
    ) {
        let customer = context.customer(order.customer);
        match step {
            OrderEventKind::Placed => await_lines(context, order, 1),
            OrderEventKind::Amended => {
                await_lines(context, order, -1);
                self.amend(order);
                await_lines(context, order, 1);
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
                await_lines(context, order, -1);
                self.deliver(context, order);
            }
            OrderEventKind::Rejected | OrderEventKind::Cancelled => await_lines(context, order, -1),
            OrderEventKind::Returned | OrderEventKind::Exchanged => {
                self.take_back(context, order, step)
            }
            _ => {}
        }
    }

    /// What the customer wants: SKU and quantity.
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
                        Self::asked(world, item.sku, self.random.about(missing.max(0), 150)),
                    )
                })
                .filter(|(_, qty)| *qty > 0)
                .collect();
        }
        let orders_a_week = i64::from(customer.order_weekdays.count_ones());
        let mut wanted = Vec::with_capacity(customer.carries.len());
        for sku in &customer.carries {
            // Not everything runs low at once.
            if self.random.permille(600) {
                let usual = world.weekly_rate(customer, *sku) * 5 / (3 * orders_a_week);
                let qty = scaled(self.random.about(usual.max(1), 350), season).max(1);
                wanted.push((*sku, Self::asked(world, *sku, qty)));
            }
        }
        wanted
    }

    /// People ask for more of what they know to be short.
    fn asked(world: &World, sku: u16, qty: i64) -> i64 {
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
            .wholesale_fen;
        let roll = self.random.below(1_000);
        SimulatedLine {
            line_no,
            sku,
            requested_qty: qty,
            allocated_qty: 0,
            delivered_qty: 0,
            returned_qty: 0,
            wholesale_price_fen: match roll {
                _ if roll < UNPRICED => None,
                _ if roll < UNPRICED + MISPRICED => Some(scaled(listed, 1_060)),
                _ => Some(listed),
            },
            is_key_brand_recommended: context.world.skus[usize::from(sku)].is_key_brand
                && self.random.permille(400),
        }
    }

    fn amend(&mut self, order: &mut Order) {
        let changed = self.random.below(order.lines.len() as u32) as usize;
        if order.lines.len() > 2 && self.random.permille(200) {
            order.lines.remove(changed);
            return;
        }
        let line = &mut order.lines[changed];
        line.requested_qty = (line.requested_qty + self.random.between(-3, 5)).max(1);
    }

    fn deliver(&mut self, context: &mut SimulationContext<'_, '_>, order: &mut Order) {
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

    /// Some cartons of one line go back; never more than were delivered or are still on the shelf.
    fn take_back(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        order: &mut Order,
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
                // An exchange puts as much back as it takes.
                if step == OrderEventKind::Returned {
                    item.stock_qty -= returned;
                }
                returned
            }
            None => wanted,
        };
    }
}

/// Adds the requested quantities to what a sample retailer awaits, or takes them off again.
fn await_lines(context: &mut SimulationContext<'_, '_>, order: &Order, sign: i64) {
    let Some(shelf) = context.shelves.of(order.customer) else {
        return;
    };
    for line in &order.lines {
        if let Some(item) = shelf.item_mut(line.sku) {
            item.awaited_qty += sign * line.requested_qty;
        }
    }
}
