//! Local days of the business zone, and how they affect trade.

use chrono::{Datelike, Duration, NaiveDate};
use schemas::calendar::Calendar;
use schemas::time::{DurationMs, TimestampMs};

use super::error::Error;
use super::plan::Plan;

/// Sales by weekday, per mille of an average day, Monday first.
const WEEKDAY_DEMAND: [i64; 7] = [940, 940, 960, 990, 1_060, 1_090, 1_020];
/// Sales in the week before a holiday and on a holiday, per mille of the weekday's.
const BEFORE_HOLIDAY_DEMAND: i64 = 1_300;
const BEFORE_HOLIDAY_DAYS: u32 = 7;
const HOLIDAY_DEMAND: i64 = 1_120;

/// The days of a plan.
///
/// A year that the calendar does not know has weekends but no holidays: a simulation need not match the real year.
pub(crate) struct Days {
    calendar: Calendar,
    start: NaiveDate,
    count: u32,
}

/// One local day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SimulatedDay {
    /// From 0, the plan's first.
    pub number: u32,
    /// `YYYY-MM-DD`.
    pub date_text: String,
    /// Monday = 0.
    pub weekday: u32,
    pub start: TimestampMs,
    pub end: TimestampMs,
    /// As K21 writes it: `2026-W02`.
    pub iso_week: String,
    /// Number of the ISO week, counted on across years.
    pub week: u32,
    /// The distributor takes orders, visits and delivers.
    pub is_working: bool,
    pub is_last_working_of_month: bool,
    /// Sales of shops, per mille of an average day.
    pub demand_permille: i64,
    /// The next two working days, on which today's orders are delivered: in time or late.
    pub next_working: WorkingDate,
    pub second_next_working: WorkingDate,
}

/// A working day to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkingDate {
    pub date: NaiveDate,
    /// Days after the [`SimulatedDay`] that refers to it.
    pub days_ahead: u32,
    pub start: TimestampMs,
}

impl Days {
    /// # Errors
    /// Those of [`Plan::last_day`].
    pub(crate) fn of(plan: &Plan) -> Result<Self, Error> {
        plan.last_day()?;
        Ok(Self {
            calendar: Calendar::built_in(plan.zone),
            start: plan.start,
            count: plan.days,
        })
    }

    pub(crate) fn first(&self) -> SimulatedDay {
        self.day(0)
    }

    pub(crate) fn last(&self) -> SimulatedDay {
        self.day(self.count.saturating_sub(1))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = SimulatedDay> {
        (0..self.count).map(|number| self.day(number))
    }

    pub(crate) fn day(&self, number: u32) -> SimulatedDay {
        let date = self.start + Duration::days(number.into());
        let next_working = self.working_after(date, date);
        let is_working = self.is_working(date);
        SimulatedDay {
            number,
            date_text: date.to_string(),
            weekday: date.weekday().num_days_from_monday(),
            start: self.start_of(date),
            end: self.start_of(date + Duration::days(1)),
            iso_week: iso_week(date),
            week: date.num_days_from_ce().cast_unsigned().saturating_sub(1) / 7,
            is_working,
            is_last_working_of_month: is_working && next_working.date.month() != date.month(),
            demand_permille: self.demand_permille(date),
            next_working,
            second_next_working: self.working_after(next_working.date, date),
        }
    }

    fn start_of(&self, date: NaiveDate) -> TimestampMs {
        self.calendar.zone().start_of(date)
    }

    fn is_working(&self, date: NaiveDate) -> bool {
        self.calendar
            .is_working_day(date)
            .unwrap_or_else(|_| date.weekday().num_days_from_monday() < 5)
    }

    fn working_after(&self, date: NaiveDate, seen_from: NaiveDate) -> WorkingDate {
        let mut next = date + Duration::days(1);
        while !self.is_working(next) {
            next += Duration::days(1);
        }
        WorkingDate {
            date: next,
            days_ahead: u32::try_from((next - seen_from).num_days()).unwrap_or_default(),
            start: self.start_of(next),
        }
    }

    fn demand_permille(&self, date: NaiveDate) -> i64 {
        let season = match self.calendar.days_to_holiday(date) {
            Ok(0) => HOLIDAY_DEMAND,
            Ok(1..=BEFORE_HOLIDAY_DAYS) => BEFORE_HOLIDAY_DEMAND,
            _ => 1_000,
        };
        WEEKDAY_DEMAND[date.weekday().num_days_from_monday() as usize] * season / 1_000
    }
}

impl SimulatedDay {
    /// The instant `hours` and `minutes` after the start of the day.
    pub(crate) fn at(&self, hours: i64, minutes: i64) -> TimestampMs {
        self.start + DurationMs::from_hours(hours) + DurationMs::from_minutes(minutes)
    }

    /// `YYYY-MM` of this day.
    pub(crate) fn month(&self) -> &str {
        &self.date_text[..7]
    }

    /// `YYYY-MM` of the next working day: the next month, if this is the last working day of a month.
    pub(crate) fn next_month(&self) -> String {
        self.next_working.date.format("%Y-%m").to_string()
    }
}

fn iso_week(date: NaiveDate) -> String {
    let week = date.iso_week();
    format!("{:04}-W{:02}", week.year(), week.week())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn day(number: u32) -> SimulatedDay {
        Days::of(&Plan::default()).unwrap().day(number)
    }

    #[test]
    fn days_begin_at_local_midnight() {
        let first = day(0);
        assert_eq!(first.start.to_string(), "2026-01-04T16:00:00.000Z");
        assert_eq!(first.end, day(1).start);
        assert_eq!((first.weekday, first.iso_week.as_str()), (0, "2026-W02"));
        assert_eq!(day(6).week, first.week);
        assert_eq!(day(7).week, first.week + 1);
    }

    #[test]
    fn spring_festival_has_no_working_days_and_demand_rises_before_it() {
        let eve = day(40);
        assert_eq!(eve.date_text, "2026-02-14");
        assert!(eve.is_working, "a Saturday worked to make up");
        assert!(!day(43).is_working);
        assert_eq!(eve.next_working.date.to_string(), "2026-02-24");
        assert_eq!(eve.next_working.days_ahead, 10);
        assert_eq!(eve.second_next_working.date.to_string(), "2026-02-25");
        assert!(day(36).demand_permille > 12 * day(8).demand_permille / 10);
    }

    #[test]
    fn the_last_working_day_of_a_month_knows_the_next_month() {
        assert!(day(25).is_last_working_of_month && !day(24).is_last_working_of_month);
        assert_eq!(
            (day(25).month(), day(25).next_month().as_str()),
            ("2026-01", "2026-02")
        );
    }

    #[test]
    fn a_plan_beyond_the_calendar_is_refused_and_unknown_years_have_weekends() {
        let plan = |year, days| Plan {
            start: NaiveDate::from_ymd_opt(year, 10, 1).unwrap(),
            days,
            ..Plan::default()
        };
        for (year, days) in [
            (1999, 1),
            (2026, 100_000_000),
            (2026, u32::MAX),
            (9997, 93),
            (9998, 1),
        ] {
            let refused = Days::of(&plan(year, days));
            assert!(
                matches!(refused, Err(Error::Calendar { .. })),
                "{year} {days}"
            );
        }
        let last = plan(9997, 92).last_day().unwrap();
        assert_eq!(last.to_string(), "9997-12-31");
        let future = Days::of(&plan(2090, 7)).unwrap();
        assert_eq!(future.all().filter(|day| day.is_working).count(), 5);
    }
}
