//! The engine of Vitrine.

pub mod columns;
pub mod history;
pub mod log;
pub mod publish;
pub mod time;
