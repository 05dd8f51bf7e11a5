//! The plan of a simulation, the receiver of its records, and its summary.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::{Datelike, Duration, NaiveDate};
use chrono_tz::Tz;
use schemas::event::Topic;
use schemas::time::TimestampMs;
use serde::Serialize;

use super::error::Error;
use super::truth::{Anomaly, DirtyRecord, SoldInterval};

/// The years in which a plan has to stay: events before 2000 or after 9998 would not be valid (K4, K25), and what they promise may
/// lie in the year after theirs.
const YEARS: RangeInclusive<i32> = 2000..=9997;

/// What to simulate. The same plan gives the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Local days, from `start`; at least 1.
    pub days: u32,
    /// Customers of all kinds; at least 1.
    pub customers: u32,
    /// Seed of all randomness.
    pub seed: u64,
    /// First local day.
    pub start: NaiveDate,
    /// Partitions of every topic; at least 1.
    pub partitions: u32,
    /// Adds disorder, duplicates, malformed, future-dated and late records. The rates are in the module `dirty`.
    pub dirty: bool,
    /// The business zone: events follow its days, weeks and office hours.
    pub zone: Tz,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            days: 14,
            customers: 500,
            seed: 1,
            start: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap_or_default(),
            partitions: 4,
            dirty: false,
            zone: chrono_tz::Asia::Shanghai,
        }
    }
}

impl Plan {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        for (setting, value) in [
            ("days", self.days),
            ("customers", self.customers),
            ("partitions", self.partitions),
        ] {
            if value == 0 {
                return Err(Error::Plan { setting, value });
            }
        }
        Ok(())
    }

    /// The last local day.
    ///
    /// # Errors
    /// A plan without days, customers or partitions, or one that leaves the years 2000 to 9997.
    pub fn last_day(&self) -> Result<NaiveDate, Error> {
        self.validate()?;
        let after_start = Duration::days(i64::from(self.days) - 1);
        self.start
            .checked_add_signed(after_start)
            .filter(|last| YEARS.contains(&self.start.year()) && YEARS.contains(&last.year()))
            .ok_or(Error::Calendar {
                start: self.start,
                days: self.days,
            })
    }
}

/// Receives the records in the order in which they reach the logs.
pub trait EventSink {
    /// One record. `payload` is a line without its line feed, `key` the Kafka key. `recorded_at` is the instant at which the
    /// record reaches the log and never decreases; it is the event's own `recorded_at`, except for repeated and damaged records
    /// of a dirty run.
    fn event(
        &mut self,
        topic: Topic,
        partition: u32,
        key: Option<&str>,
        recorded_at: TimestampMs,
        payload: &[u8],
    ) -> Result<(), Error>;

    /// The last record must not be accepted. Ignored unless overridden.
    fn dirty(&mut self, _record: &DirtyRecord<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// True sales of a sample retailer between two stock counts. Ignored unless overridden.
    fn sold(&mut self, _interval: &SoldInterval<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// Totals of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SimulationSummary {
    /// All records written.
    pub records: u64,
    /// By topic folder.
    pub by_topic: BTreeMap<&'static str, u64>,
    /// By event type, without records that were damaged on purpose.
    pub by_type: BTreeMap<&'static str, u64>,
    /// By verdict: `accepted`, or the reason (K3).
    pub by_verdict: BTreeMap<&'static str, u64>,
    /// Planted anomalies.
    pub anomalies: Vec<Anomaly>,
}
