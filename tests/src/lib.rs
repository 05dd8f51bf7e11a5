//! What the end-to-end tests stand on: a real Kafka broker, the `vitrine` binary, and the oracle that judges it.
//!
//! ```text
//! kafka          a broker on a free port of 127.0.0.1: one shared by the run, or one of a test's own to kill and freeze
//! events         event files: simulated, rewritten, sent to the broker
//! by_hand        events and customers written by hand
//! event_schemas  events drawn from the published JSON Schemas
//! project        a configuration and a storage of a test's own, and the commands on them
//! vitrine        the binary, built and run as a user would, killed as an operator would not
//! oracle         the independent batch computation in Python (tests/oracle)
//! cache          what takes long to fetch and is kept between runs: jars, virtual environment
//! ```
//!
//! The tests themselves are one binary, `it/main.rs`, so that they share one broker; `tests/run FILTER` runs some. They need `java`
//! (17 or newer), `mvn` for the first run, and `python3`. Nothing in the product imports this crate.
//!
//! | file | proves |
//! |---|---|
//! | `it/exactness.rs` | 28 days from files and from Kafka, 70 days from files: no row differs, every verdict is the simulator's |
//! | `it/finality.rs` | how far a drain goes, what is restated |
//! | `it/kills.rs` | the same rows with five `kill -9`, on files and on Kafka |
//! | `it/arrival.rs` | the same rows from events in another order, and with prices last |
//! | `it/cases.rs` | shared territories, topics that end early, a silent night, transactions, no reference data |
//! | `it/live.rs` | a running service: deadlines by live time, a silent topic, how far `--until-caught-up` and `--drain-to` go |
//! | `it/reference.rs`, `it/owners.rs` | reference data that change meanwhile; signals, and two owners of one storage |
//! | `it/bad_input.rs`, `it/refusals.rs` | what topics may hold at worst; what is refused, and how it is said |
//! | `it/hostile/` | records that somebody wrote to do harm: their verdicts are the oracle's, their values break no table |
//! | `it/fuzz.rs` | `fuzz/` for a few seconds each, and that it notices what it looks for |
//! | `it/damage.rs` | a damaged file of any kind is named or changes nothing |
//! | `it/disorder.rs`, `it/far_dates.rs` | disorder up to the lateness and beyond it; device clocks that are decades off |
//! | `it/event_files.rs`, `it/memory.rs`, `it/bombs.rs` | event files that grow, are torn or odd; memory under bad input, and under batches of Kafka that unpack to much |
//! | `it/inputs.rs`, `it/source_identity.rs` | a storage knows its inputs: partitions, topics made anew, replaced files |
//! | `it/one_epoch.rs` | queries during commits see one epoch |
//! | `it/censored.rs` | days of the feed whose demand supply could not show (K27) |
//! | `it/producers.rs` | producers that restart, repeat themselves and abort |
//! | `it/signals.rs` | a signal to a start, a second signal, no core files |
//! | `it/readings/`, `it/sums.rs` | settled readings by hand, and sums that leave their type, against the oracle |
//! | `it/terminal.rs` | statements, formats and closed pipes as people meet them at a terminal |
//! | `it/canary/` | names, phones and secrets from every input and configuration stand in no output |
//! | `it/former_storage.rs` | a storage of a former version is refused and left as it is, its events can be replayed |
//! | `it/commands.rs`, `it/demo.rs` | simulate, publish, run, audit, status and check together; `vitrine demo` |
//! | `it/readers.rs` | deltalake and DuckDB read what `vitrine sql` answers |
//! | `it/sinks/` | alerts at receivers and in their topic, the demand feed: the same as in the tables, through faults and kills |
//! | `it/source_kafka.rs`, `it/source_faults.rs` | the Kafka source by itself |
//! | `it/readme.rs`, `it/rule_book.rs` | the README's queries and tests; ids, sections, links and tests that documents and code cite |
//! | `it/layers.rs`, `it/public_items.rs`, `it/bench_profile.rs` | modules look upwards only, what is public is used, the profile's names exist |
//!
//! They share `it/proof.rs` (samples, and equality with the oracle), `it/reader.rs` (a topic, as a shard reads it) and `it/tree.rs` (the
//! repository as text).
//!
//! Random choices come from a seed that is printed; `VITRINE_TEST_SEED` sets it. `VITRINE_BIN` names a binary that is to be
//! tested instead of building one. The storage of a failed test is kept and named.

use std::time::Duration;

/// How long a test waits for what takes seconds. Waiting ends with what is waited for, so this costs nothing on a quick machine; it is
/// long enough for one that is several times slower and busy, and a test that hangs still fails.
pub const PATIENCE: Duration = Duration::from_secs(600);

pub mod by_hand;
mod cache;
pub mod event_schemas;
pub mod events;
pub mod kafka;
pub mod oracle;
pub mod project;
pub mod vitrine;
