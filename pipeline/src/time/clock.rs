//! Watermarks of inputs, and the clock of a set of topics.
//!
//! A clock decides only *when* (a window's first revision, a deadline that has passed), never *what*; see `DESIGN.md` 3.1.

use schemas::event::{Topic, TopicSet};
use schemas::time::{DurationMs, TimestampMs};

/// What configuration says of event time in one topic (`[time.<topic>]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicTime {
    /// How far events of one partition may lie behind the highest `occurred_at` before them.
    pub out_of_orderness: DurationMs,
    /// How much later than that they are still accepted.
    pub allowed_lateness: DurationMs,
    /// How far behind live time a partition with unread records may be before others stop waiting for it.
    pub idle_after: DurationMs,
    /// How far ahead of the highest `occurred_at` an event may lie and move it without a witness (K41).
    pub max_jump: DurationMs,
}

impl TopicTime {
    /// How far event time has come in a partition whose highest accepted `occurred_at` this is.
    pub fn watermark(&self, highest: TimestampMs) -> TimestampMs {
        highest - self.out_of_orderness
    }

    /// K6: what occurred before this is too late in such a partition, and an id accepted before it is forgotten.
    pub fn limit(&self, highest: TimestampMs) -> TimestampMs {
        self.watermark(highest) - self.allowed_lateness
    }
}

/// What is known of the time of one input partition of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputTime {
    pub topic: Topic,
    pub settings: TopicTime,
    /// Highest accepted `occurred_at`.
    pub highest: Option<TimestampMs>,
    /// Read to its end, and no record since.
    pub at_end: bool,
    /// Live time of its last end-of-partition event; files have none.
    pub end_live_time: Option<TimestampMs>,
}

impl InputTime {
    pub fn watermark(&self) -> Option<TimestampMs> {
        self.highest.map(|highest| self.settings.watermark(highest))
    }

    /// Whether it has unread records that others must wait for: older than live time − `idle_after` (without live time: any).
    fn is_behind(&self, live_time: Option<TimestampMs>) -> bool {
        !self.at_end
            && match (live_time, self.highest) {
                (Some(live), Some(highest)) => highest < live - self.settings.idle_after,
                _ => true,
            }
    }
}

/// What an input adds to a minimum.
enum Share {
    At(TimestampMs),
    /// It has records to come and nothing is known of their time.
    Unknown,
    /// It is at its end and others go on.
    Leaves,
}

/// The clock of the inputs whose topic is in `topics`: the minimum of their watermarks, `None` while it is unknown.
///
/// * An input with unread records always takes part.
/// * One at its end leaves the minimum while another input of the shard is behind; otherwise it stands at the live time of
///   its last end − bound (Kafka) or at its own watermark (files).
/// * Have all left, time goes on with the shard's other inputs: what has been read to the end has nothing older to say.
///
/// The caller keeps clocks from going back.
pub fn clock(
    inputs: &[InputTime],
    topics: TopicSet,
    live_time: Option<TimestampMs>,
) -> Option<TimestampMs> {
    let minimum = |chosen: &dyn Fn(&InputTime) -> bool| {
        let mut least: Option<TimestampMs> = None;
        for (index, input) in inputs.iter().enumerate() {
            if !chosen(input) {
                continue;
            }
            match share(inputs, index, live_time) {
                Share::At(at) => least = Some(least.map_or(at, |so_far| so_far.min(at))),
                Share::Unknown => return Err(()),
                Share::Leaves => {}
            }
        }
        Ok(least)
    };
    match minimum(&|input| topics.contains(input.topic)) {
        Ok(Some(at)) => Some(at),
        Ok(None) => minimum(&|_| true).ok().flatten(),
        Err(()) => None,
    }
}

fn share(inputs: &[InputTime], index: usize, live_time: Option<TimestampMs>) -> Share {
    let input = &inputs[index];
    if !input.at_end {
        return input.watermark().map_or(Share::Unknown, Share::At);
    }
    let another_is_behind = inputs
        .iter()
        .enumerate()
        .any(|(other, time)| other != index && time.is_behind(live_time));
    if another_is_behind {
        return Share::Leaves;
    }
    let at_end = input
        .end_live_time
        .map(|live| input.settings.watermark(live));
    match at_end.max(input.watermark()) {
        Some(at) => Share::At(at),
        None => Share::Leaves,
    }
}

#[cfg(test)]
mod tests {
    use schemas::event::Topic::{Orders, Visits};

    use super::*;
    use crate::time::fixture::{at, ms};

    const BOTH: TopicSet = TopicSet::of(&[Orders, Visits]);

    fn input(topic: Topic, highest: Option<TimestampMs>, at_end: bool) -> InputTime {
        InputTime {
            topic,
            settings: TopicTime {
                out_of_orderness: ms(10),
                allowed_lateness: DurationMs::DAY,
                idle_after: ms(100),
                max_jump: DurationMs::from_days(31),
            },
            highest,
            at_end,
            end_live_time: None,
        }
    }

    #[test]
    fn the_slowest_input_holds_the_clock() {
        let inputs = [
            input(Orders, Some(at(500)), false),
            input(Visits, Some(at(300)), false),
        ];
        assert_eq!(clock(&inputs, BOTH, None), Some(at(290)));
        assert_eq!(clock(&inputs, Orders.into(), None), Some(at(490)));
    }

    #[test]
    fn an_input_that_has_said_nothing_and_is_not_at_its_end_stops_the_clock() {
        let inputs = [
            input(Orders, Some(at(500)), false),
            input(Visits, None, false),
        ];
        assert_eq!(clock(&inputs, BOTH, None), None);
    }

    #[test]
    fn a_topic_that_ended_early_holds_nothing_up() {
        let inputs = [
            input(Orders, Some(at(5000)), false),
            input(Visits, Some(at(300)), true),
        ];
        assert_eq!(clock(&inputs, BOTH, None), Some(at(4990)));
        assert_eq!(
            clock(&inputs, Visits.into(), None),
            Some(at(4990)),
            "time goes on with the others"
        );
        let both = [
            input(Orders, Some(at(5000)), true),
            input(Visits, None, true),
        ];
        assert_eq!(clock(&both, BOTH, None), Some(at(4990)));
    }

    #[test]
    fn a_quiet_partition_follows_live_time_once_nobody_is_behind() {
        let mut quiet = input(Orders, Some(at(300)), true);
        quiet.end_live_time = Some(at(9_000));
        let caught_up = [quiet.clone(), input(Visits, Some(at(8_950)), false)];
        assert_eq!(
            clock(&caught_up, Orders.into(), Some(at(9_000))),
            Some(at(8_990))
        );
        let behind = [quiet, input(Visits, Some(at(8_000)), false)];
        assert_eq!(
            clock(&behind, Orders.into(), Some(at(9_000))),
            Some(at(7_990))
        );
    }

    #[test]
    fn k06_the_limit_is_the_watermark_less_the_allowed_lateness() {
        let settings = input(Orders, None, false).settings;
        let highest = at(0) + DurationMs::from_days(10);
        assert_eq!(settings.watermark(highest), highest - ms(10));
        assert_eq!(
            settings.limit(highest),
            at(0) + DurationMs::from_days(9) - ms(10)
        );
    }
}
