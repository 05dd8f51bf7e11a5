use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a record is a dead letter, in the order in which reasons are looked for (K3): the first that applies is the one.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    TooLarge,
    InvalidUtf8,
    Tombstone,
    MalformedJson,
    MissingField,
    UnsupportedSchemaVersion,
    UnknownEventType,
    BadValue,
    FutureDated,
    MisplacedKey,
    KeyMismatch,
}

impl Reason {
    pub const ALL: [Reason; 11] = [
        Reason::TooLarge,
        Reason::InvalidUtf8,
        Reason::Tombstone,
        Reason::MalformedJson,
        Reason::MissingField,
        Reason::UnsupportedSchemaVersion,
        Reason::UnknownEventType,
        Reason::BadValue,
        Reason::FutureDated,
        Reason::MisplacedKey,
        Reason::KeyMismatch,
    ];

    /// The text in `ops.dead_letters.reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::TooLarge => "too_large",
            Reason::InvalidUtf8 => "invalid_utf8",
            Reason::Tombstone => "tombstone",
            Reason::MalformedJson => "malformed_json",
            Reason::MissingField => "missing_field",
            Reason::UnsupportedSchemaVersion => "unsupported_schema_version",
            Reason::UnknownEventType => "unknown_event_type",
            Reason::BadValue => "bad_value",
            Reason::FutureDated => "future_dated",
            Reason::MisplacedKey => "misplaced_key",
            Reason::KeyMismatch => "key_mismatch",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A reason and the field it was found in: `lines[2].requested_qty`, or the empty text where no field is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    pub reason: Reason,
    pub path: String,
}

impl Rejection {
    pub fn new(reason: Reason, path: impl Into<String>) -> Self {
        Rejection {
            reason,
            path: path.into(),
        }
    }
}

/// What decoding reads from the configuration.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How far an observed instant may lie after `occurred_at` (K4), in milliseconds.
    pub max_future_skew_ms: i64,
    /// Longest payload in bytes; one more is `too_large`.
    pub max_record_bytes: usize,
}

impl Default for Limits {
    /// The defaults of the configuration: five minutes, one MiB.
    fn default() -> Self {
        Limits {
            max_future_skew_ms: 5 * 60 * 1000,
            max_record_bytes: 1 << 20,
        }
    }
}
