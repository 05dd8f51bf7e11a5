//! Edges of days, weeks and months in the business zone. They need no calendar data: windows work for any year (K20).

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset,
    TimeZone,
};
use chrono_tz::Tz;

/// A named zone in which days begin. Instants are milliseconds UTC.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct CalendarZone(pub Tz);

impl CalendarZone {
    /// Local date of an instant.
    pub fn local_date(self, at_ms: i64) -> NaiveDate {
        self.local(at_ms).date()
    }

    /// Local date and time of an instant; one outside the years 1 to 9999 is taken for the nearest inside.
    pub fn local(self, at_ms: i64) -> NaiveDateTime {
        let at_ms = at_ms.clamp(-62_135_596_800_000, 253_402_300_799_999);
        let utc = DateTime::from_timestamp_millis(at_ms)
            .unwrap_or_default()
            .naive_utc();
        utc + self.0.offset_from_utc_datetime(&utc).fix()
    }

    /// Instant of a local date and time. One that clocks show twice is the first; one that they skip lies as far behind the jump
    /// as it is behind the jump's beginning.
    pub fn instant(self, local: NaiveDateTime) -> i64 {
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => {
                at.timestamp_millis()
            }
            MappedLocalTime::None => {
                let day_before = local - Days::new(1);
                let before = self.0.offset_from_utc_datetime(&day_before).fix();
                (local - before).and_utc().timestamp_millis()
            }
        }
    }

    /// First instant of a local date.
    pub fn start_of(self, date: NaiveDate) -> i64 {
        self.instant(date.and_time(NaiveTime::MIN))
    }

    /// First instant of the local day of an instant.
    pub fn day_start(self, at_ms: i64) -> i64 {
        self.start_of(self.local_date(at_ms))
    }

    /// First instant of the ISO week (Monday 00:00) of an instant.
    pub fn week_start(self, at_ms: i64) -> i64 {
        self.start_of(monday(self.local_date(at_ms)))
    }

    /// First instant of the calendar month of an instant.
    pub fn month_start(self, at_ms: i64) -> i64 {
        self.start_of(first_of_month(self.local_date(at_ms)))
    }
}

/// Monday of the ISO week of a date.
pub fn monday(date: NaiveDate) -> NaiveDate {
    date - Days::new(u64::from(date.weekday().num_days_from_monday()))
}

/// First day of the month of a date.
pub fn first_of_month(date: NaiveDate) -> NaiveDate {
    date - Days::new(u64::from(date.day0()))
}

/// First day of the month after that of a date.
pub fn next_month(date: NaiveDate) -> NaiveDate {
    first_of_month(date) + Months::new(1)
}
