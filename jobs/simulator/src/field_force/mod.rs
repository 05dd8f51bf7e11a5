//! Visits of client managers, and the data they collect at sample retailers.

mod activities;
mod collection;
mod schedule;
mod staff;
mod visit;
mod visitor;

pub(crate) use schedule::FieldForce;
