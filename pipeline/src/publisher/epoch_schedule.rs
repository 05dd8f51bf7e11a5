//! When epochs and heartbeats are due.

use std::time::{Duration, Instant};

use super::settings::PublisherSettings;

/// Paces the publisher by monotonic time.
pub(super) struct EpochSchedule {
    interval: Duration,
    heartbeat: Duration,
    epoch_due_at: Instant,
    heartbeat_due_at: Instant,
}

impl EpochSchedule {
    /// The first epoch after a start waits for the interval; a heartbeat does not.
    pub(super) fn new(settings: &PublisherSettings, now: Instant) -> Self {
        Self {
            interval: settings.interval,
            heartbeat: settings.heartbeat,
            epoch_due_at: now + settings.interval,
            heartbeat_due_at: now,
        }
    }

    /// When the next epoch or heartbeat is due.
    pub(super) fn due_at(&self) -> Instant {
        self.epoch_due_at
    }

    pub(super) fn is_epoch_due(&self, now: Instant) -> bool {
        now >= self.epoch_due_at
    }

    pub(super) fn is_heartbeat_due(&self, now: Instant) -> bool {
        now >= self.heartbeat_due_at
    }

    /// The next epoch is not due before the interval has passed.
    pub(super) fn rest(&mut self, now: Instant) {
        self.epoch_due_at = now + self.interval;
    }

    /// The next epoch is due.
    pub(super) fn publish_now(&mut self, now: Instant) {
        self.epoch_due_at = now;
    }

    /// The next heartbeat is due.
    pub(super) fn beat_now(&mut self, now: Instant) {
        self.heartbeat_due_at = now;
    }

    /// An epoch record has been written.
    pub(super) fn recorded(&mut self, now: Instant) {
        self.heartbeat_due_at = now + self.heartbeat;
        self.rest(now);
    }
}
