//! Instants in local time, for people.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use schemas::time::TimestampMs;

/// An instant in a zone; `-` for one that no calendar has.
pub(crate) fn local(instant: TimestampMs, zone: Tz, format: &str) -> String {
    instant.to_datetime().map_or_else(
        || "-".to_owned(),
        |instant| instant.with_timezone(&zone).format(format).to_string(),
    )
}

/// An instant of a command line.
pub(crate) fn parse_instant(text: &str) -> Result<DateTime<Utc>, String> {
    text.parse()
        .map_err(|_| "not an instant like 2026-01-12T00:00:00+08:00".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_of_a_command_line_has_date_time_and_zone() {
        let at = parse_instant("2026-01-05T00:00:00+08:00").unwrap();
        assert_eq!(TimestampMs::from_datetime(at).as_ms(), 1_767_542_400_000);
        for text in ["2026-01-05", "soon", ""] {
            assert!(
                parse_instant(text).unwrap_err().contains("2026-01-12T00"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_instant_is_shown_in_its_zone() {
        let local = |instant| local(instant, chrono_tz::Asia::Shanghai, "%Y-%m-%d %H:%M:%S");
        assert_eq!(
            local(TimestampMs::from_ms(1_767_542_400_000)),
            "2026-01-05 00:00:00"
        );
        assert_eq!(local(TimestampMs::MAX), "-");
    }
}
