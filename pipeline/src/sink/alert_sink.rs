//! Where transitions can be sent.

use std::sync::Arc;

use async_trait::async_trait;
use schemas::time::TimestampMs;

use super::outbox::Routes;
use super::schedule::{DeliveryAttempt, DeliveryOutcome, Schedule, SendResult};
use crate::alert::Transition;

/// Somewhere transitions can be sent. Errors are answers and carry no secret.
#[async_trait]
pub trait AlertSink: Send + Sync + 'static {
    /// One attempt, bounded in time. `wall_time` is the moment of sending.
    async fn send(&self, transition: &Transition, wall_time: TimestampMs) -> SendResult;
}

/// Where alerts go: which rules to which destination, and how each destination is reached.
#[derive(Clone, Default)]
pub struct AlertDestinations {
    pub routes: Routes,
    pub sinks: Vec<(Arc<str>, Schedule, Arc<dyn AlertSink>)>,
}

/// Says what became of an attempt. A refusal needs a person: an alert was lost to its receiver.
pub(super) fn log_attempt(attempt: &DeliveryAttempt) {
    let DeliveryAttempt {
        id,
        destination,
        attempt: number,
        ..
    } = attempt;
    let error = attempt.error.as_deref().unwrap_or_default();
    match attempt.outcome {
        DeliveryOutcome::Delivered => {
            tracing::debug!(%id, %destination, attempt = number, "alert delivered")
        }
        DeliveryOutcome::Retry => {
            tracing::warn!(%id, %destination, attempt = number, error, "alert not delivered, will be repeated");
        }
        DeliveryOutcome::Refused => {
            tracing::error!(%id, %destination, attempt = number, error, "alert refused by its receiver");
        }
        DeliveryOutcome::Expired => {
            tracing::info!(%id, %destination, attempt = number, error, "alert recorded, not sent");
        }
    }
}
