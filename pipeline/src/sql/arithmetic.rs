//! How a session counts: what becomes of a number that leaves its type (K25).

/// The three kinds of sessions. In none of them a number wraps around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// Queries of readers: the types are those of SQL, and a number that leaves its type is an error in words.
    Checked,
    /// Queries of rounds: `+ - * / %` and `sum` over integers and decimals give DECIMAL(38, …), and what that cannot hold is
    /// [`BEYOND`](super::decimal::BEYOND). Types are narrowed only where rows are made for a table.
    Exact,
    /// `stream.sql`: the same, but `sum` gives DECIMAL(76, …), so that sums of batches add up wherever batches were cut.
    Linear,
}
