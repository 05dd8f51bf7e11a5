//! Orders, from placing to closing.

mod effects;
pub(crate) mod order;
mod order_desk;
mod report;
mod supply;
mod wanted;

pub(crate) use order_desk::OrderDesk;
