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

/// How long the machine has been up, its sleep included: for rights that run out while it sleeps. Setting the wall clock does not
/// move it.
pub fn since_boot() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = nix::time::ClockId::CLOCK_BOOTTIME;
    // Elsewhere this one counts sleep.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    #[allow(clippy::expect_used)] // both clocks are there on every such system
    let since = clock.now().expect("a clock that is always there");
    Duration::from(since)
}

/// A monotonic instant, for pacing and time-outs.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Waits without blocking the runtime.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
