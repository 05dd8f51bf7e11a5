//! Orders, from the customer's wish to the closed order.

pub(super) mod order;
mod report;
mod supply;

use order::{Line, Order, Step, draw_course};
use supply::Supply;

use super::agenda::Action;
use super::days::DAY_MS;
use super::dice::{Dice, Stream, scaled};
use super::plan::Plan;
use super::scene::Scene;
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
    dice: Dice,
    supply: Supply,
    taken: u32,
}

impl OrderDesk {
    pub fn new(plan: &Plan) -> Self {
        Self {
            dice: Dice::new(plan.seed, Stream::Orders),
            supply: Supply::new(plan),
            taken: 0,
        }
    }

    /// Schedules the day's customers: regular ones on their weekdays, emergencies at random.
    pub fn open_day(&mut self, scene: &mut Scene<'_, '_>) {
        let day = scene.day;
        if !day.is_working {
            return;
        }
        self.supply.open_week(scene.world, day.week);
        for (index, customer) in scene.world.customers.iter().enumerate() {
            let place = |is_emergency| Action::PlaceOrder {
                customer: index as u32,
                is_emergency,
            };
            if customer.orders_on(day.weekday) {
                let at = day.at(8, 30) + self.dice.minutes(0, 450);
                scene.agenda.schedule(at, place(false));
            } else if customer.kind == CustomerKind::Retailer && self.dice.permille(EMERGENCY) {
                let at = day.at(9, 0) + self.dice.minutes(0, 360);
                scene.agenda.schedule(at, place(true));
            }
        }
    }

    /// A customer orders, unless nothing is wanted.
    pub fn place(&mut self, scene: &mut Scene<'_, '_>, index: u32, is_emergency: bool) {
        let customer = scene.customer(index);
        let kind = match customer.kind {
            _ if is_emergency => "EMERGENCY",
            CustomerKind::KeyAccount => "KEY_ACCOUNT_DEAL",
            _ if self.dice.permille(4) => "TRIAL",
            _ => "REGULAR",
        };
        let wanted = self.wanted(scene, index, is_emergency);
        if wanted.is_empty() {
            return;
        }
        let lines = (1..)
            .zip(wanted)
            .map(|(line_no, (sku, qty))| self.line(scene, customer, line_no, sku, qty))
            .collect();
        let course = draw_course(scene.now, scene.day, kind, customer, &mut self.dice);
        self.taken += 1;
        self.advance(
            scene,
            Box::new(Order {
                order_id: format!("O{:09}", self.taken),
                customer: index,
                kind,
                cycle_date: scene.day.date_text.clone(),
                promised_date: course.promised_date,
                payment_due_date: course.payment_due_date,
                lines,
                to_come: course.steps,
            }),
        );
    }

    /// Takes the order's next step and schedules the one after it.
    pub fn advance(&mut self, scene: &mut Scene<'_, '_>, mut order: Box<Order>) {
        let Some((_, step)) = order.to_come.pop() else {
            return;
        };
        self.act(scene, &mut order, step);
        self.report(scene, &order, step);
        // Nothing allocated: nothing to deliver, settle or close.
        if step == Step::Allocated && order.lines.iter().all(|line| line.allocated_qty == 0) {
            order.to_come = vec![(scene.now + DAY_MS / 48, Step::Cancelled)];
        }
        if let Some((at, _)) = order.to_come.last() {
            scene.agenda.schedule(*at, Action::Order(order));
        }
    }

    /// What a step does to lines and shelves.
    fn act(&mut self, scene: &mut Scene<'_, '_>, order: &mut Order, step: Step) {
        let customer = scene.customer(order.customer);
        match step {
            Step::Placed => await_lines(scene, order, 1),
            Step::Amended => {
                await_lines(scene, order, -1);
                self.amend(order);
                await_lines(scene, order, 1);
            }
            Step::Allocated => {
                for line in &mut order.lines {
                    line.allocated_qty = self.supply.allocate(
                        scene.world,
                        customer,
                        line.sku,
                        line.requested_qty,
                        scene.now,
                    );
                }
            }
            Step::Delivered => {
                await_lines(scene, order, -1);
                self.deliver(scene, order);
            }
            Step::Rejected | Step::Cancelled => await_lines(scene, order, -1),
            Step::Returned | Step::Exchanged => self.take_back(scene, order, step),
            _ => {}
        }
    }

