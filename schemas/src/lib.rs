//! The contracts of Vitrine: what comes in, what goes out, and the calendar both are measured with.
//!
//! ```text
//!  bytes ──decode──▶ Event ──append──▶ EventBatchBuilder ──finish──▶ RecordBatch (one wide table a topic)
//!            │ one table of fields and one of event types per topic
//!            └──────────────▶ json_schema: the same tables, published as JSON Schema in `json/`
//!
//!  id        ids in a text that joins several
//!  time      instants and lengths of time in milliseconds
//!  money     amounts in whole fen
//!  table     Arrow schema, key, partition and sort order of every public table
//!  calendar  working days, holidays, start of days and weeks in the business zone
//!  partition partition of a key (murmur2, as in the Java client)
//!  error     what is missing, whose fault it is, whether to try again
//! ```
//!
//! Start reading at [`event`]: to add an event type is to add one row to one table there. This crate depends on no other
//! crate of the workspace, opens no file, reads no clock and keeps no state between calls. Whether a record is late,
//! misplaced or a duplicate is decided by the engine, which has the state for it.
//!
//! Rejected: a Rust struct per event type with serde derive (a value of the wrong type aborts the parse, which breaks the
//! order of reasons in K3, and every field would be declared in three places); `serde_json::Value` (a second pass and an
//! allocation per field).

pub mod calendar;
pub mod error;
pub mod event;
pub mod id;
#[cfg(test)]
mod json_schema;
pub mod money;
pub mod partition;
pub mod table;
pub mod time;
