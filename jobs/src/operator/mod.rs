//! Keyed operators of the trade: what SQL cannot say about an order, a shelf or a case.
//!
//! One file (or folder) per operator. Each is a pure function from the history of one key to facts
//! ([`pipeline::history::Operator`]), with its fact struct and its column table beside it.

pub(crate) mod closing_stock;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod order_lines;
pub(crate) mod price_observations;
pub(crate) mod sell_through;
pub mod sla;
pub(crate) mod survey_answers;
pub(crate) mod survey_invitations;
