//! Event files that somebody wrote to do harm, and what becomes of each of their records.

mod cases;
pub(crate) mod generate;
mod verdicts;
