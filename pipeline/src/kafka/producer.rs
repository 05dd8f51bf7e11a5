//! How every producer is set up, and one that outlives its own fatal errors.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::Timeout;

use super::error;
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{ProducerErrorRaised, ProducerLogged, ProducerNotReplaced, ProducerReplaced};

/// What the promise of order and of no loss rests on; no configuration sets it otherwise.
const PROMISE: [(&str, &str); 4] = [
    ("acks", "all"),
    ("enable.idempotence", "true"),
    // As producers in any language do it, so that readers may join by key.
    ("partitioner", "murmur2_random"),
    // A topic that does not exist is an error, not a wish.
    ("allow.auto.create.topics", "false"),
];

/// The configuration of a producer: `defaults` below the configured `properties`, `fixed` and the promise above them.
pub(super) fn producer_config<'a>(
    defaults: &[(&str, &str)],
    properties: impl IntoIterator<Item = (&'a str, &'a str)>,
    fixed: &[(&str, &str)],
) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in defaults {
        config.set(*name, *value);
    }
    for (name, value) in properties {
        config.set(name, value);
    }
    for (name, value) in fixed.iter().chain(&PROMISE) {
        config.set(*name, *value);
    }
    config
}

/// Takes what the client says about itself: what it means for us is said by the record that does not arrive.
#[derive(Clone, Copy, Default)]
pub(super) struct ProducerEvents;

impl ClientContext for ProducerEvents {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        ProducerLogged { facility, message }.report();
    }

    fn error(&self, error: KafkaError, reason: &str) {
        ProducerErrorRaised {
            error: &error,
            reason,
        }
        .report();
    }
}

/// A producer of a sink: each record is acknowledged by all replicas or gives its error within the time-out.
///
/// An idempotent producer that has met a fatal error (it was not authorized, say) never sends again. It is then replaced, so
/// that a cause that passes does not outlast itself.
pub(crate) struct KafkaProducer {
    config: ClientConfig,
    time_out: Duration,
    producer: Mutex<FutureProducer<ProducerEvents>>,
}

impl KafkaProducer {
    /// Sets up the producer; no broker is asked. `properties` hold `bootstrap.servers`, `fixed` what the caller's use needs.
    pub(crate) fn open<'a>(
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
        time_out: Duration,
        fixed: &[(&str, &str)],
    ) -> Result<Self> {
        let mut config = producer_config(&[], properties, fixed);
        config.set("message.timeout.ms", time_out.as_millis().to_string());
        let producer = create(&config)?;
        Ok(Self {
            config,
            time_out,
            producer: Mutex::new(producer),
        })
    }

    /// Sends one record and waits until all replicas have it.
    pub(crate) async fn send(
        &self,
        record: FutureRecord<'_, [u8], [u8]>,
    ) -> Result<(), KafkaError> {
        let producer = self.lock().clone();
        let Err((error, _)) = producer.send(record, Timeout::After(self.time_out)).await else {
            return Ok(());
        };
        if producer.client().fatal_error().is_some() {
            self.replace();
        }
        Err(error)
    }

    /// Makes the producer anew, unless another sender has done so.
    fn replace(&self) {
        let mut current = self.lock();
        let Some((code, reason)) = current.client().fatal_error() else {
            return;
        };
        match create(&self.config) {
            Ok(new) => {
                ProducerReplaced {
                    code,
                    reason: &reason,
                }
                .report();
                *current = new;
            }
            Err(error) => ProducerNotReplaced { error: &error }.report(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FutureProducer<ProducerEvents>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets up a producer; no broker is asked.
pub(super) fn create(config: &ClientConfig) -> Result<FutureProducer<ProducerEvents>> {
    config
        .create_with_context(ProducerEvents)
        .map_err(error::creation)
}

/// Whether a record was refused for its size.
pub(crate) fn is_too_large(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge)
    )
}

/// Whether a record, or one of its batch, was refused for what it is: the same again is refused again.
pub(crate) fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code();
    is_too_large(error) || code == Some(Code::InvalidRecord)
}

