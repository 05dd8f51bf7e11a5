//! Watermarks of inputs, and the clock of a set of topics.
//!
//! A clock decides only *when* (a window's first revision, a deadline that has passed), never *what*; see `DESIGN.md` 3.1.

use schemas::time::{DurationMs, TimestampMs};

/// What is known of the time of one input partition of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputTime {
    /// Index of its topic.
    pub topic: usize,
    /// Highest accepted `occurred_at`.
    pub highest: Option<TimestampMs>,
    /// `out_of_orderness` of its topic.
    pub bound: DurationMs,
    pub idle_after: DurationMs,
    /// Read to its end, and no record since.
    pub at_end: bool,
    /// Live time of its last end-of-partition event; files have none.
    pub end_live_time: Option<TimestampMs>,
}

impl InputTime {
    pub fn watermark(&self) -> Option<TimestampMs> {
        self.highest.map(|highest| highest - self.bound)
    }

    /// Whether it has unread records that others must wait for: older than live time − `idle_after` (without live time: any).
    fn is_behind(&self, live_time: Option<TimestampMs>) -> bool {
        !self.at_end
            && match (live_time, self.highest) {
                (Some(live), Some(highest)) => highest < live - self.idle_after,
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

/// The clock of the inputs whose topic is in `topics`: the minimum of their watermarks , `None` while it is unknown.
///
/// * An input with unread records always takes part.
/// * One at its end leaves the minimum while another input of the shard is behind; otherwise it stands at the live time of
///   its last end − bound (Kafka) or at its own watermark (files).
/// * Have all left, time goes on with the shard's other inputs: what has been read to the end has nothing older to say.
///
/// The caller keeps clocks from going back.
pub fn clock(
    inputs: &[InputTime],
    topics: &[usize],
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
    match minimum(&|input| topics.contains(&input.topic)) {
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
    let at_end = input.end_live_time.map(|live| live - input.bound);
    match at_end.max(input.watermark()) {
        Some(at) => Share::At(at),
        None => Share::Leaves,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::fixture::{at, ms};

    fn input(topic: usize, highest: Option<TimestampMs>, at_end: bool) -> InputTime {
        InputTime {
            topic,
            highest,
            bound: ms(10),
            idle_after: ms(100),
            at_end,
            end_live_time: None,
        }
    }

    #[test]
    fn the_slowest_input_holds_the_clock() {
        let inputs = [
            input(0, Some(at(500)), false),
            input(1, Some(at(300)), false),
        ];
        assert_eq!(clock(&inputs, &[0, 1], None), Some(at(290)));
        assert_eq!(clock(&inputs, &[0], None), Some(at(490)));
    }

    #[test]
    fn an_input_that_has_said_nothing_and_is_not_at_its_end_stops_the_clock() {
        let inputs = [input(0, Some(at(500)), false), input(1, None, false)];
        assert_eq!(clock(&inputs, &[0, 1], None), None);
    }

    #[test]
    fn a_topic_that_ended_early_holds_nothing_up() {
        let inputs = [
            input(0, Some(at(5000)), false),
            input(1, Some(at(300)), true),
        ];
        assert_eq!(clock(&inputs, &[0, 1], None), Some(at(4990)));
        assert_eq!(
            clock(&inputs, &[1], None),
            Some(at(4990)),
            "time goes on with the others"
        );
        let both = [input(0, Some(at(5000)), true), input(1, None, true)];
        assert_eq!(clock(&both, &[0, 1], None), Some(at(4990)));
    }

    #[test]
    fn a_quiet_partition_follows_live_time_once_nobody_is_behind() {
        let mut quiet = input(0, Some(at(300)), true);
        quiet.end_live_time = Some(at(9_000));
        let caught_up = [quiet.clone(), input(1, Some(at(8_950)), false)];
        assert_eq!(clock(&caught_up, &[0], Some(at(9_000))), Some(at(8_990)));
        let behind = [quiet, input(1, Some(at(8_000)), false)];
        assert_eq!(clock(&behind, &[0], Some(at(9_000))), Some(at(7_990)));
    }
}
