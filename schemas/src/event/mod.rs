//! Events: what the four topics carry, which records are rejected, and the Arrow columns that events become.
//!
//! # To add an event type
//! Add one row to `EVENT_TYPES` of its topic (`orders`, `visits`, `complaints`, `prices`): name, key, the fields it
//! uses and which of them are required. A field that the topic does not have yet is one more row in `FIELDS` beside it.
//! Decoder, Arrow schema, table comments and published JSON Schema all follow from these two tables
//! (`UPDATE=1 cargo test --workspace --lib json_schema` writes the JSON Schema files).
//!
//! # What happens to a record
//! [`decode()`] parses the payload once into typed slots and checks it: K3 from `too_large` to `bad_value`. The rest of K3
//! (`future_dated`, `misplaced_key`, `key_mismatch`) depends on the record's partition and timestamp; the engine checks it.
//! [`EventBatchBuilder`] turns accepted events into columns of [`arrow_schema`].
//!
//! # Choices where the contract is silent
//! * A value of the wrong type never hides another reason: it is a `bad_value`, after everything that K3 checks first.
//! * `null` in a required field is `missing_field`; in an optional field it means that the field is absent.
//! * Fields that the event type does not list are skipped whatever they hold, a number of any size included (K45), but a repeated
//!   key in them is still `malformed_json`.
//! * A number is an integer if it is written without fraction and exponent: `1.0`, `1e3` and `"1"` are `bad_value`.
//! * K42 speaks of names that end in `_id`. `base_ref` is an id too, because it is compared with some, and `corrects` is an `event_id`.
//! * Where only the presence of a text is stored (K46), its column holds `UNKNOWN`.
//! * A rule's bounds hold for every field of its kind: prices in `needs[]` and `competitor[]` are prices, and the years of dates,
//!   months and weeks end where those of instants do.
//! * The envelope is `event_id`, `event_type`, `schema_version`, `occurred_at`, `recorded_at`. Which id is the key depends on the event
//!   type, so a missing key is a `missing_field` of the type.
//! * An empty list where contract 3 requires a non-empty one is `missing_field` with the name of the
//!   list as path.
//! * The tombstone `null` may be surrounded by JSON white space. An empty payload is `malformed_json`.

mod batch;
mod column;
mod complaints;
mod decode;
pub(crate) mod envelope;
mod field;
mod json;
mod layout;
mod orders;
mod parse;
mod prices;
mod reason;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod samples;
mod slot;
mod topic;
mod topic_set;
mod value;
mod visits;

pub(crate) use column::restricted;

pub use batch::{EventBatchBuilder, Place, arrow_schema};
pub use decode::{Event, decode};
pub use field::{EventType, Key};
pub use layout::{SCOPE_FIELDS, event_types};
pub use reason::{Limits, Reason, Rejection};
pub use topic::Topic;
pub use topic_set::TopicSet;

#[cfg(test)]
pub(crate) use field::{Field, FieldKind, FieldUse, InstantRule};
#[cfg(test)]
pub(crate) use layout::own_fields;
