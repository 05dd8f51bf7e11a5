//! The events of an order's steps (`DOMAIN.md` 3.2).

use schemas::event::Topic;
use schemas::money::Fen;
use schemas::time::{DurationMs, TimestampMs};

use super::OrderDesk;
use super::order::{OrderEventKind, SimulatedLine, SimulatedOrder};
use crate::arrivals::Envelope;
use crate::context::{SimulationContext, about_customer};
use crate::payload::Payload;
use crate::verdict::EventId;
use crate::world::{Customer, CustomerKind, World};

/// Deliveries first entered with a wrong quantity and corrected at once, per mille.
const MISTYPED_DELIVERY: u32 = 5;
/// Orders first entered with ten times a quantity and corrected at once, per mille.
const MISTYPED_ORDER: u32 = 3;

impl OrderDesk {
    pub(super) fn report(
        &mut self,
        context: &mut SimulationContext<'_, '_>,
        order: &SimulatedOrder,
        step: OrderEventKind,
    ) {
        let customer = context.customer(order.customer);
        let has_goods = order.lines.iter().any(|line| quantity(line, step) > 0);
        if matches!(
            step,
            OrderEventKind::Delivered | OrderEventKind::Returned | OrderEventKind::Exchanged
        ) && !has_goods
        {
            return;
        }
        let is_mistyped = match step {
            OrderEventKind::Placed => self.random.permille(MISTYPED_ORDER),
            OrderEventKind::Delivered => self.random.permille(MISTYPED_DELIVERY),
            _ => false,
        };
        let (event_type, source) = name(step, customer);
        let mut envelope = about_customer(Topic::Orders, event_type, context.now, source, customer);
        envelope.actor_role = actor(step, customer);
        let area = context.world.area(customer);
        if matches!(step, OrderEventKind::Approved | OrderEventKind::Rejected) {
            envelope.actor_id = Some(&area.market_manager_id);
            envelope.unit_id = Some(&area.unit_id);
        }
        let roll = self.random.below(1_000);
        if is_mistyped {
            let wrong = mistyped(order, step);
            let wrong_id = post(context, &envelope, customer, &wrong, step, roll);
            envelope.corrects = Some(wrong_id);
        }
        post(context, &envelope, customer, order, step, roll);
    }
}

fn post(
    context: &mut SimulationContext<'_, '_>,
    envelope: &Envelope<'_>,
    customer: &Customer,
    order: &SimulatedOrder,
    step: OrderEventKind,
    roll: u32,
) -> EventId {
    let (world, now) = (context.world, context.now);
    context.arrivals.post(envelope, |payload| {
        write(payload, world, customer, order, step, roll, now);
    })
}

/// The same order with one quantity wrong.
fn mistyped(order: &SimulatedOrder, step: OrderEventKind) -> SimulatedOrder {
    let mut lines = order.lines.clone();
    if let Some(line) = lines.iter_mut().find(|line| quantity(line, step) > 0) {
        match step {
            OrderEventKind::Placed => line.requested_qty *= 10,
            _ => line.delivered_qty += 10,
        }
    }
    SimulatedOrder {
        order_id: order.order_id.clone(),
        customer: order.customer,
        kind: order.kind,
        cycle_date: order.cycle_date.clone(),
        promised_date: order.promised_date.clone(),
        payment_due_date: order.payment_due_date.clone(),
        lines,
        remaining_steps: Vec::new(),
    }
}

/// The quantity that a step is about.
fn quantity(line: &SimulatedLine, step: OrderEventKind) -> i64 {
    match step {
        OrderEventKind::Delivered => line.delivered_qty,
        OrderEventKind::Returned | OrderEventKind::Refunded | OrderEventKind::Exchanged => {
            line.returned_qty
        }
        OrderEventKind::Allocated => line.allocated_qty,
        _ => line.requested_qty,
    }
}

