//! The engine of Vitrine.

pub mod query;
pub mod columns;
pub mod history;
pub mod time;
