//! The engine of Vitrine.

pub mod source;
pub mod time;
