//! How events arrive: their order, duplicates, and the operations between them.

use std::fmt;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use schemas::event::Topic;
use schemas::time::{DurationMs, TimestampMs};

use super::event::{Event, SHARDS, start_of};
use super::strategy;

/// An event and its positions in the scenario, between 0 and `u16::MAX`.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub event: Event,
    position: u16,
    /// Where a duplicate arrives.
    duplicate: Option<u16>,
}

/// What happens between two records.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// What has been read so far is one batch, what follows is another batch of the same seal.
    Cut,
    /// These shards seal. Those of their clocks that are marked (bit by bit) move to the instant, even if far too early; none moves back.
    Seal {
        shards: [bool; SHARDS as usize],
        clock: TimestampMs,
        clocks: u8,
    },
    /// The publisher runs a few of the rounds that are due, beginning with this one (modulo their number).
    Rounds { from: usize },
    /// The shard seals and writes a checkpoint.
    Checkpoint { shard: usize },
    /// The shard crashes and is restored from checkpoint and seals; what was not sealed is read again.
    Crash { shard: usize },
    /// The second version of the reference data takes effect.
    Reference { shard: usize },
}

/// How far events come out of order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Disorder {
    /// Any order; no event is too late.
    Any,
    /// Up to this many days late; fewer may be allowed, so that some events are too late (K6).
    UpTo { days: i64, allowed_days: i64 },
}

/// Events, and how they arrive.
#[derive(Clone)]
pub(super) struct Scenario {
    pub arrivals: Vec<Arrival>,
    pub disorder: Disorder,
    /// The shards in which prices come after everything else.
    prices_last: [bool; SHARDS as usize],
    operations: Vec<(u16, Operation)>,
}

/// One action of a scenario.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A shard reads the record of the event of this number.
    Read {
        number: usize,
        shard: usize,
    },
    Operation(Operation),
}

const LAST: i64 = u16::MAX as i64 + 1;

impl Scenario {
    pub(super) fn events(&self) -> Vec<Event> {
        self.arrivals
            .iter()
            .map(|arrival| arrival.event.clone())
            .collect()
    }

    /// The allowed lateness of every partition (K6).
    pub(super) fn allowed_days(&self) -> i64 {
        match self.disorder {
            Disorder::Any => 400,
            Disorder::UpTo { allowed_days, .. } => allowed_days,
        }
    }

    /// All actions in order. All shards read the records of a partition in the same order.
    pub(super) fn actions(&self) -> Vec<Action> {
        let mut all: Vec<(i64, Action)> = Vec::new();
        for (number, arrival) in self.arrivals.iter().enumerate() {
            let topic = arrival.event.topic();
            let positions = [Some(arrival.position), arrival.duplicate];
            for position in positions.into_iter().flatten() {
                let position = self.position(&arrival.event, position);
                for shard in 0..SHARDS as usize {
                    let read = Action::Read { number, shard };
                    if topic == Topic::Prices && self.prices_last[shard] {
                        all.push((position + LAST, read));
                    } else if topic == Topic::Prices || arrival.event.partition() as usize == shard
                    {
                        all.push((position, read));
                    }
                }
            }
        }
        all.extend(self.operations.iter().map(|(position, operation)| {
            let action = Action::Operation(operation.clone());
            (i64::from(*position), action)
        }));
        all.sort_by_key(|(position, _)| *position);
        all.into_iter().map(|(_, action)| action).collect()
    }

    /// Where in the scenario an event arrives.
    fn position(&self, event: &Event, position: u16) -> i64 {
        match self.disorder {
            Disorder::Any => i64::from(position),
            Disorder::UpTo { days, .. } => {
                let late_ms = i64::from(position) * DurationMs::from_days(days).as_ms() / LAST;
                let span = strategy::end() + DurationMs::from_days(days) - start_of(0);
                let arrives_at = event.occurred_at + DurationMs::from_ms(late_ms);
                (arrives_at - start_of(0)).as_ms() * LAST / span.as_ms()
            }
        }
    }
}

/// Any scenario of up to this many events.
pub(super) fn scenario(events: usize) -> impl Strategy<Value = Scenario> {
    let arrival = (
        strategy::event(),
        any::<u16>(),
        option::weighted(0.15, any::<u16>()),
    )
        .prop_map(|(event, position, duplicate)| Arrival {
            event,
            position,
            duplicate,
        });
    let disorder = prop_oneof![
        3 => Just(Disorder::Any),
        1 => (1..9_i64, 0..5_i64).prop_map(|(days, allowed_days)| Disorder::UpTo { days, allowed_days }),
    ];
    let prices_last = [any::<bool>(), any::<bool>()];
    let operations = vec((any::<u16>(), operation()), 2..12);
    (
        vec(arrival, events / 4..=events),
        disorder,
        prices_last,
        operations,
    )
        .prop_map(|(arrivals, disorder, prices_last, operations)| Scenario {
            arrivals,
            disorder,
            prices_last,
            operations,
        })
}

fn operation() -> impl Strategy<Value = Operation> {
    let shard = 0..SHARDS as usize;
    let shards = prop_oneof![
        2 => Just([true, true]),
        1 => Just([true, false]),
        1 => Just([false, true]),
    ];
    let clock = prop_oneof![3 => strategy::instant(), 1 => Just(strategy::end())];
    let clocks = prop_oneof![1 => Just(u8::MAX), 1 => any::<u8>()];
    prop_oneof![
        2 => Just(Operation::Cut),
        6 => (shards, clock, clocks).prop_map(|(shards, clock, clocks)| Operation::Seal { shards, clock, clocks }),
        3 => any::<u8>().prop_map(|from| Operation::Rounds { from: from.into() }),
        1 => shard.clone().prop_map(|shard| Operation::Checkpoint { shard }),
        2 => shard.clone().prop_map(|shard| Operation::Crash { shard }),
        1 => shard.prop_map(|shard| Operation::Reference { shard }),
    ]
}

/// One line per event with its number, then all actions in order.
impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}, events:", self.disorder)?;
        for (number, arrival) in self.arrivals.iter().enumerate() {
            writeln!(f, "  e{number} {:?}", arrival.event)?;
        }
        writeln!(f, "scenario:")?;
        for action in self.actions() {
            match action {
                Action::Read { number, shard } => writeln!(f, "  shard {shard} reads e{number}")?,
                Action::Operation(operation) => writeln!(f, "  {operation:?}")?,
            }
        }
        Ok(())
    }
}
