//! The engine of Vitrine.

pub mod query;
pub mod time;
