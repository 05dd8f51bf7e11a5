//! What to simulate, where it goes, and what came of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Serialize;

use super::truth::{Anomaly, DirtyRecord, SoldInterval};

/// What to simulate. The same plan gives the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Local days, from `start`; at least 1.
    pub days: u32,
    /// Customers of all kinds; at least 1.
    pub customers: u32,
    /// Everything random follows from it.
    pub seed: u64,
    /// First local day.
    pub start: NaiveDate,
    /// Partitions of every topic; at least 1.
    pub partitions: u32,
    /// Adds disorder, duplicates, malformed, future-dated and late records (rates: [`super::dirty`]).
    pub dirty: bool,
    /// The business zone: whose days, weeks and office hours the events keep.
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
    pub(super) fn validate(&self) -> Result<(), SimulateError> {
        for (setting, value) in [
            ("days", self.days),
            ("customers", self.customers),
            ("partitions", self.partitions),
        ] {
            if value == 0 {
                return Err(SimulateError::Plan { setting, value });
            }
        }
        Ok(())
    }
}

/// The four input topics, in the order of their folders' use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SimTopic {
    Orders,
    Visits,
    Complaints,
    Prices,
}

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

impl SimTopic {
    pub const ALL: [Self; 4] = [Self::Orders, Self::Visits, Self::Complaints, Self::Prices];

    /// Default topic name, which is also the folder of its event files.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Orders => "orders.v1",
            Self::Visits => "visits.v1",
            Self::Complaints => "complaints.v1",
            Self::Prices => "prices.v1",
        }
    }

    /// Position in [`SimTopic::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Keyed by customer (or staff, or unit) and therefore bound to a partition; prices are not.
    pub fn is_keyed(self) -> bool {
        self != Self::Prices
    }

    /// The bound by default (contract 2), in ms; a clean run keeps within it.
    pub fn out_of_orderness_ms(self) -> i64 {
        match self {
            Self::Orders => MINUTE_MS,
            Self::Complaints => 5_000,
            Self::Visits | Self::Prices => 10 * MINUTE_MS,
        }
    }

    /// Allowed lateness by default (contract 2), in ms; beyond it a dirty run's records are too late (K6).
    pub fn allowed_lateness_ms(self) -> i64 {
        match self {
            Self::Orders | Self::Complaints => 2 * DAY_MS,
            Self::Visits | Self::Prices => 7 * DAY_MS,
        }
    }
}

/// Takes the records, in the order in which they reach the logs.
pub trait EventSink {
    /// One record; `payload` is one line without its end, `key` the Kafka key, `recorded_at_ms` the instant at which the
    /// record reached the log: its `recorded_at`, except for what a dirty run repeats or tampers with. Never falls.
    fn event(
        &mut self,
        topic: SimTopic,
        partition: u32,
        key: Option<&str>,
        recorded_at_ms: i64,
        payload: &[u8],
    ) -> Result<(), SimulateError>;

    /// The record just given must not be accepted. Ignored unless overridden.
    fn dirty(&mut self, _record: &DirtyRecord<'_>) -> Result<(), SimulateError> {
        Ok(())
    }

    /// What a sample retailer truly sold between two stock counts. Ignored unless overridden.
    fn sold(&mut self, _interval: &SoldInterval<'_>) -> Result<(), SimulateError> {
        Ok(())
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SimulationSummary {
    /// Records written, good and bad.
    pub records: u64,
    /// By topic folder.
    pub by_topic: BTreeMap<&'static str, u64>,
    /// By event type, of the records that are meant to be decoded.
    pub by_type: BTreeMap<&'static str, u64>,
    /// By verdict: `accepted`, or the reason (K3).
    pub by_verdict: BTreeMap<&'static str, u64>,
    /// Labelled troubles to find.
    pub anomalies: Vec<Anomaly>,
}

/// Why a simulation stopped.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The caller's plan cannot be run.
    #[error("a plan needs at least one of each: setting={setting} value={value}")]
    Plan { setting: &'static str, value: u32 },
    /// The start date and number of days leave the calendar.
    #[error("the plan leaves the calendar; start earlier or take fewer days: days={days}")]
    Calendar { days: u32 },
    /// A file or folder cannot be written.
    #[error("cannot write; check the folder and free space: path={path}")]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The receiver of the events refused one.
    #[error("the receiver of the events failed: topic={topic}")]
    Sink {
        topic: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
