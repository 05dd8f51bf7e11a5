//! The engine of Vitrine.

pub mod log;
pub mod time;
