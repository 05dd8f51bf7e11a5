//! What Kafka clients say about themselves. librdkafka's own lines have the target `librdkafka`.

use std::fmt::Display;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode;
use tracing::{debug, error, trace, warn};

use crate::error::Error;

/// A line of a consumer's log.
pub(crate) struct ConsumerLogged<'a> {
    pub level: RDKafkaLogLevel,
    pub facility: &'a str,
    pub message: &'a str,
}

impl ConsumerLogged<'_> {
    pub(crate) fn report(self) {
        let Self {
            level,
            facility,
            message,
        } = self;
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", facility, "{message}");
            }
            // librdkafka's errors are its own troubles with brokers; what they mean for us is said by `KafkaUnreachable`
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                debug!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                trace!(target: "librdkafka", facility, "{message}");
            }
        }
    }
}

/// A line of a producer's log. What it means for us is said by the record that does not arrive.
pub(crate) struct ProducerLogged<'a> {
    pub facility: &'a str,
    pub message: &'a str,
}

impl ProducerLogged<'_> {
    pub(crate) fn report(self) {
        let Self { facility, message } = self;
        debug!(target: "librdkafka", facility, "{message}");
    }
}

/// An error of a producer as a whole. What it means for us is said by the record that does not arrive.
pub(crate) struct ProducerErrorRaised<'a> {
    pub error: &'a dyn Display,
    pub reason: &'a str,
}

impl ProducerErrorRaised<'_> {
    pub(crate) fn report(self) {
        let Self { error, reason } = self;
        debug!(target: "librdkafka", %error, "{reason}");
    }
}

/// A producer that would never send again has a successor.
pub(crate) struct ProducerReplaced<'a> {
    /// Of the fatal error.
    pub code: RDKafkaErrorCode,
    pub reason: &'a str,
}

impl ProducerReplaced<'_> {
    pub(crate) fn report(self) {
        let Self { code, reason } = self;
        warn!(
            target: "pipeline::kafka::producer",
            %code,
            reason,
            "the producer met a fatal error and was set up anew"
        );
    }
}

/// A producer that never sends again has no successor yet; the next record tries again.
pub(crate) struct ProducerNotReplaced<'a> {
    pub error: &'a Error,
}

impl ProducerNotReplaced<'_> {
    pub(crate) fn report(self) {
        let Self { error } = self;
        warn!(target: "pipeline::kafka::producer", %error, "the producer met a fatal error");
    }
}
