//! Operators of the trade: what SQL cannot say about an order, a shelf or a case.
//!
//! One file (or folder) an operator; each is a pure function from the history of one key to facts
//! (`pipeline::history::Operator`), with its fact struct and its column table beside it.

pub mod closing_stock;
#[cfg(test)]
pub mod fixture;
pub mod order_lines;
pub mod price_observations;
pub mod sell_through;
pub mod sla;
pub mod survey_answers;
pub mod survey_invitations;
