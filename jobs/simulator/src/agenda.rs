//! Future actions, by time. Memory holds what is in progress, not what is done.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use schemas::time::TimestampMs;

use super::orders::order::SimulatedOrder;
use super::service::case::SimulatedCase;
use super::service::invitation::Invitation;

/// Something that happens at an instant. Customers are indexes into [`super::world::World::customers`].
pub(crate) enum Action {
    /// A customer considers an order.
    PlaceOrder {
        customer: u32,
        is_emergency: bool,
    },
    /// The next step of an open order.
    Order(Box<SimulatedOrder>),
    /// A visit on a day of the run is announced.
    PlanVisit {
        customer: u32,
        planned_day: u32,
    },
    Visit {
        customer: u32,
        planned_day: u32,
    },
    /// A customer contacts the distributor.
    Contact {
        customer: u32,
        is_planted: bool,
    },
    /// The next step of an open case.
    Case(Box<SimulatedCase>),
    AnswerSurvey(Box<Invitation>),
    /// Sample retailers book the sales of the day.
    CloseShops,
    /// Units close their day.
    CloseDay,
}

struct AgendaEntry {
    at: TimestampMs,
    /// Order of scheduling breaks ties, so that a run does not depend on the heap.
    number: u64,
    action: Action,
}

impl Ord for AgendaEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for AgendaEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for AgendaEntry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for AgendaEntry {}

/// A queue of actions by time.
#[derive(Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<AgendaEntry>,
    scheduled: u64,
}

impl Agenda {
    pub(crate) fn schedule(&mut self, at: TimestampMs, action: Action) {
        self.scheduled += 1;
        self.heap.push(AgendaEntry {
            at,
            number: self.scheduled,
            action,
        });
    }

    /// The earliest action before `end`, with its instant.
    pub(crate) fn pop_before(&mut self, end: TimestampMs) -> Option<(TimestampMs, Action)> {
        if self.heap.peek()?.at >= end {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.action))
    }
}
