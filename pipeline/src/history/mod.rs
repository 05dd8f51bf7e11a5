//! Keyed histories: ordered events of one key go in, weighted facts come out.
//!
//! ```text
//!  accepted batch ─ corrections ─▶ history of a key ─▶ Operator::facts(history, clock, reference) ─ changelog ─▶ facts (+1 / −1)
//! ```
//!
//! An [`Operator`] is a **pure function** from the ordered history of one key, a clock and the reference (list prices,
//! reference data) to a multiset of facts. [`KeyedHistory`] keeps the histories, calls the function for keys that an event, a
//! timer or a dependency touched, and emits the **changelog**: the difference to what it emitted before. So arrival order
//! cannot matter and a late event needs no path of its own.

mod correction;
mod keyed;
mod operator;

pub use correction::{Correction, CorrectionOutcome, Corrections, Orphan};
pub use keyed::{Changelog, KeyedHistory, KeyedOperator, PANE, WEIGHT};
pub use operator::{
    EventOrder, EventPlace, Fact, HistoryEntry, Operator, OperatorContext, ReferenceState,
    RemovedEvent,
};
