//! Local days of the business zone, and what a day does to trade.

use chrono::{Datelike, Duration, NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Tz;

use super::plan::{Plan, SimulateError};

pub(super) const SECOND_MS: i64 = 1_000;
pub(super) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// Shops sell more towards the weekend (per mille of an average day, Monday first).
const WEEKDAY_DEMAND: [i64; 7] = [940, 940, 960, 990, 1_060, 1_090, 1_020];
/// In the week before a holiday people stock up; on the holiday itself they still buy.
const BEFORE_HOLIDAY_DEMAND: i64 = 1_300;
const HOLIDAY_DEMAND: i64 = 1_120;

/// First and last day off of the holidays that matter to trade (State Council notices, `domain.md` 6.2). The simulated
/// distributor does not work on them; other years have weekends only.
const HOLIDAYS: [((i32, u32, u32), (i32, u32, u32)); 18] = [
    ((2024, 2, 10), (2024, 2, 17)),
    ((2024, 4, 4), (2024, 4, 6)),
    ((2024, 5, 1), (2024, 5, 5)),
    ((2024, 6, 10), (2024, 6, 10)),
    ((2024, 9, 15), (2024, 9, 17)),
    ((2024, 10, 1), (2024, 10, 7)),
    ((2025, 1, 1), (2025, 1, 1)),
    ((2025, 1, 28), (2025, 2, 4)),
    ((2025, 4, 4), (2025, 4, 6)),
    ((2025, 5, 1), (2025, 5, 5)),
    ((2025, 5, 31), (2025, 6, 2)),
    ((2025, 10, 1), (2025, 10, 8)),
    ((2026, 2, 15), (2026, 2, 23)),
    ((2026, 4, 4), (2026, 4, 6)),
    ((2026, 5, 1), (2026, 5, 5)),
    ((2026, 6, 19), (2026, 6, 21)),
    ((2026, 9, 25), (2026, 9, 27)),
    ((2026, 10, 1), (2026, 10, 7)),
];

/// One local day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Day {
    /// From 0, the plan's first.
    pub number: u32,
    pub date: NaiveDate,
    /// `YYYY-MM-DD`.
    pub date_text: String,
    /// Monday = 0.
    pub weekday: u32,
    pub start_ms: i64,
    pub end_ms: i64,
    /// As K21 writes it: `2026-W02`.
    pub iso_week: String,
    /// A number that rises by one each ISO week and does not restart at the year's end.
    pub week: u32,
    /// The distributor works: orders, visits, deliveries.
    pub is_working: bool,
    pub is_last_working_of_month: bool,
    /// What shops sell, per mille of an average day.
    pub demand_permille: i64,
    /// The first working day after this one.
    pub next_working_date: NaiveDate,
    zone: Tz,
}

impl Day {
    pub fn new(plan: &Plan, number: u32) -> Result<Self, SimulateError> {
        let out_of_calendar = SimulateError::Calendar { days: plan.days };
        let Some(date) = plan
            .start
            .checked_add_signed(Duration::days(i64::from(number)))
            .filter(|date| (2000..9999).contains(&date.year()))
        else {
            return Err(out_of_calendar);
        };
        let next_working_date = working_day_after(date);
        Ok(Self {
            number,
            date,
            date_text: date.to_string(),
            weekday: date.weekday().num_days_from_monday(),
            start_ms: midnight_ms(date, plan.zone),
            end_ms: midnight_ms(date + Duration::days(1), plan.zone),
            iso_week: iso_week(date),
            week: date.num_days_from_ce().cast_unsigned().saturating_sub(1) / 7,
            is_working: is_working(date),
            is_last_working_of_month: is_working(date) && next_working_date.month() != date.month(),
            demand_permille: demand_permille(date),
            next_working_date,
            zone: plan.zone,
        })
    }

    /// The instant of a local time of this day, in ms.
    pub fn at(&self, hour: i64, minute: i64) -> i64 {
        self.start_ms + hour * HOUR_MS + minute * MINUTE_MS
    }

    /// Midnight that begins another local date.
    pub fn midnight_of(&self, date: NaiveDate) -> i64 {
        midnight_ms(date, self.zone)
    }

    /// `YYYY-MM` of the month after this day's.
    pub fn next_month(&self) -> String {
        let (year, month) = match self.date.month() {
            12 => (self.date.year() + 1, 1),
            month => (self.date.year(), month + 1),
        };
        format!("{year:04}-{month:02}")
    }
}

/// Monday-based ISO week as text.
pub(super) fn iso_week(date: NaiveDate) -> String {
    let week = date.iso_week();
    format!("{:04}-W{:02}", week.year(), week.week())
}

pub(super) fn working_day_after(date: NaiveDate) -> NaiveDate {
    let mut next = date + Duration::days(1);
    while !is_working(next) {
        next += Duration::days(1);
    }
    next
}

/// The local midnight that begins `date`; where a zone skips it, the first instant after the gap.
pub(super) fn midnight_ms(date: NaiveDate, zone: Tz) -> i64 {
    let midnight = date.and_time(NaiveTime::MIN);
    (0..=24)
        .filter_map(|half_hours| {
            zone.from_local_datetime(&(midnight + Duration::minutes(30 * half_hours)))
                .earliest()
        })
        .map(|instant| instant.timestamp_millis())
        .next()
        .unwrap_or_else(|| midnight.and_utc().timestamp_millis())
}

fn is_working(date: NaiveDate) -> bool {
    date.weekday().num_days_from_monday() < 5 && holiday_in(date, 0).is_none()
}

/// The holiday that `date` lies in or that begins within `ahead` days after it.
fn holiday_in(date: NaiveDate, ahead: i64) -> Option<(NaiveDate, NaiveDate)> {
    let day = |(year, month, day): (i32, u32, u32)| {
        NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default()
    };
    HOLIDAYS
        .iter()
        .map(|(first, last)| (day(*first), day(*last)))
        .find(|(first, last)| date + Duration::days(ahead) >= *first && date <= *last)
}

fn demand_permille(date: NaiveDate) -> i64 {
    let season = match holiday_in(date, 7) {
        Some((first, _)) if date < first => BEFORE_HOLIDAY_DEMAND,
        Some(_) => HOLIDAY_DEMAND,
        None => 1_000,
    };
    WEEKDAY_DEMAND[date.weekday().num_days_from_monday() as usize] * season / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u32) -> Day {
        Day::new(&Plan::default(), number).unwrap()
    }

    #[test]
    fn a_day_is_the_local_one() {
        let first = day(0);
        assert_eq!(first.start_ms, 1_767_542_400_000, "2026-01-04T16:00:00Z");
        assert_eq!(first.end_ms, day(1).start_ms);
        assert_eq!((first.weekday, first.iso_week.as_str()), (0, "2026-W02"));
        assert_eq!(day(6).week, first.week);
        assert_eq!(day(7).week, first.week + 1);
    }

    #[test]
    fn nobody_works_through_spring_festival_but_demand_rises_before_it() {
        assert_eq!(day(40).date_text, "2026-02-14");
        assert!(day(39).is_working && !day(43).is_working && !day(40).is_working);
        assert_eq!(day(39).next_working_date.to_string(), "2026-02-24");
        assert!(day(36).demand_permille > 12 * day(8).demand_permille / 10);
        assert!(day(25).is_last_working_of_month && !day(24).is_last_working_of_month);
        assert_eq!(day(25).next_month(), "2026-02");
    }
}
