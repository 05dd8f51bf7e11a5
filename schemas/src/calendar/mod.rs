//! Working days, holidays, and the arithmetic of deadlines (domain 6).
//!
//! A date is a working day if it is a make-up day, or Monday to Friday and not a day off. Days off and make-up days are data: the
//! State Council's notices for 2024-2026 are built in (`data/calendar.csv`); files add years or replace days
//! ([`Calendar::with_rows`]). A year without data is an error that names the year, not a year without holidays (K20).
//!
//! Choices where the domain is silent: a year is known once it has a row. A row `WORKING` makes its date a working day whatever the
//! weekday. Weekends are days off but not holidays. `days_to_holiday` is 0 on a holiday; it may look into the next year, which
//! must be known.
//!
//! The working-time arithmetic of domain 6.3 ([`Calendar::add_wd`] and its neighbours) is complete and held to its golden tables.
//! No metric or rule that exists so far needs it.

mod days;
mod rows;
mod working;
mod zone;

pub use days::Calendar;
pub use rows::{CalendarRow, DayKind};
pub use zone::CalendarZone;
