//! A feed: a gap-free grid of series × days made from the daily rows of one metric.
//!
//! A series runs from its first day that *starts* it to the last complete day, with explicit zeros in between. When a late
//! event moves a series' beginning, the days concerned are made anew; a row that then no longer holds gets a revision with
//! `n` = 0, and a null value on the topic.

mod cell;
mod control;
mod definition;
mod grid;
mod records;
mod step;

pub(super) use cell::{Cells, cells};
pub use definition::{CalendarDay, FeedDefinition};
pub(super) use grid::{FeedChange, FeedGrid};
pub(super) use step::step;
