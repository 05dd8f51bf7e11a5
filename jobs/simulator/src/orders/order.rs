//! One order: its lines and what is going to happen to it.

use chrono::Duration;

use crate::days::{DAY_MS, HOUR_MS, MINUTE_MS, SimulatedDay};
use crate::random::RandomGenerator;
use crate::world::{Customer, CustomerKind};

/// Shares per mille of the ways an order can go.
const AMENDED: u32 = 60;
const CANCELLED_EARLY: u32 = 15;
const CANCELLED_LATE: u32 = 6;
const REJECTED: u32 = 130;
const PAYMENT_FAILED: u32 = 20;
const DELIVERED_LATE: u32 = 30;
const RETURNED: u32 = 12;
const EXCHANGED: u32 = 3;
const FOLLOWED_UP: u32 = 900;

/// Days after the promised delivery by which a key account pays.
const PAYMENT_DAYS: i64 = 7;

/// What can happen to an order (`DOMAIN.md` 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderEventKind {
    Placed,
    Amended,
    ApprovalRequested,
    Approved,
    Rejected,
    Confirmed,
    Allocated,
    PaymentFailed,
    Settled,
    Dispatched,
    Delivered,
    Returned,
    Refunded,
    Exchanged,
    FollowedUp,
    PaymentDue,
    PaymentReceived,
    Cancelled,
    Closed,
}

#[derive(Clone, Debug)]
pub(super) struct SimulatedLine {
    pub line_no: u16,
    pub sku: u16,
    pub requested_qty: i64,
    pub allocated_qty: i64,
    pub delivered_qty: i64,
    pub returned_qty: i64,
    /// Some sources do not send it.
    pub wholesale_price_fen: Option<i64>,
    pub is_key_brand_recommended: bool,
}

/// An order under way.
pub(crate) struct Order {
    pub(super) order_id: String,
    pub(super) customer: u32,
    pub(super) kind: &'static str,
    pub(super) cycle_date: String,
    pub(super) promised_date: String,
    pub(super) payment_due_date: String,
    pub(super) lines: Vec<SimulatedLine>,
    /// What is still to come, the next step last.
    pub(super) to_come: Vec<(i64, OrderEventKind)>,
}

/// When the steps of an order come, and what they promise.
pub(super) struct Course {
    pub steps: Vec<(i64, OrderEventKind)>,
    pub promised_date: String,
    pub payment_due_date: String,
}

/// Draws the course of an order placed `now`.
pub(super) fn draw_course(
    now: i64,
    day: &SimulatedDay,
    kind: &str,
    customer: &Customer,
    random: &mut RandomGenerator,
) -> Course {
    let mut steps = vec![(now, OrderEventKind::Placed)];
    let confirmed_at = now + random.minutes(1, 20);
    let mut ready_at = confirmed_at;
    if kind == "EMERGENCY" {
        let asked_at = now + random.minutes(1, 5);
        // Four working hours are the limit; some take longer.
        let decided_at = asked_at
            + random.weighted(&[(85, 30), (10, 200), (5, 420)]) * MINUTE_MS
            + random.minutes(0, 20);
        steps.push((asked_at, OrderEventKind::ApprovalRequested));
        if random.permille(REJECTED) {
            steps.push((decided_at, OrderEventKind::Rejected));
            return Course::new(steps, day);
        }
        steps.push((decided_at, OrderEventKind::Approved));
        ready_at = decided_at + random.minutes(1, 10);
    }
    steps.push((ready_at, OrderEventKind::Confirmed));
    if random.permille(CANCELLED_EARLY) {
        steps.push((ready_at + random.minutes(10, 90), OrderEventKind::Cancelled));
        return Course::new(steps, day);
    }
    if random.permille(AMENDED) {
        steps.push((now + random.minutes(3, 60), OrderEventKind::Amended));
    }
    let allocated_at =
        (day.at(17, 0) + random.minutes(0, 90)).max(ready_at + random.minutes(5, 15));
    steps.push((allocated_at, OrderEventKind::Allocated));
    if random.permille(CANCELLED_LATE) {
        steps.push((
            allocated_at + random.minutes(10, 120),
            OrderEventKind::Cancelled,
        ));
        return Course::new(steps, day);
    }
    let delivery = if random.permille(DELIVERED_LATE) {
        day.second_next_working
    } else {
        day.next_working
    };
    let delivery_day = delivery.start_ms;
    // Even milliseconds: stock counts fall on odd ones.
    let delivered_at = (delivery_day + 8 * HOUR_MS + random.minutes(30, 510)) & !1;
    steps.push((
        delivery_day + 6 * HOUR_MS + random.minutes(0, 90),
        OrderEventKind::Dispatched,
    ));
    steps.push((delivered_at, OrderEventKind::Delivered));
    settle(&mut steps, allocated_at, delivered_at, customer, random);
    after_sale(&mut steps, delivered_at, delivery_day, kind, random);
    Course::new(steps, day)
}

