//! Start of days, weeks and months in the business zone. Needs no calendar data: windows work for any year (K20).

use chrono::{
    Datelike, Days, MappedLocalTime, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone,
};
use chrono_tz::Tz;

use crate::time::TimestampMs;

/// 0001-01-01T00:00:00Z and the last millisecond of the year 9999: chrono can add any offset to what lies between.
const LOCAL_RANGE: (TimestampMs, TimestampMs) = (
    TimestampMs::from_ms(-62_135_596_800_000),
    TimestampMs::from_ms(253_402_300_799_999),
);

/// The zone that decides when a day begins.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct CalendarZone(pub Tz);

impl CalendarZone {
    /// Local date of an instant.
    pub fn local_date(self, at: TimestampMs) -> NaiveDate {
        self.local(at).date()
    }

    /// Local date and time of an instant; one outside the years 1 to 9999 counts as the nearest one inside.
    pub fn local(self, at: TimestampMs) -> NaiveDateTime {
        let (first, last) = LOCAL_RANGE;
        let utc = at
            .clamp(first, last)
            .to_datetime()
            .unwrap_or_default()
            .naive_utc();
        utc + self.0.offset_from_utc_datetime(&utc).fix()
    }

    /// Instant of a local date and time. Of two that clocks show twice, the first; one that clocks skip counts with the offset
    /// from before the change.
    pub fn instant(self, local: NaiveDateTime) -> TimestampMs {
        let at = match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
            MappedLocalTime::None => {
                let day_before = local - Days::new(1);
                let before = self.0.offset_from_utc_datetime(&day_before).fix();
                (local - before).and_utc()
            }
        };
        TimestampMs::from_datetime(at)
    }

    /// First instant of a local date.
    pub fn start_of(self, date: NaiveDate) -> TimestampMs {
        self.instant(date.and_time(NaiveTime::MIN))
    }

    /// First instant of the local day of an instant.
    pub fn day_start(self, at: TimestampMs) -> TimestampMs {
        self.start_of(self.local_date(at))
    }

    /// First instant of the ISO week (Monday 00:00) of an instant.
    pub fn week_start(self, at: TimestampMs) -> TimestampMs {
        self.start_of(monday(self.local_date(at)))
    }

    /// First instant of the calendar month of an instant.
    pub fn month_start(self, at: TimestampMs) -> TimestampMs {
        self.start_of(first_of_month(self.local_date(at)))
    }
}

/// Monday of the ISO week of a date.
fn monday(date: NaiveDate) -> NaiveDate {
    date - Days::new(u64::from(date.weekday().num_days_from_monday()))
}

/// First day of the month of a date.
pub(super) fn first_of_month(date: NaiveDate) -> NaiveDate {
    date - Days::new(u64::from(date.day0()))
}

/// First day of the month after a date's.
pub(super) fn next_month(date: NaiveDate) -> NaiveDate {
    first_of_month(date) + Months::new(1)
}
