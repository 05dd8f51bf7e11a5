//! Instants and lengths of time in milliseconds, and the only conversions between them and other units.
//!
//! All arithmetic saturates. Events may lie anywhere up to the end of the year 9998 (K25), bounds and lateness come from
//! configuration: an instant that leaves 64 bits stays at [`TimestampMs::MIN`] or [`TimestampMs::MAX`], where it still compares
//! correctly, and never panics or wraps around.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

const MICROS_PER_MS: i64 = 1_000;

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
///
/// Shown in RFC 3339, in UTC with milliseconds; beyond the years that chrono knows, as its number. In JSON and in stored
/// records it is the number.
///
/// ```
/// use schemas::time::{DurationMs, TimestampMs};
///
/// let placed_at = TimestampMs::from_ms(1_767_661_200_000);
/// assert_eq!(placed_at.to_string(), "2026-01-06T01:00:00.000Z");
/// let due_at = placed_at + DurationMs::from_minutes(30);
/// assert_eq!(due_at - placed_at, DurationMs::MINUTE * 30);
/// // Arithmetic saturates.
/// assert_eq!(TimestampMs::MAX + DurationMs::DAY, TimestampMs::MAX);
/// ```
#[derive(Copy, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimestampMs(i64);

impl TimestampMs {
    /// Before every instant of an event.
    pub const MIN: Self = Self(i64::MIN);
    /// After every instant of an event.
    pub const MAX: Self = Self(i64::MAX);

    #[inline]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    #[inline]
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// The millisecond that contains an instant in microseconds: rounds towards the past, also before 1970.
    #[inline]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros.div_euclid(MICROS_PER_MS))
    }

    /// Microseconds since 1970, the unit of Arrow columns; saturates outside the years -290307 to 294247.
    #[inline]
    pub const fn as_micros(self) -> i64 {
        self.0.saturating_mul(MICROS_PER_MS)
    }

    /// The millisecond that contains `at`.
    pub fn from_datetime(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }

    /// `None` outside the years that chrono knows (about 262,000 on either side).
    pub fn to_datetime(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.0)
    }
}