fn settle(
    steps: &mut Vec<(i64, OrderEventKind)>,
    allocated_at: i64,
    delivered_at: i64,
    customer: &Customer,
    random: &mut RandomGenerator,
) {
    if customer.kind == CustomerKind::KeyAccount {
        steps.push((
            delivered_at + random.minutes(5, 60),
            OrderEventKind::PaymentDue,
        ));
        // Ninety of a hundred pay within the seven days they have.
        let paid_after = if random.permille(900) {
            random.between(1, 6)
        } else {
            random.between(8, 15)
        };
        steps.push((
            delivered_at + paid_after * DAY_MS + random.minutes(60, 120),
            OrderEventKind::PaymentReceived,
        ));
        return;
    }
    let settled_at = if customer.settlement == "E_SETTLEMENT" {
        allocated_at + random.minutes(2, 40)
    } else {
        delivered_at + random.minutes(1, 6)
    };
    if random.permille(PAYMENT_FAILED) {
        steps.push((settled_at, OrderEventKind::PaymentFailed));
        steps.push((
            settled_at + random.minutes(20, 720),
            OrderEventKind::Settled,
        ));
    } else {
        steps.push((settled_at, OrderEventKind::Settled));
    }
}

fn after_sale(
    steps: &mut Vec<(i64, OrderEventKind)>,
    delivered_at: i64,
    delivery_day: i64,
    kind: &str,
    random: &mut RandomGenerator,
) {
    if kind == "EMERGENCY" && random.permille(FOLLOWED_UP) {
        // Seven days are the limit.
        steps.push((
            delivered_at + random.between(1, 8) * DAY_MS,
            OrderEventKind::FollowedUp,
        ));
    }
    let mut closed_at = delivery_day + DAY_MS + 19 * HOUR_MS + random.minutes(0, 120);
    if random.permille(RETURNED) {
        let returned_at =
            (delivered_at + random.between(1, 4) * DAY_MS + random.minutes(0, 40)) & !1;
        steps.push((returned_at, OrderEventKind::Returned));
        steps.push((
            returned_at + random.minutes(60, 1_440),
            OrderEventKind::Refunded,
        ));
        closed_at = returned_at + 2 * DAY_MS;
    } else if random.permille(EXCHANGED) {
        steps.push((
            delivered_at + DAY_MS + random.minutes(0, 40),
            OrderEventKind::Exchanged,
        ));
        closed_at += DAY_MS;
    }
    steps.push((closed_at, OrderEventKind::Closed));
}

impl Course {
    fn new(mut steps: Vec<(i64, OrderEventKind)>, day: &SimulatedDay) -> Self {
        // Latest first, so that the next step is popped off the end; steps of one instant in the order they were planned.
        steps.sort_by_key(|(at, _)| *at);
        steps.reverse();
        let promised = day.next_working.date;
        Self {
            steps,
            promised_date: promised.to_string(),
            payment_due_date: (promised + Duration::days(PAYMENT_DAYS)).to_string(),
        }
    }
}
