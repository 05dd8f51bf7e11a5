use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::DurationMs;

/// Why a record is a dead letter, in the order in which reasons are checked (K3): the first one that applies is given.
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

/// A reason and the path of the field at fault, such as `lines[2].requested_qty`; empty if it is not a field's.
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

/// What decoding needs from the configuration.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How far an observed instant may lie after `occurred_at` (K4).
    pub max_future_skew: DurationMs,
    /// Longest payload in bytes; a longer one is `too_large`.
    pub max_record_bytes: usize,
}

impl Default for Limits {
    /// The defaults of the configuration: five minutes, one MiB.
    fn default() -> Self {
        Limits {
            max_future_skew: DurationMs::from_minutes(5),
            max_record_bytes: 1 << 20,
        }
    }
}
