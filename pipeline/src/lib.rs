//! The engine of Vitrine.

pub mod log;
pub mod columns;
pub mod history;
pub mod query;
pub mod time;
