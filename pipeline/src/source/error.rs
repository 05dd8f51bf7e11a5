//! What can go wrong when reading, said so that the operator knows what to do.

use std::io;
use std::path::PathBuf;

use rdkafka::error::KafkaError;
use thiserror::Error;

/// Whose move it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Configuration, permissions or files are wrong: trying again without a change fails again (exit code 2).
    Configuration,
    /// Events are gone upstream: going on would silently lose them (exit code 5).
    EventsMissing,
    /// Something outside is down: a later try may succeed (exit code 1).
    External,
}

/// Why a source could not be opened, or cannot go on.
#[derive(Debug, Error)]
pub enum SourceError {
    #[error(
        "no broker answered within {waited_s} s brokers={brokers} reason=\"{reason}\": check [source] brokers and that the \
         broker's advertised listeners can be reached from here"
    )]
    Unreachable {
        brokers: String,
        waited_s: u64,
        reason: String,
    },
    #[error(
        "the broker refused our credentials brokers={brokers} reason=\"{reason}\": check the sasl.* and ssl.* keys in \
         [source] properties"
    )]
    Authentication { brokers: String, reason: String },
    #[error("reading is not allowed topic={topic}: grant Describe and Read on it to our user")]
    NotAuthorized { topic: String },
    #[error(
        "topic does not exist topic={topic}: input topics are never created here; create it, or correct its name in [topics]"
    )]
    MissingTopic { topic: String },
    #[error(
        "partition does not exist topic={topic} partition={partition} partitions={partitions}: was the topic created anew \
         with fewer partitions?"
    )]
    MissingPartition {
        topic: String,
        partition: i32,
        partitions: u32,
    },
    #[error(
        "events are missing upstream topic={topic} partition={partition} wanted_offset={offset} first_offset={} \
         end_offset={}: retention passed them or the topic was created anew; nothing has been skipped, what is lost is yours \
         to accept",
        known(.first_offset),
        known(.end_offset)
    )]
    OffsetOutOfRange {
        topic: String,
        partition: i32,
        offset: i64,
        /// Where the log begins and ends now; `None` if the broker no longer says.
        first_offset: Option<i64>,
        end_offset: Option<i64>,
    },
    #[error(
        "records cannot be unpacked topic={topic} partition={partition} offset={offset}: the batch is damaged, or compressed \
         by a codec that this build lacks; nothing has been skipped"
    )]
    Batch {
        topic: String,
        partition: i32,
        /// The batch begins here or later.
        offset: i64,
        #[source]
        source: KafkaError,
    },
    #[error("setting is not usable {name}: {reason}")]
    Setting { name: String, reason: String },
    #[error("kafka client failed {context}")]
    Kafka {
        context: String,
        #[source]
        source: KafkaError,
    },
    #[error("folder of event files does not exist dir={}: check [source] dir", dir.display())]
    MissingDirectory { dir: PathBuf },
    #[error("event file name is not understood file={}: {reason}", path.display())]
    FileName { path: PathBuf, reason: String },
    #[error("event file cannot be read file={} line={line}: the file may be damaged or incomplete", path.display())]
    Unreadable {
        path: PathBuf,
        /// Number of the line being read, from 0.
        line: i64,
        #[source]
        source: io::Error,
    },
    #[error(
        "event file is shorter than what was read before file={} lines={lines} wanted_line={offset}: files must only grow",
        path.display()
    )]
    FileTooShort {
        path: PathBuf,
        lines: i64,
        offset: i64,
    },
    #[error("the reading thread has ended: close the source and open it again")]
    Stopped,
}

fn known(offset: &Option<i64>) -> String {
    offset.map_or_else(|| "unknown".into(), |offset| offset.to_string())
}

impl SourceError {
    /// Whose move it is; the process's exit code follows from it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Authentication { .. }
            | Self::NotAuthorized { .. }
            | Self::MissingTopic { .. }
            | Self::Setting { .. }
            | Self::MissingDirectory { .. }
            | Self::FileName { .. } => ErrorKind::Configuration,
            Self::OffsetOutOfRange { .. }
            | Self::MissingPartition { .. }
            | Self::FileTooShort { .. } => ErrorKind::EventsMissing,
            Self::Unreachable { .. }
            | Self::Batch { .. }
            | Self::Kafka { .. }
            | Self::Unreadable { .. }
            | Self::Stopped => ErrorKind::External,
        }
    }
}
