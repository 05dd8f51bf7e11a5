//! SQL over one epoch.

pub mod functions;
