//! One shard: reads, judges, applies, seals. A thread of its own; no lock shared.
//!
//! ```text
//! Source ─▶ driver ─ Item ─▶ machine ─ micro-batch ─▶ state: operators, panes, rounds
//!             │  ▲              └──────── Seal ◀────────┘
//!   commands ─┘  └─ log: durable ─▶ report to the publisher
//! ```
//!
//! * `machine`: what has been read, judged and decided; no input or output. `input`, `batch`, `circuit` are its parts.
//! * `state`: accepted events and clocks in, facts, panes and partial aggregates out.
//! * `seal`: what stands in the log. `recover`: from the log back to a machine.
//! * `driver`: the thread. `messages`: what it receives and reports. `backlog`: what makes it wait.

mod backlog;
mod batch;
mod circuit;
mod driver;
mod input;
mod log_end;
mod machine;
mod messages;
mod recover;
mod reference;
mod seal;
mod settings;
mod state;

pub use backlog::{Backlog, backlog_bytes};
pub use driver::{Shard, ShardChannels};
pub use log_end::LogEnd;
pub use messages::{ShardCommand, ShardReport};
pub use recover::{FirstReference, first_reference};
pub use reference::ReferenceStore;
pub use seal::{
    Clocks, DeadLetter, InputSeal, LateEvent, OrphanRow, PartialAggregate, SEAL_LAYOUT, Seal,
    ShardCheckpoint, decode_seal, from_ipc, least_clocks, to_ipc,
};
pub use settings::{ShardSettings, shard_log};
pub use state::{Effects, ShardState};