fn name(step: OrderEventKind, customer: &Customer) -> (&'static str, &'static str) {
    let orders = if customer.order_channel == "PHONE" {
        "ORDER_SYSTEM"
    } else {
        "ORDER_PLATFORM"
    };
    match step {
        OrderEventKind::Placed => ("order.placed", orders),
        OrderEventKind::Amended => ("order.amended", orders),
        OrderEventKind::ApprovalRequested => ("order.approval_requested", "ORDER_SYSTEM"),
        OrderEventKind::Approved => ("order.approved", "ORDER_SYSTEM"),
        OrderEventKind::Rejected => ("order.rejected", "ORDER_SYSTEM"),
        OrderEventKind::Confirmed => ("order.confirmed", "ORDER_SYSTEM"),
        OrderEventKind::Allocated => ("order.allocated", "ORDER_SYSTEM"),
        OrderEventKind::PaymentFailed | OrderEventKind::Settled => {
            ("order.settled", "SETTLEMENT_SYSTEM")
        }
        OrderEventKind::Dispatched => ("order.dispatched", "LOGISTICS_SYSTEM"),
        OrderEventKind::Delivered => ("order.delivered", "LOGISTICS_SYSTEM"),
        OrderEventKind::Returned => ("order.returned", "LOGISTICS_SYSTEM"),
        OrderEventKind::Refunded => ("order.refunded", "SETTLEMENT_SYSTEM"),
        OrderEventKind::Exchanged => ("order.exchanged", "LOGISTICS_SYSTEM"),
        OrderEventKind::FollowedUp => ("order.followed_up", "FIELD_APP"),
        OrderEventKind::PaymentDue => ("order.payment_due", "SETTLEMENT_SYSTEM"),
        OrderEventKind::PaymentReceived => ("order.payment_received", "SETTLEMENT_SYSTEM"),
        OrderEventKind::Cancelled => ("order.cancelled", "ORDER_SYSTEM"),
        OrderEventKind::Closed => ("order.closed", "ORDER_SYSTEM"),
    }
}

fn actor(step: OrderEventKind, customer: &Customer) -> &'static str {
    match step {
        OrderEventKind::Placed | OrderEventKind::Amended if customer.order_channel == "PHONE" => {
            "ORDER_SECTION"
        }
        OrderEventKind::Placed | OrderEventKind::Amended => "CUSTOMER",
        OrderEventKind::ApprovalRequested | OrderEventKind::FollowedUp => "CLIENT_MANAGER",
        OrderEventKind::Approved | OrderEventKind::Rejected => "MARKET_MANAGER",
        OrderEventKind::Dispatched
        | OrderEventKind::Delivered
        | OrderEventKind::Returned
        | OrderEventKind::Exchanged => "LOGISTICS",
        _ => "SYSTEM",
    }
}

/// Writes the fields of a step; `roll` (0-999) decides details that do not affect later steps.
fn write(
    payload: &mut Payload,
    world: &World,
    customer: &Customer,
    order: &SimulatedOrder,
    step: OrderEventKind,
    roll: u32,
    now: TimestampMs,
) {
    payload.text("order_id", &order.order_id);
    match step {
        OrderEventKind::Placed => {
            payload
                .text("order_kind", order.kind)
                .text("channel", customer.order_channel)
                .text("placed_by_role", placed_by(customer, roll))
                .text("entered_by_role", actor(step, customer))
                .text("order_cycle_date", &order.cycle_date);
            if order.kind == "EMERGENCY" {
                let reasons = [
                    "GROUP_PURCHASE",
                    "LOW_STOCK",
                    "WEDDING_FUNERAL",
                    "CONFERENCE",
                    "OTHER",
                ];
                payload.text("emergency_reason", reasons[roll as usize % 5]);
            }
            write_lines(payload, world, order, step);
        }
        OrderEventKind::Amended => {
            let by_phone = customer.order_channel == "PHONE";
            let reason = if by_phone && roll < 300 {
                "ENTRY_ERROR"
            } else {
                "CUSTOMER_CHANGE"
            };
            payload.text("amend_reason", reason);
            write_lines(payload, world, order, step);
        }
        OrderEventKind::ApprovalRequested | OrderEventKind::Approved => {
            payload.text("approver_role", "MARKET_MANAGER");
        }
        OrderEventKind::Rejected => {
            payload
                .text("approver_role", "MARKET_MANAGER")
                .text("reject_reason", "NOT_JUSTIFIED");
        }
        OrderEventKind::Confirmed => {
            payload
                .text("promised_delivery_date", &order.promised_date)
                .text("delivery_mode", customer.delivery_mode)
                .text("payment_due_date", &order.payment_due_date);
        }
        OrderEventKind::Allocated => {
            payload.text("allocation_plan_id", &format!("AP-{}", order.cycle_date));
            write_lines(payload, world, order, step);
        }
        OrderEventKind::PaymentFailed | OrderEventKind::Settled => {
            let failed = step == OrderEventKind::PaymentFailed;
            let attempt = if failed { "-1" } else { "" };
            payload
                .text(
                    "settlement_id",
                    &format!("S{}{attempt}", &order.order_id[1..]),
                )
                .money(
                    "amount_fen",
                    amount(world, customer, order, OrderEventKind::Allocated, now),
                )
                .text("method", customer.settlement)
                .instant(
                    "initiated_at",
                    now - DurationMs::from_ms(i64::from(roll) * 20),
                )
                .text("result", if failed { "FAILED" } else { "SUCCESS" })
                .text_if("failure_code", failed.then_some("INSUFFICIENT_FUNDS"));
        }
        OrderEventKind::Dispatched => {
            payload
                .text("delivery_id", &delivery_id(order))
                .text("route_id", &customer.route_id());
        }
        OrderEventKind::Delivered => {
            let short = order
                .lines
                .iter()
                .any(|line| line.delivered_qty < line.allocated_qty);
            payload
                .text("delivery_id", &delivery_id(order))
                .text("route_id", &customer.route_id())
                .text("delivery_mode", customer.delivery_mode)
                .flag("discrepancy", short)
                .flag("signed", roll < 985);
            write_lines(payload, world, order, step);
        }
        OrderEventKind::Returned | OrderEventKind::Exchanged => {
            let reasons = ["QUALITY", "WRONG_ITEM", "UNSOLD", "OTHER"];
            payload.text("return_reason", reasons[roll as usize % 4]);
            write_lines(payload, world, order, step);
        }
        OrderEventKind::Refunded => {
            payload.money("amount_fen", amount(world, customer, order, step, now));
        }
        OrderEventKind::FollowedUp => {
            let outcome = match roll {
                ..920 => "NORMAL",
                920..970 => "NOT_REACHED",
                _ => "IRREGULAR",
            };
            payload.text("outcome", outcome);
        }
        OrderEventKind::PaymentDue => {
            payload
                .money(
                    "amount_fen",
                    amount(world, customer, order, OrderEventKind::Delivered, now),
                )
                .text("due_date", &order.payment_due_date);
        }
        OrderEventKind::PaymentReceived => {
            payload
                .money(
                    "amount_fen",
                    amount(world, customer, order, OrderEventKind::Delivered, now),
                )
                .instant("received_at", now);
        }
        OrderEventKind::Cancelled => {
            let reasons = ["CUSTOMER", "SUPPLY_LIMIT", "DUPLICATE"];
            payload.text("cancel_reason", reasons[roll as usize % 3]);
        }
        OrderEventKind::Closed => {}
    }
}

