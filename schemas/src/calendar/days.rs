//! Which dates are working days and holidays.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;

use super::rows::{self, CalendarRow, DayKind};
use super::zone::CalendarZone;
use crate::error::Error;

/// Office hours of a working day, half open: [open, close).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct WorkingHours {
    pub open: NaiveTime,
    pub close: NaiveTime,
}

impl Default for WorkingHours {
    /// 08:00-17:30 (domain 6.1).
    fn default() -> Self {
        let at = |minutes: u32| {
            NaiveTime::from_num_seconds_from_midnight_opt(minutes * 60, 0).unwrap_or_default()
        };
        WorkingHours {
            open: at(8 * 60),
            close: at(17 * 60 + 30),
        }
    }
}

/// The working calendar of a zone; dates are local.
///
/// ```
/// use chrono::NaiveDate;
/// use schemas::calendar::Calendar;
/// use schemas::error::Error;
///
/// let calendar = Calendar::built_in(chrono_tz::Asia::Shanghai);
/// let date = |text: &str| text.parse::<NaiveDate>().unwrap();
///
/// // National Day 2026: 1 to 7 October are days off; Saturday 10 October is worked in exchange.
/// assert_eq!(calendar.is_working_day(date("2026-10-05")), Ok(false));
/// assert_eq!(calendar.is_working_day(date("2026-10-10")), Ok(true));
/// assert_eq!(calendar.next_working_day(date("2026-09-30")), Ok(date("2026-10-08")));
/// // A weekend is no holiday.
/// assert_eq!(calendar.is_holiday(date("2026-11-21")), Ok(false));
/// assert_eq!(calendar.days_to_holiday(date("2026-09-28")), Ok(3));
/// // A year without data is an error, not a year without holidays (K20).
/// let missing = Error::MissingYear { year: 2031 };
/// assert_eq!(calendar.is_working_day(date("2031-05-04")), Err(missing));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    zone: CalendarZone,
    pub(super) hours: WorkingHours,
    days: BTreeMap<NaiveDate, CalendarRow>,
    years: BTreeSet<i32>,
}

impl Calendar {
    /// The calendar with the built-in years, 2024-2026.
    pub fn built_in(zone: Tz) -> Self {
        Calendar::empty(zone).with_rows(rows::built_in())
    }

    /// A calendar that knows no year.
    pub fn empty(zone: Tz) -> Self {
        Calendar {
            zone: CalendarZone(zone),
            hours: WorkingHours::default(),
            days: BTreeMap::new(),
            years: BTreeSet::new(),
        }
    }

    /// Adds days or replaces them.
    #[must_use]
    pub fn with_rows(mut self, rows: impl IntoIterator<Item = CalendarRow>) -> Self {
        for row in rows {
            self.years.insert(row.date.year());
            self.days.insert(row.date, row);
        }
        self
    }

    pub fn zone(&self) -> CalendarZone {
        self.zone
    }

    /// The rows of the calendar by date.
    #[cfg(test)]
    fn rows(&self) -> impl Iterator<Item = &CalendarRow> {
        self.days.values()
    }

    fn kind(&self, date: NaiveDate) -> Result<Option<DayKind>, Error> {
        if !self.years.contains(&date.year()) {
            return Err(Error::MissingYear { year: date.year() });
        }
        Ok(self.days.get(&date).map(|row| row.day_kind))
    }

    /// Whether a date is a working day.
    pub fn is_working_day(&self, date: NaiveDate) -> Result<bool, Error> {
        Ok(match self.kind(date)? {
            Some(DayKind::Working | DayKind::MakeUp) => true,
            Some(DayKind::DayOff) => false,
            None => !matches!(date.weekday(), Weekday::Sat | Weekday::Sun),
        })
    }

    /// Whether a date is a day off by the State Council's list (K20).
    pub fn is_holiday(&self, date: NaiveDate) -> Result<bool, Error> {
        Ok(self.kind(date)? == Some(DayKind::DayOff))
    }

    /// Days from a date to the next holiday, 0 on one.
    pub fn days_to_holiday(&self, date: NaiveDate) -> Result<u32, Error> {
        let mut days = 0;
        while !self.is_holiday(date + Days::new(u64::from(days)))? {
            days += 1;
        }
        Ok(days)
    }
}

#[cfg(test)]
mod tests;
