//! The one place that reads the wall clock.
//!
//! Results never depend on it: it paces work (sealing, publishing, retries), anchors live time and stamps `emitted_at`.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use schemas::time::{DurationMs, TimestampMs};

/// The wall clock.
pub fn now() -> TimestampMs {
    let epoch = TimestampMs::from_ms(0);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => epoch + DurationMs::from_std(since),
        Err(before) => epoch - DurationMs::from_std(before.duration()),
    }
}

/// The instant `age` ago.
pub fn before(age: Duration) -> TimestampMs {
    now() - DurationMs::from_std(age)
}

/// A monotonic instant, for pacing and time-outs.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Waits without blocking the runtime.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
