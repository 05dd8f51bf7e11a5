//! The engine of Vitrine.

pub mod time;
