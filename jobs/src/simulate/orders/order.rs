//! One order: its lines and what is going to happen to it.

use chrono::Duration;

use crate::simulate::days::{DAY_MS, Day, HOUR_MS, MINUTE_MS};
use crate::simulate::dice::Dice;
use crate::simulate::world::{Customer, CustomerKind};

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

/// What can happen to an order (`domain.md` 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
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
pub(super) struct Line {
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
pub(in crate::simulate) struct Order {
    pub(super) order_id: String,
    pub(super) customer: u32,
    pub(super) kind: &'static str,
    pub(super) cycle_date: String,
    pub(super) promised_date: String,
    pub(super) payment_due_date: String,
    pub(super) lines: Vec<Line>,
    /// What is still to come, the next step last.
    pub(super) to_come: Vec<(i64, Step)>,
}

/// When the steps of an order come, and what they promise.
pub(super) struct Course {
    pub steps: Vec<(i64, Step)>,
    pub promised_date: String,
    pub payment_due_date: String,
}

/// Draws the course of an order placed `now`.
pub(super) fn draw_course(
    now: i64,
    day: &Day,
    kind: &str,
    customer: &Customer,
    dice: &mut Dice,
) -> Course {
    let mut steps = vec![(now, Step::Placed)];
    let confirmed_at = now + dice.minutes(1, 20);
    let mut ready_at = confirmed_at;
    if kind == "EMERGENCY" {
        let asked_at = now + dice.minutes(1, 5);
        // Four working hours are the limit; some take longer.
        let decided_at = asked_at
            + dice.weighted(&[(85, 30), (10, 200), (5, 420)]) * MINUTE_MS
            + dice.minutes(0, 20);
        steps.push((asked_at, Step::ApprovalRequested));
        if dice.permille(REJECTED) {
            steps.push((decided_at, Step::Rejected));
            return Course::new(steps, day);
        }
        steps.push((decided_at, Step::Approved));
        ready_at = decided_at + dice.minutes(1, 10);
    }
    steps.push((ready_at, Step::Confirmed));
    if dice.permille(CANCELLED_EARLY) {
        steps.push((ready_at + dice.minutes(10, 90), Step::Cancelled));
        return Course::new(steps, day);
    }
    if dice.permille(AMENDED) {
        steps.push((now + dice.minutes(3, 60), Step::Amended));
    }
    let allocated_at = (day.at(17, 0) + dice.minutes(0, 90)).max(ready_at + dice.minutes(5, 15));
    steps.push((allocated_at, Step::Allocated));
    if dice.permille(CANCELLED_LATE) {
        steps.push((allocated_at + dice.minutes(10, 120), Step::Cancelled));
        return Course::new(steps, day);
    }
    let delivery = if dice.permille(DELIVERED_LATE) {
        day.second_next_working
    } else {
        day.next_working
    };
    let delivery_day = delivery.start_ms;
    // Even milliseconds: stock counts fall on odd ones.
    let delivered_at = (delivery_day + 8 * HOUR_MS + dice.minutes(30, 510)) & !1;
    steps.push((
        delivery_day + 6 * HOUR_MS + dice.minutes(0, 90),
        Step::Dispatched,
    ));
    steps.push((delivered_at, Step::Delivered));
    settle(&mut steps, allocated_at, delivered_at, customer, dice);
    after_sale(&mut steps, delivered_at, delivery_day, kind, dice);
    Course::new(steps, day)
}

fn settle(
    steps: &mut Vec<(i64, Step)>,
    allocated_at: i64,
    delivered_at: i64,
    customer: &Customer,
    dice: &mut Dice,
) {
    if customer.kind == CustomerKind::KeyAccount {
        steps.push((delivered_at + dice.minutes(5, 60), Step::PaymentDue));
        // Ninety of a hundred pay within the seven days they have.
        let paid_after = if dice.permille(900) {
            dice.between(1, 6)
        } else {
            dice.between(8, 15)
        };
        steps.push((
            delivered_at + paid_after * DAY_MS + dice.minutes(60, 120),
            Step::PaymentReceived,
        ));
        return;
    }
    let settled_at = if customer.settlement == "E_SETTLEMENT" {
        allocated_at + dice.minutes(2, 40)
    } else {
        delivered_at + dice.minutes(1, 6)
    };
    if dice.permille(PAYMENT_FAILED) {
        steps.push((settled_at, Step::PaymentFailed));
        steps.push((settled_at + dice.minutes(20, 720), Step::Settled));
    } else {
        steps.push((settled_at, Step::Settled));
    }
}

fn after_sale(
    steps: &mut Vec<(i64, Step)>,
    delivered_at: i64,
    delivery_day: i64,
    kind: &str,
    dice: &mut Dice,
) {
    if kind == "EMERGENCY" && dice.permille(FOLLOWED_UP) {
        // Seven days are the limit.
        steps.push((delivered_at + dice.between(1, 8) * DAY_MS, Step::FollowedUp));
    }
    let mut closed_at = delivery_day + DAY_MS + 19 * HOUR_MS + dice.minutes(0, 120);
    if dice.permille(RETURNED) {
        let returned_at = (delivered_at + dice.between(1, 4) * DAY_MS + dice.minutes(0, 40)) & !1;
        steps.push((returned_at, Step::Returned));
        steps.push((returned_at + dice.minutes(60, 1_440), Step::Refunded));
        closed_at = returned_at + 2 * DAY_MS;
    } else if dice.permille(EXCHANGED) {
        steps.push((delivered_at + DAY_MS + dice.minutes(0, 40), Step::Exchanged));
        closed_at += DAY_MS;
    }
    steps.push((closed_at, Step::Closed));
}

impl Course {
    fn new(mut steps: Vec<(i64, Step)>, day: &Day) -> Self {
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
