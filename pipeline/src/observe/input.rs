//! Reading from Kafka.

use std::fmt::Display;
use std::time::Duration;

use schemas::time::TimestampMs;
use tracing::{debug, error, info, warn};

use crate::error::Error;

/// No broker answers, as an [`Outage`](super::Outage) says when it is to be reported.
pub(crate) struct KafkaUnreachable<'a> {
    pub lasted: Duration,
    pub error: &'a dyn Display,
    /// The newest trouble that the client itself has reported.
    pub reason: Option<&'a str>,
}

impl KafkaUnreachable<'_> {
    pub(crate) fn report(self) {
        let Self {
            lasted,
            error,
            reason,
        } = self;
        warn!(
            target: "pipeline::source::kafka::poll_thread",
            seconds = lasted.as_secs(),
            %error,
            reason,
            "kafka does not answer; reading goes on where it stopped once it does"
        );
    }
}

/// An outage that was reported is over.
pub(crate) struct KafkaReachable {
    pub lasted: Duration,
}

impl KafkaReachable {
    pub(crate) fn report(self) {
        let Self { lasted } = self;
        info!(
            target: "pipeline::source::kafka::poll_thread",
            seconds = lasted.as_secs(),
            "kafka answers again"
        );
    }
}

/// An accepted event lies further ahead than `[time] max_jump` (K41). Said once a key, until time has moved that far.
pub(crate) struct FarJump<'a> {
    pub input: &'a dyn Display,
    pub offset: i64,
    pub occurred_at: TimestampMs,
    pub highest: TimestampMs,
}

impl FarJump<'_> {
    pub(crate) fn report(self) {
        let Self {
            input,
            offset,
            occurred_at,
            highest,
        } = self;
        warn!(
            target: "pipeline::shard::input",
            %input,
            offset,
            %occurred_at,
            %highest,
            "an event lies more than [time] max_jump ahead of all before it: it counts in its own window and moves no clock \
             until an event of another key lies as far ahead; check the clock of its sender"
        );
    }
}

/// Events of two keys lay that far ahead, so time has moved there (K41).
pub(crate) struct FarJumpWitnessed<'a> {
    pub input: &'a dyn Display,
    pub offset: i64,
    pub highest: TimestampMs,
}

impl FarJumpWitnessed<'_> {
    pub(crate) fn report(self) {
        let Self {
            input,
            offset,
            highest,
        } = self;
        warn!(
            target: "pipeline::shard::input",
            %input,
            offset,
            %highest,
            "events of two keys lie more than [time] max_jump ahead: event time has moved there, and older events may now be too late"
        );
    }
}

/// A source cannot go on; its shard ends with this error.
pub(crate) struct ReadingStopped<'a> {
    pub error: &'a Error,
}

impl ReadingStopped<'_> {
    pub(crate) fn report(self) {
        let Self { error } = self;
        error!(
            target: "pipeline::source::kafka::poll_thread",
            %error,
            "reading from kafka stopped"
        );
    }
}

/// The client gave out a record that nobody asked for; it is dropped.
pub(crate) struct UnassignedRecord<'a> {
    pub topic: &'a str,
    pub partition: i32,
}

impl UnassignedRecord<'_> {
    pub(crate) fn report(self) {
        let Self { topic, partition } = self;
        warn!(
            target: "pipeline::source::kafka::poll_thread",
            topic,
            partition,
            "record of a partition that was not asked for"
        );
    }
}

/// Events are gone upstream that were not read; reading goes on behind them.
pub(crate) struct OffsetsMissing<'a> {
    pub topic: &'a str,
    pub partition: i32,
    /// The offset that was to be read next.
    pub from: i64,
    /// Where reading goes on.
    pub to: i64,
    /// Nothing of the partition had been read before: what has passed its retention by then was never ours.
    pub is_first_start: bool,
}

impl OffsetsMissing<'_> {
    pub(crate) fn report(self) {
        let Self {
            topic,
            partition,
            from,
            to,
            is_first_start,
        } = self;
        let count = (to - from).max(0);
        if is_first_start {
            warn!(
                target: "pipeline::source::kafka",
                topic,
                partition,
                from,
                to,
                count,
                "the first offsets of the log are not there any more; reading begins behind them"
            );
        } else {
            error!(
                target: "pipeline::source::kafka",
                topic,
                partition,
                from,
                to,
                count,
                "events are missing upstream and were passed over, as [source] on_missing says"
            );
        }
    }
}

/// A topic that may grow has; its new partition is read from here on.
pub(crate) struct PartitionAppeared<'a> {
    pub topic: &'a str,
    pub partition: i32,
}

impl PartitionAppeared<'_> {
    pub(crate) fn report(self) {
        let Self { topic, partition } = self;
        info!(
            target: "pipeline::source::kafka",
            topic,
            partition,
            "a partition has appeared and is read"
        );
    }
}

/// Nobody answered what topics there are; it is asked again every few seconds.
pub(crate) struct TopicsNotDescribed<'a> {
    pub error: &'a dyn Display,
}

impl TopicsNotDescribed<'_> {
    pub(crate) fn report(self) {
        let Self { error } = self;
        debug!(
            target: "pipeline::source::kafka::topic_watcher",
            %error,
            "topics are not described"
        );
    }
}

/// The question whether partitions are still at their ends was not answered in time; it is asked again every second.
pub(crate) struct EndsNotConfirmed<'a> {
    pub error: &'a dyn Display,
}

impl EndsNotConfirmed<'_> {
    pub(crate) fn report(self) {
        let Self { error } = self;
        debug!(
            target: "pipeline::source::kafka::end_watcher",
            %error,
            "ends are not confirmed"
        );
    }
}

/// A run ends in which records were refused.
pub(crate) struct RecordsWereRefused<'a> {
    pub refused: u64,
    pub read: u64,
    /// The reason of most of them, and how many have it.
    pub most_frequent: Option<(&'a str, u64)>,
}

impl RecordsWereRefused<'_> {
    pub(crate) fn report(self) {
        let Self {
            refused,
            read,
            most_frequent,
        } = self;
        let (reason, of_reason) = most_frequent.unwrap_or(("unknown", 0));
        warn!(
            target: "pipeline::publisher",
            refused,
            read,
            most_frequent = reason,
            of_reason,
            "records were refused; see SELECT reason, path, count(*) FROM ops.dead_letters GROUP BY reason, path"
        );
    }
}
