//! Events: what the four topics carry, how a record is judged, and the Arrow tables it becomes.
//!
//! # Adding an event type
//! Add one row to `EVENT_TYPES` of its topic ([`orders`], [`visits`], [`complaints`], [`prices`]): name, key, the fields it
//! uses and which of them are required. A field that the topic does not have yet is one more row in `FIELDS` above it.
//! Decoder, Arrow schema, table comments and published JSON Schema all follow from these two tables
//! (`UPDATE=1 cargo test -p schemas json_schema` writes the latter).
//!
//! # The way of a record
//! [`decode()`] parses the payload once into typed slots and judges it: K3 from `too_large` to `bad_value`. The rest of K3
//! (`future_dated`, `misplaced_key`, `key_mismatch`) needs the record's place and is judged by the engine.
//! [`EventBatchBuilder`] turns accepted events into columns of [`arrow_schema`].
//!
//! # Readings of this module (what the contract leaves open)
//! * A value of the wrong type never hides another reason: it is judged as `bad_value`, after everything K3 puts first.
//! * `null` for a required field is `missing_field`, for an optional one it is absence.
//! * Fields that the event type does not list are skipped whatever they hold, but a key twice in them is still
//!   `malformed_json`. A number that overflows a double (`1e999`) is `malformed_json` too: the parser cannot represent it.
//! * Integers are JSON integers: `1.0`, `1e3`, `-0` and `"1"` are `bad_value`. An integer `schema_version` other than 1, of whatever
//!   size a 64-bit integer has, is `unsupported_schema_version`.
//! * The envelope is `event_id`, `event_type`, `schema_version`, `occurred_at`, `recorded_at`. The key's id depends on the type, so
//!   its absence is a `missing_field` of the type.
//! * An id is a text that is not empty. An empty list where contract 3 demands one that is not empty is `missing_field` with the
//!   list's name as path.
//! * The tombstone `null` may have JSON white space around it. An empty payload is `malformed_json`.

mod batch;
mod column;
pub mod complaints;
mod decode;
pub mod envelope;
mod field;
mod layout;
pub mod orders;
mod parse;
pub mod prices;
mod reason;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod samples;
mod slot;
mod topic;
mod value;
pub mod visits;

pub use batch::{EventBatchBuilder, Place, arrow_schema};
pub use decode::{Event, decode};
pub use field::{EventType, Field, FieldKind, FieldUse, InstantRule, Key};
pub use layout::event_types;
pub use reason::{Limits, Reason, Rejection};
pub use topic::Topic;
