//! `vitrine demo`: simulator, broker and pipeline in one process.
//!
//! ```text
//!  simulator thread ─▶ feed ─┬▶ DIR/events/<topic>/<partition>.ndjson   (later: run, audit, publish)
//!                            └▶ in-process broker ─▶ shards ─▶ publisher ─▶ DIR/storage ─▶ report, SQL
//! ```
//!
//! With `--once` the days are those of a fixed plan and events carry no timestamps, so that every run gives the same tables.
//! Without it the plan began some days ago, and its events keep coming at their own time until Ctrl-C.

mod alerts;
mod args;
mod command;
mod feed;
mod folder;
mod queries;
mod report;
mod watcher;

pub(crate) use self::args::DemoArgs;
pub(crate) use self::command::run;
