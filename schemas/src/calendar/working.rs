//! Working-time arithmetic (domain 6.3).

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime};

use super::{Calendar, MissingYear, first_of_month, next_month};

impl Calendar {
    /// The instant itself if it lies in working hours, else the next opening.
    pub fn clamp(&self, at_ms: i64) -> Result<i64, MissingYear> {
        Ok(self
            .zone()
            .instant(self.clamp_local(self.zone().local(at_ms))?))
    }

    /// n working days later: the n-th working day after that of `clamp(t)`, at its clock time.
    pub fn add_wd(&self, at_ms: i64, working_days: u32) -> Result<i64, MissingYear> {
        let start = self.clamp_local(self.zone().local(at_ms))?;
        let mut date = start.date();
        for _ in 0..working_days {
            date = self.next_working_day(date)?;
        }
        Ok(self.zone().instant(date.and_time(start.time())))
    }

    /// Working time in [from, to), in milliseconds.
    pub fn working_ms(&self, from_ms: i64, to_ms: i64) -> Result<i64, MissingYear> {
        let mut total = 0;
        let mut date = self.zone().local_date(from_ms);
        while from_ms < to_ms && self.zone().start_of(date) < to_ms {
            if self.is_working_day(date)? {
                let open = self.zone().instant(date.and_time(self.hours().open));
                let close = self.zone().instant(date.and_time(self.hours().close));
                total += (to_ms.min(close) - from_ms.max(open)).max(0);
            }
            date = date + Days::new(1);
        }
        Ok(total)
    }

    /// The first working day after a date.
    pub fn next_working_day(&self, date: NaiveDate) -> Result<NaiveDate, MissingYear> {
        let mut next = date + Days::new(1);
        while !self.is_working_day(next)? {
            next = next + Days::new(1);
        }
        Ok(next)
    }

    /// The last working day of the month of a date.
    pub fn last_working_day(&self, month: NaiveDate) -> Result<NaiveDate, MissingYear> {
        let mut last = next_month(month) - Days::new(1);
        while !self.is_working_day(last)? {
            last = last - Days::new(1);
        }
        Ok(last)
    }

    /// Working days in the month of a date.
    pub fn working_days(&self, month: NaiveDate) -> Result<u32, MissingYear> {
        let month = first_of_month(month);
        month
            .iter_days()
            .take_while(|day| day.month() == month.month())
            .try_fold(0, |days, day| {
                Ok(days + u32::from(self.is_working_day(day)?))
            })
    }

    /// By when the plan for the month of a date must be in: 24:00 of the last working day of the month before (002-42).
    pub fn plan_deadline(&self, month: NaiveDate) -> Result<i64, MissingYear> {
        let last = self.last_working_day(first_of_month(month) - Days::new(1))?;
        Ok(self.zone().start_of(last + Days::new(1)))
    }

    /// By when the prices of the week of a Monday must be in, exclusive: Thursday 00:00 (000-R70), but 24:00 of the first working
    /// day after it if nobody works on the three days before (D2).
    pub fn price_deadline(&self, monday: NaiveDate) -> Result<i64, MissingYear> {
        let thursday = monday + Days::new(3);
        for day in monday.iter_days().take(3) {
            if self.is_working_day(day)? {
                return Ok(self.zone().start_of(thursday));
            }
        }
        let first = self.next_working_day(thursday - Days::new(1))?;
        Ok(self.zone().start_of(first + Days::new(1)))
    }

    fn clamp_local(&self, local: NaiveDateTime) -> Result<NaiveDateTime, MissingYear> {
        let hours = self.hours();
        let date = local.date();
        if !self.is_working_day(date)? || local.time() >= hours.close {
            return Ok(self.next_working_day(date)?.and_time(hours.open));
        }
        Ok(local.max(date.and_time(hours.open)))
    }
}
