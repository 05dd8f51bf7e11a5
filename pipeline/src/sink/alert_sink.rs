//! Where transitions can be sent.

use std::sync::Arc;

use async_trait::async_trait;
use schemas::time::TimestampMs;

use super::outbox::Routes;
use super::schedule::{DeliveryAttempt, DeliveryOutcome, Schedule, SendResult};
use crate::alert::Transition;
use crate::observe::{AlertDelivered, AlertExpired, AlertNotDelivered, AlertRefused};

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

/// Reports what became of an attempt.
pub(super) fn report_attempt(ended: &DeliveryAttempt) {
    let DeliveryAttempt {
        id, destination, ..
    } = ended;
    let attempt = ended.attempt;
    let error = ended.error.as_deref().unwrap_or_default();
    match ended.outcome {
        DeliveryOutcome::Delivered => AlertDelivered {
            id,
            destination,
            attempt,
        }
        .report(),
        DeliveryOutcome::Retry => AlertNotDelivered {
            id,
            destination,
            attempt,
            error,
        }
        .report(),
        DeliveryOutcome::Refused => AlertRefused {
            id,
            destination,
            attempt,
            error,
        }
        .report(),
        DeliveryOutcome::Expired => AlertExpired {
            id,
            destination,
            attempt,
            error,
        }
        .report(),
    }
}
