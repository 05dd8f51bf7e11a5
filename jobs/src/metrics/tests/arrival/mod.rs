//! P2: the latest rows are those of a batch computation over the accepted events, whatever the order of arrival.
//!
//! ```text
//!  strategy ─ events ─▶ scenario: any order, duplicates, cuts, seals, clocks, rounds, checkpoints, crashes, new reference data
//!                          │ service: shard (verdicts, state) ×2 ─▶ public (planner, rounds, revisions)
//!                          ▼
//!                  rows, facts, alerts  ==  one batch per shard, sorted, in one step (the computation of `audit`)
//! ```
//!
//! JSON, decoder, verdicts, batches, shard states with all operators and rules, metric queries, planner, revisions and audit are the real
//! ones. A scenario may do what a run may do: all shards read a partition in the same order, seals are cut anywhere, clocks move anywhere
//! but back, prices may come last in one shard and not in the other, a shard that crashes reads again what it had not sealed.
//!
//! Rows cost seconds per scenario, mostly for planning SQL in a build without optimisation. So facts and alerts are compared without rows
//! in many scenarios, and with rows in few, each with the rounds of one clock and window kind.
//!
//! Some faults that these tests find:
//! * Histories or list prices in the order of arrival where `occurred_at` is equal, or `event_id` missing in the order.
//! * A key that does not run again when a list price or reference data that it read change, or when a timer is due.
//! * A correction that works only on earlier events, or only on later ones, or that a checkpoint loses.
//! * Facts of a changelog that are not retracted: weights, panes or timers that stay.
//! * A window that is not marked for a round after a late fact in its look-back, a list price or new reference data.
//! * A row that stays after its facts have left, or a revision that is compared with the wrong window.
//! * Recovery that applies a seal twice or not at all, at other clocks, or with other reference data.
//! * Results that keep what an early clock decided: a step that stays breached, an alert that stays open.
//! * A duplicate that counts, or that counts after a crash.
//!
//! A fault in both computations is not found here (a wrong formula, a correction of another customer's event): operators and queries
//! have their own tests.

mod cases;
mod event;
mod properties;
mod public;
mod scenario;
mod service;
mod shard;
mod strategy;
