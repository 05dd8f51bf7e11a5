//! How events arrive: in which order, how often, cut where, with what in between.

use std::fmt;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use schemas::event::Topic;

use super::event::{Event, SHARDS, at};
use super::story;

/// An event and its places on the way, between 0 and `u16::MAX`.
#[derive(Clone, Debug)]
pub struct Told {
    pub event: Event,
    arrives: u16,
    /// Where it arrives a second time.
    again: Option<u16>,
}

/// What happens between two records.
#[derive(Clone, Debug)]
pub enum Step {
    /// What has come so far is one batch, what comes next another, of the same seal.
    Cut,
    /// These shards seal. Of their clocks those marked (bit by bit) move on to the instant, be it far too early; none goes back.
    Seal {
        shards: [bool; SHARDS as usize],
        clock_ms: i64,
        clocks: u8,
    },
    /// The publisher runs a few of the rounds that are due, counted round from here.
    Rounds { from: usize },
    /// The shard seals and writes a base.
    Base { shard: usize },
    /// The shard dies and is taken back from base and seals; what was not sealed is read again.
    Crash { shard: usize },
    /// The second version of the reference data comes into force.
    Reference { shard: usize },
}

/// How far events come out of order.
#[derive(Clone, Copy, Debug)]
pub enum Disorder {
    /// In any order; partitions wait for the latest.
    Any,
    /// Each up to so many days late; partitions may wait for fewer, so that some come too late (K6).
    UpTo { days: i64, allowed_days: i64 },
}

/// Events, and how they arrive.
#[derive(Clone)]
pub struct Course {
    pub told: Vec<Told>,
    pub disorder: Disorder,
    /// In which shards prices come after everything else.
    prices_last: [bool; SHARDS as usize],
    steps: Vec<(u16, Step)>,
}

/// One thing after the other.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A shard reads the record of the event of this number.
    Record {
        number: usize,
        shard: usize,
    },
    Step(Step),
}

const LAST: i64 = u16::MAX as i64 + 1;

impl Course {
    pub fn events(&self) -> Vec<Event> {
        self.told.iter().map(|told| told.event.clone()).collect()
    }

    /// K6's bound of every partition.
    pub fn allowed_days(&self) -> i64 {
        match self.disorder {
            Disorder::Any => 400,
            Disorder::UpTo { allowed_days, .. } => allowed_days,
        }
    }

    /// All that happens, in order. The records of one partition are in the same order for all who read it.
    pub fn happenings(&self) -> Vec<Happening> {
        let mut all: Vec<(i64, Happening)> = Vec::new();
        for (number, told) in self.told.iter().enumerate() {
            let topic = told.event.topic();
            for place in [Some(told.arrives), told.again].into_iter().flatten() {
                let place = self.place(&told.event, place);
                for shard in 0..SHARDS as usize {
                    let record = Happening::Record { number, shard };
                    if topic == Topic::Prices && self.prices_last[shard] {
                        all.push((place + LAST, record));
                    } else if topic == Topic::Prices || told.event.partition() as usize == shard {
                        all.push((place, record));
                    }
                }
            }
        }
        let steps = self.steps.iter();
        all.extend(steps.map(|(place, step)| (i64::from(*place), Happening::Step(step.clone()))));
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, happening)| happening).collect()
    }

    /// Where on the way an event arrives.
    fn place(&self, event: &Event, place: u16) -> i64 {
        match self.disorder {
            Disorder::Any => i64::from(place),
            Disorder::UpTo { days, .. } => {
                let late_ms = i64::from(place) * (at(days, 0) - at(0, 0)) / LAST;
                let way_ms = at(7 * story::WEEKS + days, 0) - at(0, 0);
                (event.occurred_at_ms + late_ms - at(0, 0)) * LAST / way_ms
            }
        }
    }
}

/// Any course of up to `events` events.
pub fn course(events: usize) -> impl Strategy<Value = Course> {
    let told = (
        story::event(),
        any::<u16>(),
        option::weighted(0.15, any::<u16>()),
    )
        .prop_map(|(event, arrives, again)| Told {
            event,
            arrives,
            again,
        });
    let disorder = prop_oneof![
        3 => Just(Disorder::Any),
        1 => (1..9_i64, 0..5_i64).prop_map(|(days, allowed_days)| Disorder::UpTo { days, allowed_days }),
    ];
    let prices_last = [any::<bool>(), any::<bool>()];
    let steps = vec((any::<u16>(), step()), 2..12);
    (vec(told, events / 4..=events), disorder, prices_last, steps).prop_map(
        |(told, disorder, prices_last, steps)| Course {
            told,
            disorder,
            prices_last,
            steps,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let shard = 0..SHARDS as usize;
    let shards = prop_oneof![
        2 => Just([true, true]),
        1 => Just([true, false]),
        1 => Just([false, true]),
    ];
    let clock_ms = prop_oneof![3 => story::instant(), 1 => Just(story::end_ms())];
    let clocks = prop_oneof![1 => Just(u8::MAX), 1 => any::<u8>()];
    prop_oneof![
        2 => Just(Step::Cut),
        6 => (shards, clock_ms, clocks).prop_map(|(shards, clock_ms, clocks)| Step::Seal { shards, clock_ms, clocks }),
        3 => any::<u8>().prop_map(|from| Step::Rounds { from: from.into() }),
        1 => shard.clone().prop_map(|shard| Step::Base { shard }),
        2 => shard.clone().prop_map(|shard| Step::Crash { shard }),
        1 => shard.prop_map(|shard| Step::Reference { shard }),
    ]
}

/// A line an event with its number, then what happens, in order.
impl fmt::Debug for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}, events:", self.disorder)?;
        for (number, told) in self.told.iter().enumerate() {
            writeln!(f, "  e{number} {:?}", told.event)?;
        }
        writeln!(f, "course:")?;
        for happening in self.happenings() {
            match happening {
                Happening::Record { number, shard } => {
                    writeln!(f, "  shard {shard} reads e{number}")?
                }
                Happening::Step(step) => writeln!(f, "  {step:?}")?,
            }
        }
        Ok(())
    }
}
