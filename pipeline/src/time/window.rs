//! Calendar windows (`DOMAIN.md` 4.0): all edges are starts of local days.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate};
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::{Day, Zone};

/// The kinds of windows a metric may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WindowKind {
    /// Tumbling day.
    D1,
    /// Tumbling ISO week, Monday to Monday.
    W1,
    /// Tumbling calendar month.
    MO,
    /// 7 days hopping by 1.
    H7,
    /// 28 days hopping by 7, ending on Mondays.
    H28,
}

/// `[first, end)` in local days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    pub kind: WindowKind,
    pub first: Day,
    pub end: Day,
}

impl WindowKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::D1 => "D1",
            Self::W1 => "W1",
            Self::MO => "MO",
            Self::H7 => "H7",
            Self::H28 => "H28",
        }
    }

    /// The windows that read `day`: it lies in them, or in their look-back of `look_back_days` before the window's end.
    pub fn reading(self, day: Day, look_back_days: i32) -> Vec<Window> {
        let mut window = self.ending_after(day);
        let mut windows = Vec::new();
        while window.end.plus(-window.length().max(look_back_days)) <= day {
            windows.push(window);
            window = self.ending_after(window.end);
        }
        windows
    }

    /// The window with the smallest end after `day`.
    fn ending_after(self, day: Day) -> Window {
        let end = match self {
            Self::D1 | Self::H7 => day.plus(1),
            Self::W1 | Self::H28 => day.monday().plus(7),
            Self::MO => {
                let first = first_of_month(day);
                Day::from_date(
                    first
                        .date()
                        .checked_add_months(Months::new(1))
                        .unwrap_or(NaiveDate::MAX),
                )
            }
        };
        let first = match self {
            Self::D1 => day,
            Self::W1 | Self::H7 => end.plus(-7),
            Self::H28 => end.plus(-28),
            Self::MO => first_of_month(day),
        };
        Window {
            kind: self,
            first,
            end,
        }
    }
}

fn first_of_month(day: Day) -> Day {
    let date = day.date();
    day.plus(1 - date.day() as i32)
}

impl fmt::Display for WindowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WindowKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::D1, Self::W1, Self::MO, Self::H7, Self::H28]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("unknown window kind={text}; known: D1, W1, MO, H7, H28"))
    }
}

impl Window {
    /// Days from first to end.
    pub fn length(self) -> i32 {
        self.end.0 - self.first.0
    }

    /// The first instant of its first day.
    pub fn starts_at(self, zone: Zone) -> TimestampMs {
        zone.start_of(self.first)
    }

    /// The first instant after it.
    pub fn ends_at(self, zone: Zone) -> TimestampMs {
        zone.start_of(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::from_date(text.parse().unwrap())
    }

    fn reading(kind: WindowKind, at: &str, look_back: i32) -> Vec<(String, String)> {
        kind.reading(day(at), look_back)
            .into_iter()
            .map(|w| (w.first.date().to_string(), w.end.date().to_string()))
            .collect()
    }

    #[test]
    fn windows_of_each_kind() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            reading(WindowKind::D1, "2026-02-28", 0),
            [pair("2026-02-28", "2026-03-01")]
        );
        assert_eq!(
            reading(WindowKind::W1, "2026-11-22", 0),
            [pair("2026-11-16", "2026-11-23")]
        );
        assert_eq!(
            reading(WindowKind::MO, "2026-12-31", 0),
            [pair("2026-12-01", "2027-01-01")]
        );
        assert_eq!(reading(WindowKind::H7, "2026-01-05", 0).len(), 7);
        let hops = reading(WindowKind::H28, "2026-01-05", 0);
        assert_eq!(hops.len(), 4);
        assert_eq!(hops[0], pair("2025-12-15", "2026-01-12"));
        assert_eq!(hops[3], pair("2026-01-05", "2026-02-02"));
    }

    #[test]
    fn a_look_back_reaches_later_windows() {
        let weeks = reading(WindowKind::W1, "2026-01-07", 28);
        assert_eq!(weeks.len(), 4);
        assert_eq!(weeks[3].1, "2026-02-02");
    }
}
