//! The engine of Vitrine.

pub mod columns;
pub mod decode;
pub mod history;
pub mod log;
pub mod pane;
pub mod query;
pub mod round;
pub mod source;
pub mod time;