/// What it means that a record did not arrive in `topic`.
///
/// Only what the record itself brings about is an error of kind `Configuration`: repeating it is of no use. All else is
/// `Unavailable`: a broker that is away comes back, a topic that is missing or closed to us is made or opened by somebody.
pub(crate) fn not_delivered(topic: &str, source: KafkaError) -> Error {
    use RDKafkaErrorCode as Code;
    let (kind, advice) = match source.rdkafka_error_code() {
        _ if is_too_large(&source) => (
            ErrorKind::Configuration,
            ": it is larger than the topic takes; raise max.message.bytes there",
        ),
        _ if is_refusal(&source) => (
            ErrorKind::Configuration,
            ": the topic's settings do not allow it (a compacted topic takes no record without a key)",
        ),
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => (
            ErrorKind::Unavailable,
            ": the topic does not exist; create it",
        ),
        // A record says when it was sent: sent again once the clocks agree, it says something else.
        Some(Code::InvalidTimestamp) => (
            ErrorKind::Unavailable,
            ": this machine's clock and the broker's are too far apart for the topic (message.timestamp.after.max.ms and \
             before.max.ms); set the clock",
        ),
        Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => (
            ErrorKind::Unavailable,
            ": writing is not allowed; grant Describe and Write on it to our user",
        ),
        _ => (ErrorKind::Unavailable, ""),
    };
    Error::new(
        kind,
        format!("a record for topic={topic} did not arrive{advice}"),
    )
    .caused_by(source)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;

    #[test]
    fn a_configuration_overrides_defaults_and_not_the_promise() {
        let properties = [("linger.ms", "7"), ("acks", "1"), ("client.id", "mine")];
        let config = producer_config(
            &[("linger.ms", "20"), ("compression.type", "zstd")],
            properties,
            &[("client.id", "ours")],
        );
        let found = ["linger.ms", "compression.type", "acks", "client.id"]
            .map(|name| config.get(name).unwrap());
        assert_eq!(found, ["7", "zstd", "all", "ours"]);
        assert_eq!(config.get("partitioner"), Some("murmur2_random"));
    }

    #[test]
    fn only_what_a_record_brings_about_is_not_worth_another_try() {
        use RDKafkaErrorCode as Code;
        let kind = |code| not_delivered("t", KafkaError::MessageProduction(code)).kind();
        for code in [Code::MessageSizeTooLarge, Code::InvalidRecord] {
            assert_eq!(kind(code), ErrorKind::Configuration, "{code:?}");
        }
        for code in [
            Code::UnknownTopicOrPartition,
            Code::UnknownTopic,
            Code::TopicAuthorizationFailed,
            // f17: a wall clock that is wrong is set right, and what it refused was lost for good
            Code::InvalidTimestamp,
            Code::Authentication,
            Code::MessageTimedOut,
            Code::QueueFull,
            Code::Fatal,
        ] {
            assert_eq!(kind(code), ErrorKind::Unavailable, "{code:?}");
        }
        let missing = not_delivered("t", KafkaError::MessageProduction(Code::UnknownTopic));
        assert!(missing.to_string().contains("topic=t"), "{missing}");
    }

    #[tokio::test]
    async fn a_fatal_error_does_not_outlast_its_cause() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
        cluster.request_errors(RDKafkaApiKey::InitProducerId, &[refusal]);
        let brokers = cluster.bootstrap_servers();
        let producer = KafkaProducer::open(
            [("bootstrap.servers", brokers.as_str())],
            Duration::from_secs(10),
            &[],
        )
        .unwrap();
        let record = || FutureRecord::to("t").key(&b"k"[..]).payload(&b"v"[..]);
        producer.send(record()).await.unwrap_err();
        producer.send(record()).await.unwrap();
    }
}
