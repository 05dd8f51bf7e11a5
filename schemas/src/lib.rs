//! The contracts of Vitrine: what comes in, what goes out, and the calendar both are measured with.
//!
//! ```text
//!  bytes ──decode──▶ Event ──append──▶ EventBatchBuilder ──finish──▶ RecordBatch (one wide table a topic)
//!            │ event::orders … prices: one table of fields and one of event types a topic
//!            └──────────────▶ json_schema: the same tables, published as JSON Schema in `json/`
//!
//!  table     Arrow schema, key, partition and order of every public table
//!  calendar  working days, holidays, day and week edges in the business zone
//!  partition where a key lives (murmur2, as the Java client does it)
//! ```
//!
//! Start reading at [`event`]: adding an event type is one row in one table there. This crate knows no other crate, opens
//! no file, reads no clock and keeps no state between two calls; whether a record is late, misplaced or seen before is
//! the engine's business, which has the state that it takes.
//!
//! Rejected: a Rust struct per event type with serde derive (a wrong type would abort the parse, so that K3's order of
//! reasons could not be kept, and the fields would live in three places); `serde_json::Value` (a second pass and an
//! allocation per field).

pub mod calendar;
pub mod event;
pub mod json_schema;
pub mod money;
pub mod partition;
pub mod table;
pub mod time;
