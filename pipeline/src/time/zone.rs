//! Local days: the pane grid of every metric.

use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

/// A local calendar date, as days since 1970-01-01 (Arrow's `Date32`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub i32);

impl Day {
    pub fn from_date(date: NaiveDate) -> Self {
        Self(date.num_days_from_ce() - NaiveDate::default().num_days_from_ce())
    }

    /// The calendar date; days beyond chrono's range end at its limits.
    pub fn date(self) -> NaiveDate {
        let epoch = NaiveDate::default();
        match u64::try_from(self.0) {
            Ok(after) => epoch.checked_add_days(Days::new(after)),
            Err(_) => epoch.checked_sub_days(Days::new(u64::from(self.0.unsigned_abs()))),
        }
        .unwrap_or(if self.0 < 0 {
            NaiveDate::MIN
        } else {
            NaiveDate::MAX
        })
    }

    pub fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The Monday of its ISO week.
    pub fn monday(self) -> Self {
        // 1970-01-01 was a Thursday.
        Self(self.0 - (self.0 + 3).rem_euclid(7))
    }
}

const START_OF_YEAR_1: TimestampMs = TimestampMs::from_ms(-62_135_596_800_000);
const END_OF_YEAR_9999: TimestampMs = TimestampMs::from_ms(253_402_300_799_999);

/// The business zone: where days begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(pub Tz);

impl Zone {
    /// The local date of an instant; one outside the years 1 to 9999 is taken for the nearest inside.
    pub fn day_of(self, instant: TimestampMs) -> Day {
        // Of the last instants that chrono knows it has no local date: asking for one panics.
        let instant = instant.clamp(START_OF_YEAR_1, END_OF_YEAR_9999);
        let utc = instant.to_datetime().unwrap_or_default();
        Day::from_date(utc.with_timezone(&self.0).date_naive())
    }

    /// The first instant of a local date; where midnight does not exist, the first that does.
    pub fn start_of(self, day: Day) -> TimestampMs {
        let midnight = day.date().and_time(NaiveTime::MIN);
        (0..=24)
            .find_map(|quarter| {
                let local = midnight + chrono::Duration::minutes(15 * quarter);
                self.0.from_local_datetime(&local).earliest()
            })
            .map_or_else(
                || TimestampMs::from_ms(0) + DurationMs::from_days(i64::from(day.0)),
                |start| TimestampMs::from_datetime(start.with_timezone(&Utc)),
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::fixture::at;

    #[test]
    fn week_edge_of_the_domain_reference() {
        let zone = Zone(chrono_tz::Asia::Shanghai);
        let at = |text: &str| TimestampMs::from_datetime(text.parse().unwrap());
        let monday = |text: &str| zone.day_of(at(text)).monday().date().to_string();
        assert_eq!(monday("2026-11-22T15:59:59Z"), "2026-11-16");
        assert_eq!(monday("2026-11-22T16:00:00Z"), "2026-11-23");
        let day = zone.day_of(at("2026-11-22T16:00:00Z"));
        assert_eq!(zone.start_of(day), at("2026-11-22T16:00:00Z"));
    }

    #[test]
    fn a_day_without_midnight_starts_at_its_first_instant() {
        let zone = Zone(chrono_tz::America::Santiago);
        let day = Day::from_date(NaiveDate::from_ymd_opt(2024, 9, 8).unwrap());
        assert_eq!(zone.start_of(day).to_string(), "2024-09-08T04:00:00.000Z");
    }

    #[test]
    fn every_number_is_on_some_day() {
        for zone in [chrono_tz::Asia::Shanghai, chrono_tz::America::Santiago] {
            let days = [i64::MIN, -1, 0, i64::MAX].map(|instant| Zone(zone).day_of(at(instant)));
            assert!(days.is_sorted(), "{days:?}");
            assert!(days[0] < days[1] && days[2] < days[3], "{days:?}");
        }
    }

    #[test]
    fn days_before_1970_are_days_too() {
        assert_eq!(Day(-1).date().to_string(), "1969-12-31");
        assert_eq!(Day::from_date(Day(-400).date()), Day(-400));
    }
}
