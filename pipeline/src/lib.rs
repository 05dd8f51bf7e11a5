//! The engine of Vitrine.

pub mod columns;
pub mod history;
pub mod log;
pub mod pane;
pub mod query;
pub mod source;
pub mod time;
