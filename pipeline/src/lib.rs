//! The engine of Vitrine: from records to rows that a query, a feed and an alert can stand on. It knows nothing of retail.
//!
//! ```text
//! source ─▶ decode ─▶ history ─▶ pane ─▶ round ─▶ publish ─▶ query
//! records    verdict   facts      sums    rows     tables     SQL
//!                 └───────── run: seals in log/shard-<p>, intents and epochs in log/publisher ─────────┘
//! ```
//!
//! | room | question it answers |
//! |---|---|
//! | [`columns`] | how are Arrow columns read and written |
//! | [`time`] | what day is it, which windows read it, how far has time come |
//! | [`source`] | where do records come from, and have they ended |
//! | [`decode`] | does this record count (verdict) |
//! | [`history`] | which facts follow from the events of one key |
//! | [`pane`] | what do the facts sum up to, per day and key |
//! | [`round`] | which rows follow for a window, and which of them are news |
//! | [`log`] | what is durable, and whose is it |
//! | [`alert`] | what changed that somebody must know, and do they |
//! | [`publish`] | how do files become tables |
//! | [`query`] | what do the tables say, all of one epoch |
//! | [`run`] | who does all this, on which thread, and what happens after a crash |
//! | [`audit`] | does a computation from scratch say the same |
//!
//! Start with [`run`] for the whole, with [`history::Operator`] and [`round::Metric`] to see what the engine is given.
//!
//! # What happens when the process dies
//! Before a seal is durable: its records are read again, the verdicts are the same. After: state is taken back from the
//! last base and the records behind it. Before an intent: the epoch never was; seals after the last cut are taken in anew.
//! After an intent: tables, records and epoch record are rolled forward, each step noticing if it was done before.
//!
//! # Weighed and left
//! * A seal that holds changes of state instead of events: larger, and every layout of state would be a format. State is a
//!   function of events and clocks, so it is computed again; bases bound how far.
//! * Facts and panes in bases: they follow from the histories.
//! * A log record when a round is opened: a round that a crash forgets is opened again, for its windows are still marked.
//! * Windows as literals in the texts of a round: every window planned anew, which took longer than running it. Parameters are
//!   functions that the open window answers, and a text is planned once a shard ([`round::Evaluator`]).
//! * `COUNT(DISTINCT …)` in `shard.sql`: a set of texts for every row. Summing up by customer first counts the same.
//! * A feed that tells of every day that the clock has passed: catching up, days were told as zeros, and corrected an epoch later.
//!
//! # Left for later work
//! Several processes, spilling to disk, object storage, forgetting histories behind the horizon, transactions of the feed,
//! windows that close beside a shard's thread. All state is in memory; what asks for more is refused with a sentence.

pub mod alert;
pub mod audit;
pub mod columns;
pub mod decode;
pub mod history;
pub mod log;
pub mod pane;
pub mod publish;
pub mod query;
pub mod round;
pub mod run;
pub mod source;
pub mod time;
