//! The one place that reads the wall clock.
//!
//! Results never depend on it: it paces work (sealing, publishing, retries), anchors live time and stamps `emitted_at`.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch, UTC.
pub fn now_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

/// The instant `age` ago, ms UTC.
pub fn before_ms(age: Duration) -> i64 {
    now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

/// A monotonic instant, for pacing and time-outs.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Waits without blocking the runtime.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
