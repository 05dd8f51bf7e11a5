//! What a librdkafka error means for us: wait, or stop with a sentence.

use std::fmt;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaConfRes;

use super::secret::is_secret;
use crate::error::{Error, ErrorKind};
use crate::kafka::TopicPartition;

/// What to do about an error of one partition.
pub(crate) enum ErrorClass {
    /// librdkafka tries again by itself and nothing is skipped.
    Wait,
    /// A broker knows nothing of the topic or the partition, which one that has just come up, or has not heard of a new partition yet,
    /// says too. librdkafka tries again by itself; whether the topic is gone is found out by asking for it.
    SaidMissing,
    /// The position is not in the log; which offsets there are is to be looked up.
    OutOfRange,
    Stop(Error),
}

/// Classifies an error that came in place of a partition's record `offset`, or of a later one.
///
/// Only errors known to be temporary are waited out. Any other (a batch that cannot be unpacked, say) stops: a client that
/// went on would go past records nobody has seen.
pub(crate) fn classify(input: &TopicPartition, offset: i64, error: KafkaError) -> ErrorClass {
    use RDKafkaErrorCode as Code;
    let KafkaError::MessageConsumption(code) = error else {
        return ErrorClass::Stop(unexpected(input, error));
    };
    match code {
        Code::AutoOffsetReset | Code::OffsetOutOfRange => ErrorClass::OutOfRange,
        code if says_missing(code) => ErrorClass::SaidMissing,
        Code::TopicAuthorizationFailed => ErrorClass::Stop(not_authorized(&input.topic)),
        Code::BadMessage | Code::BadCompression | Code::NotImplemented => {
            ErrorClass::Stop(damaged_batch(input, offset).caused_by(error))
        }
        code if is_temporary(code) => ErrorClass::Wait,
        _ => ErrorClass::Stop(unexpected(input, error)),
    }
}

/// Whether an error passes by itself: a broker that is away, or a leader that is moving.
pub(crate) fn is_temporary(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::NetworkException
            | Code::BrokerNotAvailable
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::ReplicaNotAvailable
            | Code::PreferredLeaderNotAvailable
            | Code::OffsetNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::KafkaStorageError
            | Code::WaitingForCoordinator
            | Code::Retry
    )
}

pub(crate) fn missing_topic(topic: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!(
            "topic does not exist topic={topic}: input topics are never created here; create it, or correct its name in \
             [topics]"
        ),
    )
}

/// A topic that we have read and that is not there any more.
pub(crate) fn deleted_topic(topic: &str) -> Error {
    Error::new(
        ErrorKind::EventsMissing,
        format!(
            "topic was deleted topic={topic}: what was not read of it is lost, what was read stays; to go on, create it and replay \
             the events into a new storage"
        ),
    )
}

/// Whether a broker says that there is no such topic.
pub(crate) fn is_missing_topic(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(says_missing)
}

/// Whether a broker says that there is no such topic or partition.
fn says_missing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicId
    )
}

/// Whether an answer about a topic is worth asking again.
pub(super) fn passes(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(is_temporary)
}

pub(super) fn not_authorized(topic: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("reading is not allowed topic={topic}: grant Describe and Read on it to our user"),
    )
}

/// The batch begins at `offset` or later.
fn damaged_batch(input: &TopicPartition, offset: i64) -> Error {
    let TopicPartition { topic, partition } = input;
    Error::new(
        ErrorKind::Damaged,
        format!(
            "records cannot be unpacked topic={topic} partition={partition} offset={offset}: the batch is damaged, compressed by a \
             codec that this build lacks, or unpacks to more than receive.message.max.bytes, which [source] properties may raise; \
             nothing has been skipped"
        ),
    )
}

pub(crate) fn setting(name: &str, reason: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("setting is not usable {name}: {reason}"),
    )
}

/// The client failed in a way that is not known to be anybody's fault here.
pub(crate) fn client_failed(context: impl fmt::Display, source: KafkaError) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("kafka client failed {context}"),
    )
    .caused_by(source)
}

fn unexpected(input: &TopicPartition, source: KafkaError) -> Error {
    client_failed(format_args!("reading={input}"), source)
}

/// Whether an error says that our credentials are wrong.
pub(crate) fn is_authentication(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::Authentication | Code::SaslAuthenticationFailed)
}

/// An error of building a client, without the value of a secret.
pub(crate) fn creation(error: KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(found, reason, name, _) => {
            // librdkafka repeats the value in its reason
            let reason = if found == RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN {
                "librdkafka knows no property of this name; its documentation lists all".to_owned()
            } else if is_secret(&name) {
                "its value is not accepted".to_owned()
            } else {
                reason
            };
            setting(&format!("[source] properties {name}"), reason)
        }
        // such as a certificate that cannot be read, or a mechanism this build lacks
        KafkaError::ClientCreation(reason) => setting("[source] properties", reason),
        source => client_failed("creating a client", source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_pass_is_waited_out() {
        use RDKafkaErrorCode as Code;
        let input = TopicPartition::new("orders.v1", 3);
        let judged = |code| match classify(&input, 7, KafkaError::MessageConsumption(code)) {
            ErrorClass::Wait => "wait".to_owned(),
            ErrorClass::SaidMissing => "said missing".to_owned(),
            ErrorClass::OutOfRange => "out of range".to_owned(),
            ErrorClass::Stop(error) => format!("{:?} {error}", error.kind()),
        };
        assert_eq!(judged(Code::BrokerTransportFailure), "wait");
        assert_eq!(judged(Code::NotLeaderForPartition), "wait");
        assert_eq!(judged(Code::AutoOffsetReset), "out of range");
        // one answer is no proof: a broker may not have heard of a partition that has just appeared
        for code in [
            Code::UnknownTopicOrPartition,
            Code::UnknownTopic,
            Code::UnknownPartition,
            Code::UnknownTopicId,
        ] {
            assert_eq!(judged(code), "said missing");
            assert!(is_missing_topic(&KafkaError::MetadataFetch(code)));
        }
        assert!(judged(Code::TopicAuthorizationFailed).contains("grant Describe and Read"));
        for code in [Code::BadMessage, Code::BadCompression, Code::NotImplemented] {
            let said = judged(code);
            assert!(
                said.starts_with("Damaged")
                    && said.contains("cannot be unpacked topic=orders.v1 partition=3 offset=7"),
                "{said}"
            );
        }
        assert!(judged(Code::Fatal).contains("reading=orders.v1/3"));
        let fatal = classify(&input, 7, KafkaError::MessageConsumptionFatal(Code::Fatal));
        assert!(matches!(fatal, ErrorClass::Stop(error) if error.kind() == ErrorKind::Unavailable));
    }

    #[test]
    fn a_secret_is_not_repeated() {
        let shown = |name: &str| {
            let error = KafkaError::ClientConfig(
                RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
                "Invalid value \"canary\"".into(),
                name.into(),
                "canary".into(),
            );
            format!("{0} {0:?}", creation(error))
        };
        assert!(shown("client.rack").contains("canary"));
        assert!(!shown("ssl.key.password").contains("canary"));
    }

    #[test]
    fn an_unknown_property_is_called_unknown() {
        for name in ["sasl.pasword", "fetch.min.byte"] {
            let mut config = rdkafka::ClientConfig::new();
            let error = config.set(name, "canary").create_native_config().err();
            let error = creation(error.unwrap());
            let said = format!("{error} {error:?}");
            assert!(
                said.contains(&format!(
                    "[source] properties {name}: librdkafka knows no property"
                )),
                "{said}"
            );
            assert!(!said.contains("canary"), "{said}");
        }
    }
}
