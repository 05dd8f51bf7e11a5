//! Instants in local time, for people.

use chrono::DateTime;
use chrono_tz::Tz;

/// An instant in a zone; `-` for one that no calendar has.
pub(crate) fn local(instant_ms: i64, zone: Tz, format: &str) -> String {
    DateTime::from_timestamp_millis(instant_ms).map_or_else(
        || "-".to_owned(),
        |instant| instant.with_timezone(&zone).format(format).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_its_zone() {
        let local = |ms| local(ms, chrono_tz::Asia::Shanghai, "%Y-%m-%d %H:%M:%S");
        assert_eq!(local(1_767_542_400_000), "2026-01-05 00:00:00");
        assert_eq!(local(i64::MAX), "-");
    }
}
