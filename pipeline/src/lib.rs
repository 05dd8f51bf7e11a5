//! The engine of Vitrine: from records to rows that a query, a feed and an alert can stand on. It knows nothing of retail.
//!
//! ```text
//! source ─▶ decode ─▶ history ─▶ pane ─▶ round ─▶ publisher ─▶ table ─▶ query
//! records    verdict   facts      sums    rows     epochs       Delta    SQL
//!            └────── shard: seals in log/shard-<p> ──────┘  └ log/publisher: intents, epochs
//! ```
//!
//! Each module uses only those above it.
//!
//! | module | question it answers |
//! |---|---|
//! | [`error`] | what went wrong, whose fault it is, whether to try again |
//! | `observe` | what should a person who runs the service learn of |
//! | [`time`] | what day is it, which windows hold it, how far has event time come |
//! | [`columns`] | how are Arrow columns read and written |
//! | [`sql`] | which functions do queries share |
//! | [`kafka`] | how is a cluster reached, and what do its errors mean |
//! | [`source`] | where do records come from, and have they ended |
//! | [`decode`] | does this record count (verdict) |
//! | [`history`] | which facts follow from the events of one key |
//! | [`pane`] | what do the facts sum up to, per day and key |
//! | [`round`] | which rows follow for a window, and which of them are new |
//! | [`log`] | what is durable, and who owns it |
//! | [`table`] | how do files become Delta tables |
//! | [`alert`] | which transitions follow from facts and rows |
//! | [`shard`] | what happens between a record and its seal |
//! | [`sink`] | how do alerts and records leave |
//! | [`publisher`] | what becomes public, and when |
//! | [`query`] | what do the tables say, all of one epoch; does a computation from scratch say the same |
//! | [`run`] | which threads do all this, and how does it start and stop |
//!
//! Start with [`run`] for the whole, with [`history::Operator`] and [`round::Metric`] to see what the engine is given.
//! `DESIGN.md` beside this crate says what must hold, what happens when the process dies (3.4, 3.5), what was weighed and left
//! (3.10) and where a change belongs (7). `GLOSSARY.md` defines every word that has no standard meaning.

pub mod alert;
pub mod columns;
pub mod decode;
pub mod error;
pub mod history;
pub mod kafka;
pub mod log;
mod observe;
pub mod pane;
pub mod publisher;
pub mod query;
pub mod round;
pub mod run;
pub mod shard;
pub mod sink;
pub mod source;
pub mod sql;
pub mod table;
pub mod time;