    /// What the customer wants: SKU and quantity.
    fn wanted(
        &mut self,
        scene: &mut Scene<'_, '_>,
        index: u32,
        is_emergency: bool,
    ) -> Vec<(u16, i64)> {
        let world = scene.world;
        let customer = scene.customer(index);
        if is_emergency {
            let sku = self.dice.pick(&customer.carries);
            return vec![(
                sku,
                world.weekly_rate(customer, sku) + self.dice.between(2, 10),
            )];
        }
        let season = scene.day.demand_permille;
        if let Some(shelf) = scene.shelves.of(index) {
            return shelf
                .items
                .iter()
                .map(|item| {
                    let cover = scaled(item.weekly_rate * WANTED_COVER_DAYS, season) / 7;
                    let missing = cover - item.stock_qty - item.awaited_qty;
                    (
                        item.sku,
                        Self::asked(world, item.sku, self.dice.about(missing.max(0), 150)),
                    )
                })
                .filter(|(_, qty)| *qty > 0)
                .collect();
        }
        let orders_a_week = i64::from(customer.order_weekdays.count_ones());
        let mut wanted = Vec::with_capacity(customer.carries.len());
        for sku in &customer.carries {
            // Not everything runs low at once.
            if self.dice.permille(600) {
                let usual = world.weekly_rate(customer, *sku) * 5 / (3 * orders_a_week);
                let qty = scaled(self.dice.about(usual.max(1), 350), season).max(1);
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
        scene: &Scene<'_, '_>,
        customer: &Customer,
        line_no: u16,
        sku: u16,
        qty: i64,
    ) -> Line {
        let area = scene.world.territory(customer).area;
        let listed = scene
            .world
            .price_book
            .in_force(sku, area, scene.now)
            .wholesale_fen;
        let roll = self.dice.below(1_000);
        Line {
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
            is_key_brand_recommended: scene.world.skus[usize::from(sku)].is_key_brand
                && self.dice.permille(400),
        }
    }

    fn amend(&mut self, order: &mut Order) {
        let changed = self.dice.below(order.lines.len() as u32) as usize;
        if order.lines.len() > 2 && self.dice.permille(200) {
            order.lines.remove(changed);
            return;
        }
        let line = &mut order.lines[changed];
        line.requested_qty = (line.requested_qty + self.dice.between(-3, 5)).max(1);
    }

    fn deliver(&mut self, scene: &mut Scene<'_, '_>, order: &mut Order) {
        let is_discrepant = self.dice.permille(10);
        for line in &mut order.lines {
            let broken = i64::from(is_discrepant && line.line_no == 1);
            line.delivered_qty = (line.allocated_qty - broken).max(0);
            if let Some(item) = scene
                .shelves
                .of(order.customer)
                .and_then(|shelf| shelf.item_mut(line.sku))
            {
                item.stock_qty += line.delivered_qty;
            }
        }
    }

    /// Some cartons of one line go back; never more than were delivered or are still on the shelf.
    fn take_back(&mut self, scene: &mut Scene<'_, '_>, order: &mut Order, step: Step) {
        let chosen = self.dice.below(order.lines.len() as u32) as usize;
        let line = &mut order.lines[chosen];
        let wanted = self.dice.between(1, 3).min(line.delivered_qty);
        let item = scene
            .shelves
            .of(order.customer)
            .and_then(|shelf| shelf.item_mut(line.sku));
        line.returned_qty = match item {
            Some(item) => {
                let returned = wanted.min(item.stock_qty);
                // An exchange puts as much back as it takes.
                if step == Step::Returned {
                    item.stock_qty -= returned;
                }
                returned
            }
            None => wanted,
        };
    }
}

/// Adds the requested quantities to what a sample retailer awaits, or takes them off again.
fn await_lines(scene: &mut Scene<'_, '_>, order: &Order, sign: i64) {
    let Some(shelf) = scene.shelves.of(order.customer) else {
        return;
    };
    for line in &order.lines {
        if let Some(item) = shelf.item_mut(line.sku) {
            item.awaited_qty += sign * line.requested_qty;
        }
    }
}
