//! How one attempt to deliver a transition ended.

use tracing::{debug, error, info, warn};

const TARGET: &str = "pipeline::sink::alert_sink";

/// The receiver has it.
pub(crate) struct AlertDelivered<'a> {
    /// Of the transition.
    pub id: &'a str,
    pub destination: &'a str,
    pub attempt: u32,
}

impl AlertDelivered<'_> {
    pub(crate) fn report(self) {
        let Self {
            id,
            destination,
            attempt,
        } = self;
        debug!(target: TARGET, %id, %destination, attempt, "alert delivered");
    }
}

/// The receiver could not be reached, or cannot take it now.
pub(crate) struct AlertNotDelivered<'a> {
    pub id: &'a str,
    pub destination: &'a str,
    pub attempt: u32,
    /// Without secrets.
    pub error: &'a str,
}

impl AlertNotDelivered<'_> {
    pub(crate) fn report(self) {
        let Self {
            id,
            destination,
            attempt,
            error,
        } = self;
        warn!(
            target: TARGET,
            %id,
            %destination,
            attempt,
            error,
            "alert not delivered, will be repeated"
        );
    }
}

/// The receiver does not want it: the alert is lost to it, and a person is needed.
pub(crate) struct AlertRefused<'a> {
    pub id: &'a str,
    pub destination: &'a str,
    pub attempt: u32,
    /// Without secrets.
    pub error: &'a str,
}

impl AlertRefused<'_> {
    pub(crate) fn report(self) {
        let Self {
            id,
            destination,
            attempt,
            error,
        } = self;
        error!(target: TARGET, %id, %destination, attempt, error, "alert refused by its receiver");
    }
}

/// It is older than the age limit, as of a replay.
pub(crate) struct AlertExpired<'a> {
    pub id: &'a str,
    pub destination: &'a str,
    /// The attempt that it would have been.
    pub attempt: u32,
    pub error: &'a str,
}

impl AlertExpired<'_> {
    pub(crate) fn report(self) {
        let Self {
            id,
            destination,
            attempt,
            error,
        } = self;
        info!(target: TARGET, %id, %destination, attempt, error, "alert recorded, not sent");
    }
}
