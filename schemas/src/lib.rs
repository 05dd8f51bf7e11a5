
pub mod partition;
