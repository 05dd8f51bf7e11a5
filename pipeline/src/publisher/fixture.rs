//! Metrics and topics of a small catalogue. For tests.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use schemas::event::{Topic, TopicSet};
use schemas::time::{DurationMs, TimestampMs};

use crate::decode::TopicSettings;
use crate::round::Metric;
use crate::time::{Day, TopicTime, WindowKind, Zone};

pub(super) const ZONE: Zone = Zone(chrono_tz::Asia::Shanghai);

/// A metric that reads its own panes.
pub(super) fn metric(
    name: &str,
    clock: &[Topic],
    look_ahead_days: i32,
    windows: &[WindowKind],
) -> Metric {
    Metric {
        name: name.to_owned(),
        title: name.to_owned(),
        facts: None,
        windows: windows.to_vec(),
        clock: TopicSet::of(clock),
        look_back_days: 0,
        look_ahead_days,
        stream: None,
        shard: None,
        public: None,
        reads_panes: BTreeSet::from([name.to_owned()]),
        reads_rows: BTreeSet::new(),
        reads_as_of: false,
        table: Arc::new(Schema::empty()),
        dimensions: Vec::new(),
    }
}

pub(super) fn demand() -> Metric {
    let windows = [WindowKind::D1, WindowKind::W1];
    metric("demand", &[Topic::Orders], 0, &windows)
}

/// Sales between counts, which may close 14 days later.
pub(super) fn sales() -> Metric {
    let clock = [Topic::Orders, Topic::Visits];
    metric("sales", &clock, 14, &[WindowKind::W1])
}

pub(super) fn topics() -> Vec<TopicSettings> {
    let lateness = [
        (Topic::Orders, 2),
        (Topic::Visits, 7),
        (Topic::Complaints, 2),
    ];
    let topics = lateness.map(|(topic, days)| TopicSettings {
        topic,
        name: topic.default_topic().to_owned(),
        time: TopicTime {
            out_of_orderness: DurationMs::MINUTE,
            allowed_lateness: DurationMs::from_days(days),
            idle_after: DurationMs::MINUTE,
            max_jump: DurationMs::from_days(31),
        },
    });
    topics.into()
}

pub(super) fn day(text: &str) -> Day {
    Day::from_date(text.parse().unwrap())
}

/// The first instant of a day.
pub(super) fn start(text: &str) -> TimestampMs {
    ZONE.start_of(day(text))
}
