//! Panes: what `stream.sql` sums up, per local day and key.
//!
//! ```text
//! weighted facts ─ LinearPlan (stream.sql + pane + weight as keys) ─▶ sums × weight ─▶ PaneStore ─▶ shard.sql at a round
//! ```
//!
//! `stream.sql` is **linear** (only `SUM` and `COUNT`, see [`LinearPlan`]): its result over a union is the sum of its
//! results. So a fact of weight −1 retracts what the same fact of weight +1 gave, panes merge across batches in any
//! order, and the state is a plain table. Sums are exact whatever their size, so an overflow ends with its cause (K25).

mod input;
mod linear;
mod store;
mod sums;

pub use input::PaneInput;
pub use linear::{COUNT, LinearPlan};
pub use store::PaneStore;
