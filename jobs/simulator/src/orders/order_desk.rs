//! The desk that takes orders and sees them through their steps.

use schemas::time::DurationMs;

use super::order::{OrderEventKind, SimulatedOrder, draw_course};
use super::supply::Supply;
use crate::agenda::Action;
use crate::context::SimulationContext;
use crate::plan::Plan;
use crate::random::{RandomGenerator, Stream};
use crate::world::CustomerKind;

/// Working days on which a customer requests emergency replenishment, per mille.
const EMERGENCY: u32 = 4;

/// Takes orders and processes them until they are closed.
pub(crate) struct OrderDesk {
    pub(super) random: RandomGenerator,
    pub(super) supply: Supply,
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
}