impl fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_datetime() {
            Some(at) => f.pad(&at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl fmt::Debug for TimestampMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A length of time in milliseconds, negative if it points into the past.
///
/// Shown as a number with its unit, `300000ms`. In JSON and in stored records it is the number.
#[derive(Copy, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationMs(i64);

impl DurationMs {
    pub const ZERO: Self = Self(0);
    pub const SECOND: Self = Self(1_000);
    pub const MINUTE: Self = Self::from_secs(60);
    pub const HOUR: Self = Self::from_minutes(60);
    /// 24 hours; a local day in a zone with summer time may have 23 or 25.
    pub const DAY: Self = Self::from_hours(24);

    #[inline]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    #[inline]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(Self::SECOND.0))
    }

    #[inline]
    pub const fn from_minutes(minutes: i64) -> Self {
        Self(minutes.saturating_mul(Self::MINUTE.0))
    }

    #[inline]
    pub const fn from_hours(hours: i64) -> Self {
        Self(hours.saturating_mul(Self::HOUR.0))
    }

    #[inline]
    pub const fn from_days(days: i64) -> Self {
        Self(days.saturating_mul(Self::DAY.0))
    }

    #[inline]
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Its length, whichever way it points; saturates.
    #[inline]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// Whole milliseconds of a duration; saturates.
    pub fn from_std(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }

    /// The same as a standard duration, which has no sign: zero if this points into the past.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl fmt::Display for DurationMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

impl fmt::Debug for DurationMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Sub for TimestampMs {
    type Output = DurationMs;

    #[inline]
    fn sub(self, earlier: Self) -> DurationMs {
        DurationMs(self.0.saturating_sub(earlier.0))
    }
}

impl Add<DurationMs> for TimestampMs {
    type Output = Self;

    #[inline]
    fn add(self, duration: DurationMs) -> Self {
        Self(self.0.saturating_add(duration.0))
    }
}

impl Sub<DurationMs> for TimestampMs {
    type Output = Self;

    #[inline]
    fn sub(self, duration: DurationMs) -> Self {
        Self(self.0.saturating_sub(duration.0))
    }
}

impl AddAssign<DurationMs> for TimestampMs {
    #[inline]
    fn add_assign(&mut self, duration: DurationMs) {
        *self = *self + duration;
    }
}

impl SubAssign<DurationMs> for TimestampMs {
    #[inline]
    fn sub_assign(&mut self, duration: DurationMs) {
        *self = *self - duration;
    }
}

impl Add for DurationMs {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for DurationMs {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for DurationMs {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for DurationMs {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Mul<i64> for DurationMs {
    type Output = Self;

    #[inline]
    fn mul(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl Mul<DurationMs> for i64 {
    type Output = DurationMs;

    #[inline]
    fn mul(self, duration: DurationMs) -> DurationMs {
        duration * self
    }
}

impl Neg for DurationMs {
    type Output = Self;

    #[inline]
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Beyond every instant that an event may carry (K25).
    const END_OF_9999: TimestampMs = TimestampMs::from_ms(253_402_300_799_999);

    #[test]
    fn arithmetic_is_exact_within_64_bits() {
        let at = TimestampMs::from_ms(1_000);
        let mut moved = at;
        moved += DurationMs::from_ms(500);
        assert_eq!(moved.as_ms(), 1_500);
        moved -= DurationMs::SECOND * 2;
        assert_eq!(moved.as_ms(), -500);
        assert_eq!(at - moved, DurationMs::from_ms(1_500));
        assert_eq!(moved - at, -DurationMs::from_ms(1_500));
        let mut length = DurationMs::HOUR - DurationMs::MINUTE;
        length += DurationMs::MINUTE;
        length -= DurationMs::from_secs(600);
        assert_eq!(length, DurationMs::from_minutes(50));
        assert!(moved < at && -DurationMs::DAY < DurationMs::ZERO);
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let (longest, shortest) = (DurationMs::from_ms(i64::MAX), DurationMs::from_ms(i64::MIN));
        assert_eq!(TimestampMs::MAX + DurationMs::SECOND, TimestampMs::MAX);
        assert_eq!(TimestampMs::MIN - DurationMs::SECOND, TimestampMs::MIN);
        assert_eq!(TimestampMs::MIN + shortest, TimestampMs::MIN);
        assert_eq!(TimestampMs::MAX - shortest, TimestampMs::MAX);
        assert_eq!(TimestampMs::MAX - TimestampMs::MIN, longest);
        assert_eq!(TimestampMs::MIN - TimestampMs::MAX, shortest);
        assert_eq!(longest + longest, longest);
        assert_eq!(shortest - longest, shortest);
        assert_eq!(2 * longest, longest * 2);
        assert_eq!(longest * 2, longest);
        assert_eq!(longest * -2, shortest);
        assert_eq!(-shortest, longest);
        assert_eq!(DurationMs::from_days(i64::MAX), longest);
        assert_eq!(DurationMs::from_secs(i64::MIN), shortest);
        // An event's instant and any bound that a configuration may hold.
        assert!(END_OF_9999 + longest > END_OF_9999);
        assert!(END_OF_9999 - longest < TimestampMs::default());
    }

    #[test]
    fn microseconds_saturate_upwards_and_round_towards_the_past() {
        let table = [
            (0, 0),
            (999, 0),
            (1_000, 1),
            (-1, -1),
            (-1_000, -1),
            (-1_001, -2),
        ];
        for (micros, ms) in table {
            assert_eq!(TimestampMs::from_micros(micros).as_ms(), ms, "{micros}");
        }
        assert_eq!(TimestampMs::from_ms(-2).as_micros(), -2_000);
        assert_eq!(TimestampMs::MAX.as_micros(), i64::MAX);
        assert_eq!(TimestampMs::MIN.as_micros(), i64::MIN);
        assert_eq!(
            TimestampMs::from_micros(END_OF_9999.as_micros()),
            END_OF_9999
        );
    }

    #[test]
    fn text_is_rfc_3339_or_the_number() {
        assert_eq!(
            TimestampMs::default().to_string(),
            "1970-01-01T00:00:00.000Z"
        );
        assert_eq!(
            format!("{:?}", TimestampMs::from_ms(-1)),
            "1969-12-31T23:59:59.999Z"
        );
        assert_eq!(END_OF_9999.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(TimestampMs::MAX.to_string(), i64::MAX.to_string());
        assert_eq!(format!("{:?}", TimestampMs::MIN), i64::MIN.to_string());
        assert_eq!(format!("{:?}", -DurationMs::MINUTE), "-60000ms");
    }

    #[test]
    fn datetimes_convert_both_ways() {
        let at = DateTime::parse_from_rfc3339("1969-12-31T23:59:59.9985Z").unwrap();
        let at = TimestampMs::from_datetime(at.to_utc());
        assert_eq!(at, TimestampMs::from_ms(-2));
        assert_eq!(at.to_datetime().map(TimestampMs::from_datetime), Some(at));
        assert_eq!(TimestampMs::MAX.to_datetime(), None);
        assert_eq!(TimestampMs::MIN.to_datetime(), None);
    }

    #[test]
    fn std_durations_round_down_and_saturate() {
        assert_eq!(
            DurationMs::from_std(Duration::from_micros(1_999)).as_ms(),
            1
        );
        assert_eq!(DurationMs::from_std(Duration::MAX).as_ms(), i64::MAX);
        assert_eq!(DurationMs::SECOND.to_std(), Duration::from_secs(1));
        assert_eq!((-DurationMs::SECOND).to_std(), Duration::ZERO);
    }

    #[test]
    fn json_is_the_plain_number() {
        let at = TimestampMs::from_ms(1_767_661_200_000);
        assert_eq!(serde_json::to_string(&at).unwrap(), "1767661200000");
        assert_eq!(
            serde_json::from_str::<TimestampMs>("1767661200000").unwrap(),
            at
        );
        assert_eq!(serde_json::to_string(&DurationMs::SECOND).unwrap(), "1000");
    }
}