fn placed_by(customer: &Customer, roll: u32) -> &'static str {
    match roll {
        // Orders made by client managers are forbidden (000-R30) and still occur.
        ..6 if customer.kind == CustomerKind::Retailer => "CLIENT_MANAGER",
        6..12 => "SYSTEM_TEMPLATE",
        _ if customer.order_channel == "PHONE" => "ORDER_CLERK_ON_BEHALF",
        _ => "CUSTOMER",
    }
}

/// The lines of a step, with the quantity of that step only. Steps after the allocation list only lines with a quantity.
fn write_lines(payload: &mut Payload, world: &World, order: &SimulatedOrder, step: OrderEventKind) {
    let (field, all) = match step {
        OrderEventKind::Delivered => ("delivered_qty", false),
        OrderEventKind::Returned | OrderEventKind::Exchanged => ("returned_qty", false),
        OrderEventKind::Allocated => ("allocated_qty", true),
        _ => ("requested_qty", true),
    };
    let lines = order
        .lines
        .iter()
        .filter(|line| all || quantity(line, step) > 0);
    payload.list("lines", lines, |entry, line| {
        entry
            .int("line_no", i64::from(line.line_no))
            .text("sku_id", &world.skus[usize::from(line.sku)].sku_id)
            .int(field, quantity(line, step))
            .money_if("wholesale_price_fen", line.wholesale_price);
        if step == OrderEventKind::Placed {
            entry.flag("is_key_brand_recommended", line.is_key_brand_recommended);
        }
    });
}

/// The value of the step's quantities at wholesale prices.
fn amount(
    world: &World,
    customer: &Customer,
    order: &SimulatedOrder,
    step: OrderEventKind,
    now: TimestampMs,
) -> Fen {
    let area = world.territory(customer).area;
    order
        .lines
        .iter()
        .map(|line| {
            let price = line
                .wholesale_price
                .unwrap_or_else(|| world.price_book.in_force(line.sku, area, now).wholesale);
            price.saturating_mul(quantity(line, step))
        })
        .sum()
}

fn delivery_id(order: &SimulatedOrder) -> String {
    format!("D{}", &order.order_id[1..])
}
