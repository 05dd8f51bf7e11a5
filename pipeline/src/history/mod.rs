//! Keyed histories: ordered events of one key go in, weighted facts come out.
//!
//! ```text
//!  accepted batch ─ corrections ─▶ history of a key ─▶ Operator::facts(history, clock, world) ─ difference ─▶ facts (+1 / −1)
//! ```
//!
//! An [`Operator`] is a **pure function** from the ordered history of one key, a clock and the world (list prices,
//! reference data) to a multiset of facts. [`Keyed`] keeps the histories, calls the function for keys that an event, a
//! timer or a dependency touched, and hands on the *difference* to what it emitted before. So arrival order cannot matter
//! and a late event needs no path of its own.

mod correction;
mod keyed;
mod operator;

pub use correction::{Correction, Corrections, Orphan, Outcome, REACH_MS};
pub use keyed::{Difference, Keyed, PANE, Stage, WEIGHT};
pub use operator::{Call, Entry, Fact, Operator, Stamp, World};
