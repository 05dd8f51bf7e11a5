//! Feeds for forecasters: table `feeds.demand_daily` and topic `feeds.demand.v1`, computed from M01.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;
use pipeline::publisher::{CalendarDay, FeedDefinition};
use pipeline::time::Zone;
use schemas::calendar::{Calendar, CalendarRow};
use schemas::error::Error;

use self::supply::SupplyFlagStore;
use crate::reference::ReferenceArchive;

mod supply;

/// What configuration says of a feed (`[feeds]`).
#[derive(Clone, Copy, Debug)]
pub struct FeedSettings {
    /// Whether it is made; one that is off takes note of days for the time when it is switched on.
    pub is_on: bool,
    /// How many days of zeros follow a day with demand (K43).
    pub max_gap_days: i32,
}

/// Daily demand per SKU × territory, without gaps (contract 6). `topic`: where it is sent, if the events come from Kafka. `archive` holds
/// every version of the reference data that is in force while it is made.
pub fn demand_daily(
    zone: Tz,
    calendar: &[CalendarRow],
    archive: Arc<ReferenceArchive>,
    topic: Option<String>,
    settings: FeedSettings,
) -> FeedDefinition {
    let calendar = Calendar::built_in(zone).with_rows(calendar.to_vec());
    let missing = MissingYears::default();
    FeedDefinition {
        name: "demand_daily".to_owned(),
        metric: "demand_orders".to_owned(),
        sql: include_str!("../feeds/demand_daily.sql").to_owned(),
        values: ["y", "y_allocated", "y_delivered", "returned", "unmet_qty"]
            .map(str::to_owned)
            .to_vec(),
        flag: "censored".to_owned(),
        flags: Arc::new(SupplyFlagStore {
            zone: Zone(zone),
            archive,
        }),
        calendar: Arc::new(move |day| {
            let date = day.date();
            CalendarDay {
                is_working_day: missing.known_or_warn(calendar.is_working_day(date)),
                is_holiday: missing.known_or_warn(calendar.is_holiday(date)),
                days_to_holiday: missing
                    .known_or_warn(calendar.days_to_holiday(date))
                    .and_then(|days| i32::try_from(days).ok()),
            }
        }),
        topic,
        max_gap_days: settings.max_gap_days,
        is_on: settings.is_on,
    }
}

/// Years that the calendar does not have: a feed goes on without them, with one warning per year (K20).
#[derive(Default)]
struct MissingYears(Mutex<BTreeSet<i32>>);

impl MissingYears {
    /// The value, or `None` (NULL) with a warning the first time that its year is missing.
    fn known_or_warn<T>(&self, value: Result<T, Error>) -> Option<T> {
        let error = match value {
            Ok(known) => return Some(known),
            Err(error) => error,
        };
        let Error::MissingYear { year } = error;
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(year) {
            tracing::warn!(%error, "calendar columns of the demand feed are NULL where they need this year");
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::io;

    use object_store::memory::InMemory;
    use pipeline::time::Day;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    /// The text of the log.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Log {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn k20_columns_that_need_a_missing_year_are_null_with_one_warning_a_year() {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_ansi(false)
            .finish();
        let settings = FeedSettings {
            is_on: true,
            max_gap_days: 400,
        };
        let archive = Arc::new(ReferenceArchive::new(Arc::new(InMemory::new())));
        let feed = demand_daily(chrono_tz::Asia::Shanghai, &[], archive, None, settings);
        let columns = |date: &str| {
            let kind = (feed.calendar)(Day::from_date(date.parse().unwrap()));
            (kind.is_working_day, kind.is_holiday, kind.days_to_holiday)
        };
        tracing::subscriber::with_default(subscriber, || {
            let national_day = (Some(false), Some(true), Some(0));
            assert_eq!(columns("2026-10-01"), national_day);
            // The last holiday of 2026 has passed: the distance to the next one depends on 2027.
            assert_eq!(columns("2026-12-30"), (Some(true), Some(false), None));
            for date in ["2031-05-04", "2031-05-05"] {
                assert_eq!(columns(date), (None, None, None), "{date}");
            }
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let warnings: Vec<&str> = text.lines().collect();
        assert_eq!(warnings.len(), 2, "{text}");
        assert!(warnings[0].contains("WARN") && warnings[0].contains("year=2027"));
        assert!(warnings[1].contains("WARN") && warnings[1].contains("year=2031"));
    }
}
