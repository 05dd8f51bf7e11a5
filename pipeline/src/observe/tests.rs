//! Lines as a collector of logs gets them.
#![allow(clippy::unwrap_used)]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use serde_json::{Value, json};
use tracing::Level;

use super::*;
use crate::error::{Error, ErrorKind};

/// The text of the log.
#[derive(Clone, Default)]
struct LogText(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Level, target and fields of the one line that is logged meanwhile.
fn logged(report: impl FnOnce()) -> (String, String, Value) {
    let text = LogText::default();
    let writer = text.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, report);
    let line: Value = serde_json::from_slice(&text.0.lock().unwrap()).unwrap();
    let text_of = |key: &str| line[key].as_str().unwrap().to_owned();
    (text_of("level"), text_of("target"), line["fields"].clone())
}

fn away() -> Error {
    let source = io::Error::other("connection refused");
    Error::new(ErrorKind::Unavailable, "a record did not arrive").caused_by(source)
}

/// Expects one line of this level, target and these fields.
fn assert_logged(report: impl FnOnce(), level: &str, target: &str, fields: Value) {
    let expected = (level.to_owned(), target.to_owned(), fields);
    assert_eq!(logged(report), expected);
}

#[test]
fn a_line_has_message_and_fields_under_the_name_of_the_place_where_it_happened() {
    assert_logged(
        || {
            LogClaimed {
                log: "shard-3",
                number: 7,
                owner: "a",
            }
            .report();
        },
        "INFO",
        "pipeline::log::owner",
        json!({"message": "claimed", "log": "shard-3", "number": 7, "owner": "a"}),
    );
}

#[test]
fn an_error_is_shown_with_what_caused_it() {
    assert_logged(
        || {
            TryFailed {
                what: "staging a file",
                error: &away(),
                pause: Duration::from_millis(20),
            }
            .report();
        },
        "WARN",
        "pipeline::time::backoff",
        json!({
            "message": "failed; trying again",
            "what": "staging a file",
            "error": "a record did not arrive",
            "cause": "connection refused",
            "pause_ms": 20,
        }),
    );
    assert_logged(
        || {
            RecordRefused {
                epoch: Some(4),
                topic: "demand.v1",
                place: "demand.v1/17",
                position: 2,
                error: &away(),
            }
            .report();
        },
        "ERROR",
        "pipeline::sink::record_delivery",
        json!({
            "message": "a record was refused for good and is skipped",
            "epoch": 4,
            "topic": "demand.v1",
            "place": "demand.v1/17",
            "position": 2,
            "error": "a record did not arrive",
            "cause": "connection refused",
        }),
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let unreachable = |reason| KafkaUnreachable {
        lasted: Duration::from_secs(31),
        error: &"all brokers are down",
        reason,
    };
    let mut fields = json!({
        "message": "kafka does not answer; reading goes on where it stopped once it does",
        "seconds": 31,
        "error": "all brokers are down",
    });
    let target = "pipeline::source::kafka::poll_thread";
    assert_logged(
        || unreachable(None).report(),
        "WARN",
        target,
        fields.clone(),
    );
    fields["reason"] = json!("connection refused");
    assert_logged(
        || unreachable(Some("connection refused")).report(),
        "WARN",
        target,
        fields,
    );
}

#[test]
fn lines_of_librdkafka_keep_their_target_and_its_errors_are_details() {
    for (level, shown) in [
        (RDKafkaLogLevel::Critical, "ERROR"),
        (RDKafkaLogLevel::Error, "DEBUG"),
        (RDKafkaLogLevel::Info, "TRACE"),
    ] {
        assert_logged(
            || {
                ConsumerLogged {
                    level,
                    facility: "FAIL",
                    message: "broker {1} is down",
                }
                .report();
            },
            shown,
            "librdkafka",
            json!({"message": "broker {1} is down", "facility": "FAIL"}),
        );
    }
}

#[test]
fn k47_a_torn_line_of_a_compressed_file_is_not_said_to_wait() {
    for (is_compressed, waits) in [(false, true), (true, false)] {
        let torn = LastLineTorn {
            path: std::path::Path::new("orders.v1/0.ndjson"),
            line: 3,
            is_compressed,
        };
        let (level, target, fields) = logged(|| torn.report());
        let level_and_target = (level.as_str(), target.as_str());
        assert_eq!(level_and_target, ("WARN", "pipeline::source::files"));
        assert_eq!(fields["line"], 3);
        let message = fields["message"].as_str().unwrap();
        assert_eq!(message.contains("waits for its end"), waits, "{message}");
        assert_eq!(message.contains("is not followed"), !waits, "{message}");
        // One line, without the blanks of the source text.
        assert!(!message.contains("  "), "{message}");
    }
}
