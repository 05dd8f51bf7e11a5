//! One order: its lines and its future steps.

use chrono::Duration;
use schemas::money::Fen;
use schemas::time::{DurationMs, TimestampMs};

use crate::days::SimulatedDay;
use crate::random::RandomGenerator;
use crate::shelves::instant_of_movement;
use crate::world::{Customer, CustomerKind};

/// How often these things happen to an order, per mille.
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
    pub wholesale_price: Option<Fen>,
    pub is_key_brand_recommended: bool,
}

/// An open order.
pub(crate) struct SimulatedOrder {
    pub(super) order_id: String,
    pub(super) customer: u32,
    pub(super) kind: &'static str,
    pub(super) cycle_date: String,
    pub(super) promised_date: String,
    pub(super) payment_due_date: String,
    pub(super) lines: Vec<SimulatedLine>,
    /// The next step last.
    pub(super) remaining_steps: Vec<(TimestampMs, OrderEventKind)>,
}

/// The steps of an order with their instants, and its promised dates.
pub(super) struct Course {
    pub steps: Vec<(TimestampMs, OrderEventKind)>,
    pub promised_date: String,
    pub payment_due_date: String,
}

/// Draws the course of an order placed `now`.
pub(super) fn draw_course(
    now: TimestampMs,
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
        // The limit is four working hours; some decisions take longer.
        let decided_at = asked_at
            + DurationMs::from_minutes(random.weighted(&[(85, 30), (10, 200), (5, 420)]))
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
    let delivery_day = delivery.start;
    let delivered_at =
        instant_of_movement(delivery_day + DurationMs::from_hours(8) + random.minutes(30, 510));
    steps.push((
        delivery_day + DurationMs::from_hours(6) + random.minutes(0, 90),
        OrderEventKind::Dispatched,
    ));
    steps.push((delivered_at, OrderEventKind::Delivered));
    settle(&mut steps, allocated_at, delivered_at, customer, random);
    after_sale(&mut steps, delivered_at, delivery_day, kind, random);
    Course::new(steps, day)
}

fn settle(
    steps: &mut Vec<(TimestampMs, OrderEventKind)>,
    allocated_at: TimestampMs,
    delivered_at: TimestampMs,
    customer: &Customer,
    random: &mut RandomGenerator,
) {
    if customer.kind == CustomerKind::KeyAccount {
        steps.push((
            delivered_at + random.minutes(5, 60),
            OrderEventKind::PaymentDue,
        ));
        // Nine of ten pay within the seven days allowed.
        let paid_after = if random.permille(900) {
            random.between(1, 6)
        } else {
            random.between(8, 15)
        };
        steps.push((
            delivered_at + DurationMs::from_days(paid_after) + random.minutes(60, 120),
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
    steps: &mut Vec<(TimestampMs, OrderEventKind)>,
    delivered_at: TimestampMs,
    delivery_day: TimestampMs,
    kind: &str,
    random: &mut RandomGenerator,
) {
    if kind == "EMERGENCY" && random.permille(FOLLOWED_UP) {
        // The limit is seven days.
        steps.push((
            delivered_at + DurationMs::from_days(random.between(1, 8)),
            OrderEventKind::FollowedUp,
        ));
    }
    let mut closed_at = delivery_day + DurationMs::from_hours(24 + 19) + random.minutes(0, 120);
    if random.permille(RETURNED) {
        let returned_after = DurationMs::from_days(random.between(1, 4)) + random.minutes(0, 40);
        let returned_at = instant_of_movement(delivered_at + returned_after);
        steps.push((returned_at, OrderEventKind::Returned));
        steps.push((
            returned_at + random.minutes(60, 1_440),
            OrderEventKind::Refunded,
        ));
        closed_at = returned_at + DurationMs::from_days(2);
    } else if random.permille(EXCHANGED) {
        steps.push((
            delivered_at + DurationMs::DAY + random.minutes(0, 40),
            OrderEventKind::Exchanged,
        ));
        closed_at += DurationMs::DAY;
    }
    steps.push((closed_at, OrderEventKind::Closed));
}

impl Course {
    fn new(mut steps: Vec<(TimestampMs, OrderEventKind)>, day: &SimulatedDay) -> Self {
        // Latest first, so that the next step is popped off the end. Steps of the same instant keep their order.
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
