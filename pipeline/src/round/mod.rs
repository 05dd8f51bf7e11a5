//! Rounds: the queries of the metrics run over the panes of a window, and the result is compared with what was published before.
//!
//! ```text
//! SHARD      panes of [end − max(length, look_back), end) ─ shard.sql ─▶ parts (in one seal)
//! PUBLISHER  parts of all shards ─ public.sql ─▶ rows ─ Published::compare ─▶ new revisions
//! ```
//!
//! A round computes one window for all metrics on one clock, so that sums agree across tables. A query may use:
//!
//! | name | in | holds |
//! |---|---|---|
//! | `panes.<metric>` | shard.sql | pane (DATE), keys, sums (DECIMAL(38, …)), counts, n |
//! | `rows.<metric>` | shard.sql | result of another metric's shard.sql in the same round |
//! | `asof.<name>` | shard.sql | the reference at the window's end − 1 ms (K8) |
//! | `parts.<metric>` | public.sql | the shards' results put together |
//! | `$window_kind`, `$window_start`, `$window_end`, `$window_start_date`, `$window_end_date` | both | the window; dates are local, ends exclusive |
//!
//! Without `shard.sql` the parts are the panes of the window summed by their keys; without `public.sql` the parts are the rows.
//! Integers and decimals are exact in all of them ([`Arithmetic::Exact`](crate::sql::Arithmetic)); they are narrowed to the types of
//! the table when its rows are made, and a sum that does not fit is NULL there and counted (K25).
//! A query is planned once a shard ([`Evaluator`]): over the rows of a window, planning takes most of the time.

mod compare;
mod evaluate;
mod evaluator;
mod metric;
mod narrow;

pub(crate) use compare::not_comparable;
pub use compare::{Published, Revision, Revisions, RowChanges};
pub use evaluate::{MetricRows, evaluate_over, evaluate_public, evaluate_shard, row_schema};
pub use evaluator::Evaluator;
pub use metric::{Metric, MetricProblem, MetricQueries};
pub use narrow::Overflows;
pub(crate) use narrow::narrow_column;
