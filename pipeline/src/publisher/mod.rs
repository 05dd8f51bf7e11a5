//! The publisher: what the shards have sealed becomes public, one epoch at a time.
//!
//! ```text
//!            reports, sinks, signals, time                        commands
//!                        │                                           ▲
//!                        ▼                                           │
//!  driver ── PublisherEvent ─▶ machine (pure) ── PublisherAction ─▶ io: log, tables, public queries
//!                   ▲                                                 │
//!                   └──────────────────── outcome ────────────────────┘
//! ```
//!
//! * `machine`: which phase an epoch is in, and what comes next; `phase`: their list. Tested over every crash point.
//! * `event`: the machine's input events and output actions.
//! * `seal_queue`, `open_rounds`, `epoch_schedule`: what the machine keeps of seals, rounds and time.
//! * `plan`: which windows want a round; `finality`: which rows are final, and which windows owe a round before.
//! * `assemble`, `sealed_rows`, `rows`, `feed`, `dead_letter`, `dead_letter_rows`, `data_quality`: what an epoch says, from seals and
//!   rounds; `refused`: what is said once of refused records.
//! * `needs`: what of the storage housekeeping has to leave.
//! * `record`: what stands in the publisher's log. `identity`: what its first record fixes.
//! * `io`: one action at a time, done to the log and the tables.
//! * `lifecycle`: from running to ended. `driver`: the loop around all of it.
//!
//! After a crash a new publisher reads checkpoint and records of its own log; an intent without its epoch record is rolled
//! forward; then come the shards' seals behind the cut. A round that was open is forgotten: its windows are still marked as
//! touched in the state of the last intent, or by seals behind its cut.

mod assemble;
mod data_quality;
mod dead_letter;
mod dead_letter_rows;
mod driver;
mod epoch_schedule;
mod event;
mod feed;
mod finality;
#[cfg(test)]
mod fixture;
mod identity;
mod io;
mod lifecycle;
mod machine;
mod needs;
mod open_rounds;
mod phase;
mod plan;
mod record;
mod refused;
mod rows;
mod seal_queue;
mod sealed_rows;
mod settings;

pub use assemble::{OWN_ALERTS, alerts_of_seal};
pub use dead_letter::dead_letter_topic;
pub use driver::{Channels, Delivery, Publisher};
pub use feed::{CalendarDay, FeedDefinition, FlagStore, SeriesFlags};
pub use identity::{StorageIdentity, require_identity};

pub use needs::StorageNeeds;
pub use plan::{Planner, RoundKey};
pub use record::{
    EpochRecord, FinalUntil, PUBLISHER_LAYOUT, PUBLISHER_LOG, alerts_of, newest_epoch,
};
pub use rows::RuleCard;
pub use settings::{PublisherSettings, RunSummary, Sinks, Until};
