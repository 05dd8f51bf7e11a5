//! The process: shards on threads of their own, one publisher, start and stop.
pub mod core;
pub mod seal;
