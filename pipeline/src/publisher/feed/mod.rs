//! A feed: a gap-free grid of series × days made from the daily rows of one metric.
//!
//! A series covers each complete day that *starts* it (a day with demand) and the [`FeedDefinition::max_gap_days`] after it,
//! with explicit zeros, and no other day (K43): between two days with demand that lie further apart, and before the first one,
//! it has no rows, whatever facts fall there. When a late event moves what a series covers, the days concerned are made anew;
//! a row that then no longer holds gets a revision with `n` = 0, and a null value on the topic.
//!
//! A row has one flag. Where the feed's query says nothing of it, as on a zero-filled day, reference data decide ([`SeriesFlags`]); when
//! what they say changes, all days are made anew.
//!
//! A feed that is off goes on taking note of days. Switched on again, it makes those anew that have changed since.

mod cell;
mod control;
mod definition;
mod flags;
mod grid;
mod records;
mod series;
mod step;

pub(super) use cell::{Cells, cells};
pub use definition::{CalendarDay, FeedDefinition};
pub(super) use flags::LoadedFlags;
pub use flags::{FlagStore, SeriesFlags};
pub(super) use grid::{FeedChange, FeedGrid};
pub(super) use step::step;
