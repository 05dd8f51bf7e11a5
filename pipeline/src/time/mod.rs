//! Event time: days of a named zone, windows, watermarks, clocks, live time. Pure, but for [`wall`] and [`retry`], which waits.

mod backoff;
mod clock;
mod live;
pub mod wall;
mod window;
mod zone;

pub use backoff::{Backoff, Pauses, retry};
pub use clock::{InputTime, TopicTime, clock};
pub use live::LiveTime;
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
