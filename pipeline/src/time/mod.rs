//! Event time: days of a named zone, windows, watermarks, clocks, live time. Pure, but for [`wall`] and [`retry`], which waits.
//!
//! ```
//! use pipeline::time::{InputTime, TopicTime, WindowKind, Zone, clock};
//! use schemas::event::{Topic, TopicSet};
//! use schemas::time::{DurationMs, TimestampMs};
//!
//! let zone = Zone(chrono_tz::Asia::Shanghai);
//! let at = |text: &str| TimestampMs::from_datetime(text.parse().unwrap());
//!
//! // 16:00 UTC on a Sunday is the first instant of Monday in Shanghai, and of an ISO week.
//! let monday = zone.day_of(at("2026-11-22T16:00:00Z"));
//! assert_eq!(monday.date().to_string(), "2026-11-23");
//! let weeks = WindowKind::W1.reading(monday, 0);
//! assert_eq!(weeks.len(), 1);
//! assert_eq!(weeks[0].starts_at(zone), at("2026-11-22T16:00:00Z"));
//! assert_eq!(weeks[0].ends_at(zone), at("2026-11-29T16:00:00Z"));
//! // A metric that looks back 28 days from a window's end reads the day in four weekly windows.
//! assert_eq!(WindowKind::W1.reading(monday, 28).len(), 4);
//!
//! // The slowest input holds the clock of a set of topics.
//! let settings = TopicTime {
//!     out_of_orderness: DurationMs::MINUTE,
//!     allowed_lateness: DurationMs::from_days(2),
//!     idle_after: DurationMs::from_minutes(5),
//!     max_jump: DurationMs::from_days(31),
//! };
//! let input = |topic: Topic, highest: TimestampMs| InputTime {
//!     topic,
//!     settings,
//!     highest: Some(highest),
//!     at_end: false,
//!     end_live_time: None,
//! };
//! let nine = at("2026-11-23T01:00:00Z");
//! let eight = nine - DurationMs::HOUR;
//! let inputs = [input(Topic::Orders, nine), input(Topic::Visits, eight)];
//! let both = TopicSet::of(&[Topic::Orders, Topic::Visits]);
//! assert_eq!(clock(&inputs, both, None), Some(eight - DurationMs::MINUTE));
//! assert_eq!(clock(&inputs, Topic::Orders.into(), None), Some(nine - DurationMs::MINUTE));
//!
//! // K6: what occurred before the limit of its own partition is too late.
//! assert_eq!(settings.limit(nine), at("2026-11-21T00:59:00Z"));
//! ```

mod anchored;
mod backoff;
mod clock;
mod live;
mod partition_time;
pub mod wall;
mod window;
mod zone;

pub use anchored::AnchoredClock;
pub use backoff::{Backoff, Pauses, retry};
pub use clock::{InputTime, TopicTime, clock};
pub use live::LiveTime;
pub use partition_time::{Advance, PartitionTime};
pub use window::{Window, WindowKind};
pub use zone::{Day, Zone};

/// Instants and lengths of time from literals. For tests.
#[cfg(test)]
pub(crate) mod fixture {
    use schemas::time::{DurationMs, TimestampMs};

    pub(crate) const fn at(ms: i64) -> TimestampMs {
        TimestampMs::from_ms(ms)
    }

    pub(crate) const fn ms(ms: i64) -> DurationMs {
        DurationMs::from_ms(ms)
    }
}
