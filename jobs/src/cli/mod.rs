//! The commands of the binary `vitrine` (contract 1).

pub mod sql;
