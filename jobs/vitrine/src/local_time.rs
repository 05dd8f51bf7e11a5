//! Instants in local time, for people.

use chrono_tz::Tz;
use schemas::time::TimestampMs;

/// An instant in a zone; `-` for one that no calendar has.
pub(crate) fn local(instant: TimestampMs, zone: Tz, format: &str) -> String {
    instant.to_datetime().map_or_else(
        || "-".to_owned(),
        |instant| instant.with_timezone(&zone).format(format).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
