//! What a feed is made of.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use schemas::event::TopicSet;

use super::flags::FlagStore;
use crate::pane::COUNT;
use crate::round::Metric;
use crate::time::{Day, WindowKind};

/// Column that names the series.
pub(super) const SERIES: &str = "unique_id";
/// Column that says that no fact stands behind the row.
pub(super) const ZERO_FILLED: &str = "is_zero_filled";

/// What the calendar knows of a day; NULL for a year that is not loaded (K20).
#[derive(Clone, Copy, Debug, Default)]
pub struct CalendarDay {
    pub is_working_day: Option<bool>,
    pub is_holiday: Option<bool>,
    pub days_to_holiday: Option<i32>,
}

/// How a feed is made.
#[derive(Clone)]
pub struct FeedDefinition {
    pub name: String,
    /// The metric whose D1 rows it is made of.
    pub metric: String,
    /// Over `rows.<metric>`: `unique_id`, the values (BIGINT), the flag (BOOLEAN, NULL where `flags` decide) and `starts` (BOOLEAN).
    pub sql: String,
    pub values: Vec<String>,
    pub flag: String,
    /// What reference data say of the flag.
    pub flags: Arc<dyn FlagStore>,
    pub calendar: Arc<dyn Fn(Day) -> CalendarDay + Send + Sync>,
    /// The Kafka topic, where there is one.
    pub topic: Option<String>,
    /// How many days of zeros follow a day that starts a series (K43).
    pub max_gap_days: i32,
    /// Whether rows and records are made. One that is off takes note of days, so that it can be switched on.
    pub is_on: bool,
}

impl FeedDefinition {
    /// Name of its table.
    pub fn table(&self) -> String {
        format!("feeds.{}", self.name)
    }

    /// The feed as rounds compare it: one row a series, one window a day.
    pub(super) fn metric(&self) -> Metric {
        let mut fields = vec![Field::new(SERIES, DataType::Utf8, false)];
        fields.extend(
            self.values
                .iter()
                .map(|name| Field::new(name, DataType::Int64, true)),
        );
        fields.push(Field::new(&self.flag, DataType::Boolean, false));
        fields.push(Field::new(ZERO_FILLED, DataType::Boolean, false));
        fields.push(Field::new(COUNT, DataType::Int64, false));
        Metric {
            name: self.table(),
            title: self.name.clone(),
            facts: None,
            windows: vec![WindowKind::D1],
            clock: TopicSet::default(),
            look_back_days: 0,
            look_ahead_days: 0,
            stream: None,
            shard: None,
            public: None,
            reads_panes: BTreeSet::new(),
            reads_rows: BTreeSet::new(),
            reads_as_of: false,
            table: Arc::new(Schema::new(fields)),
            dimensions: vec![SERIES.to_owned()],
        }
    }
}
