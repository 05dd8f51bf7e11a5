//! Working-time arithmetic (domain 6.3).

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime};

use super::Calendar;
use super::zone::{first_of_month, next_month};
use crate::error::Error;
use crate::time::{DurationMs, TimestampMs};

impl Calendar {
    /// The instant itself if it lies in working hours, else the next opening.
    pub fn clamp(&self, at: TimestampMs) -> Result<TimestampMs, Error> {
        let local = self.clamp_local(self.zone().local(at))?;
        Ok(self.zone().instant(local))
    }

    /// `working_days` later: that many working days after the date of `clamp(at)`, at the same local time.
    ///
    /// ```
    /// use schemas::calendar::Calendar;
    ///
    /// let calendar = Calendar::built_in(chrono_tz::Asia::Shanghai);
    /// let local = |text: &str| calendar.zone().instant(text.parse().unwrap());
    /// // Friday afternoon, in office hours: the same time on Monday.
    /// let on_monday = calendar.add_wd(local("2026-11-20T16:00:00"), 1);
    /// assert_eq!(on_monday, Ok(local("2026-11-23T16:00:00")));
    /// // Friday evening counts as Monday's opening.
    /// let on_tuesday = calendar.add_wd(local("2026-11-20T20:00:00"), 1);
    /// assert_eq!(on_tuesday, Ok(local("2026-11-24T08:00:00")));
    /// ```
    pub fn add_wd(&self, at: TimestampMs, working_days: u32) -> Result<TimestampMs, Error> {
        let start = self.clamp_local(self.zone().local(at))?;
        let mut date = start.date();
        for _ in 0..working_days {
            date = self.next_working_day(date)?;
        }
        Ok(self.zone().instant(date.and_time(start.time())))
    }

    /// Working time in [from, to): `working_ms` of domain 6.3.
    pub fn working_time(&self, from: TimestampMs, to: TimestampMs) -> Result<DurationMs, Error> {
        let mut total = DurationMs::ZERO;
        let mut date = self.zone().local_date(from);
        while from < to && self.zone().start_of(date) < to {
            if self.is_working_day(date)? {
                let open = self.zone().instant(date.and_time(self.hours.open));
                let close = self.zone().instant(date.and_time(self.hours.close));
                total += (to.min(close) - from.max(open)).max(DurationMs::ZERO);
            }
            date = date + Days::new(1);
        }
        Ok(total)
    }

    /// The first working day after a date.
    pub fn next_working_day(&self, date: NaiveDate) -> Result<NaiveDate, Error> {
        let mut next = date + Days::new(1);
        while !self.is_working_day(next)? {
            next = next + Days::new(1);
        }
        Ok(next)
    }

    /// The last working day of the month of a date.
    pub fn last_working_day(&self, month: NaiveDate) -> Result<NaiveDate, Error> {
        let mut last = next_month(month) - Days::new(1);
        while !self.is_working_day(last)? {
            last = last - Days::new(1);
        }
        Ok(last)
    }

    /// Working days in the month of a date.
    pub fn working_days(&self, month: NaiveDate) -> Result<u32, Error> {
        let month = first_of_month(month);
        month
            .iter_days()
            .take_while(|day| day.month() == month.month())
            .try_fold(0, |days, day| {
                Ok(days + u32::from(self.is_working_day(day)?))
            })
    }

    /// When the plan for the month of a date is due: 24:00 of the last working day of the month before (002-42).
    pub fn plan_deadline(&self, month: NaiveDate) -> Result<TimestampMs, Error> {
        let last = self.last_working_day(first_of_month(month) - Days::new(1))?;
        Ok(self.zone().start_of(last + Days::new(1)))
    }

    /// When the prices of the week that begins on `monday` are due, exclusive: Thursday 00:00 (000-R70). If none of the three days
    /// before is a working day, 24:00 of the first working day from Thursday on (D2).
    pub fn price_deadline(&self, monday: NaiveDate) -> Result<TimestampMs, Error> {
        let thursday = monday + Days::new(3);
        for day in monday.iter_days().take(3) {
            if self.is_working_day(day)? {
                return Ok(self.zone().start_of(thursday));
            }
        }
        let first = self.next_working_day(thursday - Days::new(1))?;
        Ok(self.zone().start_of(first + Days::new(1)))
    }

    fn clamp_local(&self, local: NaiveDateTime) -> Result<NaiveDateTime, Error> {
        let hours = self.hours;
        let date = local.date();
        if !self.is_working_day(date)? || local.time() >= hours.close {
            return Ok(self.next_working_day(date)?.and_time(hours.open));
        }
        Ok(local.max(date.and_time(hours.open)))
    }
}
