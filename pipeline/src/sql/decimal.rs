//! Exact decimal arithmetic: DECIMAL(38, 6) results from decimals of any scale, with 256 bits in between.
//!
//! *Half up* rounds a tie away from zero (Python's `ROUND_HALF_UP`), so that `f(-x) = -f(x)`: a fact that is retracted
//! with weight −1 retracts exactly what it added.

use arrow::datatypes::i256;

/// Digits after the point of every derived quantity and sum of money (contract 5).
pub const SCALE: i8 = 6;

/// Digits of a DECIMAL(38, 6).
pub const PRECISION: u8 = 38;

/// Largest absolute raw value of a DECIMAL(38, …).
const MAX_RAW: i128 = 10i128.pow(PRECISION as u32) - 1;

/// What stands in a DECIMAL(38, …) of a round for a number that it cannot hold: no number has this raw value. What is computed
/// from it is it again, so that it cannot be taken for a number, and its row shows NULL (K25).
pub const BEYOND: i128 = i128::MAX;

/// Whether the raw value of a DECIMAL(38, …) is no number, see [`BEYOND`].
pub fn is_beyond(raw: i128) -> bool {
    raw.unsigned_abs() > MAX_RAW.unsigned_abs()
}

/// The raw value of a DECIMAL(38, …), [`BEYOND`] if the number does not fit.
pub fn saturate(value: i256) -> i128 {
    fit(value).unwrap_or(BEYOND)
}

/// A raw value as a summand. [`BEYOND`] is 2^160: no sum of numbers reaches it, so only its own retraction takes it out.
pub(super) fn summand(raw: i128) -> i256 {
    if is_beyond(raw) {
        i256::from_parts(0, 1 << 32)
    } else {
        i256::from_i128(raw)
    }
}

/// A decimal as Arrow stores it: `raw / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaled {
    pub raw: i128,
    pub scale: i8,
}

/// `a × b` at six places, half up; `None` if it does not fit DECIMAL(38, 6).
pub fn mul_half_up(a: Scaled, b: Scaled) -> Option<i128> {
    let product = i256::from_i128(a.raw).checked_mul(i256::from_i128(b.raw))?;
    rescale(product, i32::from(a.scale) + i32::from(b.scale))
}

/// `a ÷ b` at six places, half up; `b` is not zero. `None` if it does not fit DECIMAL(38, 6).
pub fn div_half_up(a: Scaled, b: Scaled) -> Option<i128> {
    let (numerator, denominator) = fraction(a, b)?;
    let numerator = numerator.checked_mul(power_of_ten(i32::from(SCALE))?)?;
    fit(quotient_half_up(numerator, denominator)?)
}

/// `a` at six places, half up.
pub fn to_six_places(a: Scaled) -> Option<i128> {
    rescale(i256::from_i128(a.raw), i32::from(a.scale))
}

/// The mean of two raw values of one scale, half up at that scale.
pub fn mean_of_two(a: i128, b: i128) -> Option<i128> {
    let sum = i256::from_i128(a).checked_add(i256::from_i128(b))?;
    fit(quotient_half_up(sum, i256::from_i128(2))?)
}

/// The double nearest to the rational `a ÷ b` (ties to even); `b` is not zero. `None` only beyond 256 bits.
pub fn nearest_double(a: Scaled, b: Scaled) -> Option<f64> {
    let (numerator, denominator) = fraction(a, b)?;
    let negative = numerator.is_negative() != denominator.is_negative();
    let magnitude = nearest_positive(numerator.checked_abs()?, denominator.checked_abs()?)?;
    Some(if negative && magnitude != 0.0 {
        -magnitude
    } else {
        magnitude
    })
}

/// Two integers with the quotient of the two decimals.
fn fraction(a: Scaled, b: Scaled) -> Option<(i256, i256)> {
    let shift = i32::from(b.scale) - i32::from(a.scale);
    let (numerator, denominator) = (i256::from_i128(a.raw), i256::from_i128(b.raw));
    if shift >= 0 {
        Some((numerator.checked_mul(power_of_ten(shift)?)?, denominator))
    } else {
        Some((numerator, denominator.checked_mul(power_of_ten(-shift)?)?))
    }
}

fn rescale(value: i256, scale: i32) -> Option<i128> {
    let surplus = scale - i32::from(SCALE);
    if surplus <= 0 {
        return fit(value.checked_mul(power_of_ten(-surplus)?)?);
    }
    fit(quotient_half_up(value, power_of_ten(surplus)?)?)
}

fn quotient_half_up(numerator: i256, denominator: i256) -> Option<i256> {
    let quotient = numerator.checked_div(denominator)?;
    let remainder = numerator.checked_rem(denominator)?.checked_abs()?;
    // remainder ≥ |denominator| − remainder says 2 × remainder ≥ |denominator| without overflow.
    if remainder < denominator.checked_abs()?.checked_sub(remainder)? {
        return Some(quotient);
    }
    if numerator.is_negative() == denominator.is_negative() {
        quotient.checked_add(i256::ONE)
    } else {
        quotient.checked_sub(i256::ONE)
    }
}

fn fit(value: i256) -> Option<i128> {
    value.to_i128().filter(|raw| !is_beyond(*raw))
}

fn power_of_ten(exponent: i32) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::try_from(exponent).ok()?)
}

fn nearest_positive(numerator: i256, denominator: i256) -> Option<f64> {
    if let (Some(a), Some(b)) = (exact_double(numerator), exact_double(denominator)) {
        return Some(a / b); // IEEE division of two exact operands is the nearest double.
    }
    // Long division: at least 55 bits of quotient, and a last bit that says whether anything is left. Rounding that
    // integer to 53 bits rounds the rational.
    let shift = (55 + bits(denominator) - bits(numerator)).max(0);
    let numerator = numerator.checked_mul(power_of_two(shift)?)?;
    let quotient = numerator.checked_div(denominator)?;
    let rest = numerator.checked_rem(denominator)?;
    let surplus = (bits(quotient) - 64).max(0);
    let unit = power_of_two(surplus)?;
    let head = quotient.checked_div(unit)?;
    let exact = rest == i256::ZERO && quotient.checked_rem(unit)? == i256::ZERO;
    let head = u64::try_from(head.to_i128()?).ok()? | u64::from(!exact);
    Some(head as f64 * 2f64.powi(surplus - shift))
}

/// The integer as a double, if it has one.
fn exact_double(value: i256) -> Option<f64> {
    const LIMIT: i128 = 1 << 53;
    value.to_i128().filter(|v| *v <= LIMIT).map(|v| v as f64)
}

fn bits(value: i256) -> i32 {
    256 - value.leading_zeros() as i32
}

fn power_of_two(exponent: i32) -> Option<i256> {
    i256::from_i128(2).checked_pow(u32::try_from(exponent).ok()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn d(raw: i128, scale: i8) -> Scaled {
        Scaled { raw, scale }
    }

    #[test]
    fn products_round_half_up_away_from_zero() {
        assert_eq!(mul_half_up(d(5, 1), d(1, 6)), Some(1)); // 0.5 × 0.000001
        assert_eq!(mul_half_up(d(-5, 1), d(1, 6)), Some(-1));
        assert_eq!(mul_half_up(d(4, 1), d(1, 6)), Some(0));
        assert_eq!(mul_half_up(d(7, 0), d(1250, 0)), Some(8_750_000_000));
        assert_eq!(mul_half_up(d(MAX_RAW, 6), d(MAX_RAW, 6)), None);
    }

    #[test]
    fn what_is_beyond_stays_beyond_until_it_is_taken_back() {
        let sum = |raws: &[i128]| {
            saturate(
                raws.iter()
                    .fold(i256::ZERO, |sum, raw| sum.wrapping_add(summand(*raw))),
            )
        };
        assert_eq!(sum(&[MAX_RAW, 1, -1]), MAX_RAW);
        assert_eq!(sum(&[MAX_RAW, 1]), BEYOND);
        assert_eq!(sum(&[-MAX_RAW, -1]), BEYOND);
        assert_eq!(sum(&[BEYOND, -MAX_RAW, -MAX_RAW, -MAX_RAW]), BEYOND);
        assert_eq!(sum(&[BEYOND, BEYOND, i128::MIN]), BEYOND);
        assert_eq!(saturate(summand(BEYOND).wrapping_sub(summand(BEYOND))), 0);
        assert!(is_beyond(BEYOND) && !is_beyond(MAX_RAW) && !is_beyond(-MAX_RAW));
    }

    #[test]
    fn quotients_round_half_up_at_six_places() {
        assert_eq!(div_half_up(d(1, 0), d(3, 0)), Some(333_333));
        assert_eq!(div_half_up(d(2, 0), d(3, 0)), Some(666_667));
        assert_eq!(div_half_up(d(1, 6), d(2, 0)), Some(1)); // 0.0000005
        assert_eq!(div_half_up(d(-1, 6), d(2, 0)), Some(-1));
        assert_eq!(div_half_up(d(10, 0), d(25, 1)), Some(4_000_000)); // 10 ÷ 2.5
        assert_eq!(div_half_up(d(25, 1), d(10, 0)), Some(250_000));
    }

    #[test]
    fn a_mean_rounds_the_last_place_up() {
        assert_eq!(mean_of_two(1, 2), Some(2));
        assert_eq!(mean_of_two(-1, -2), Some(-2));
        assert_eq!(mean_of_two(-1, 2), Some(1));
        assert_eq!(mean_of_two(3, 5), Some(4));
        assert_eq!(mean_of_two(MAX_RAW, MAX_RAW), Some(MAX_RAW));
    }

    #[test]
    fn six_places_from_any_scale() {
        assert_eq!(to_six_places(d(12, 0)), Some(12_000_000));
        assert_eq!(to_six_places(d(12_345_675, 7)), Some(1_234_568));
        assert_eq!(to_six_places(d(3, -2)), Some(300_000_000));
    }

    #[test]
    fn ratios_are_the_nearest_doubles() {
        assert_eq!(nearest_double(d(1, 0), d(3, 0)), Some(1.0 / 3.0));
        assert_eq!(nearest_double(d(-1, 0), d(3, 0)), Some(-1.0 / 3.0));
        assert_eq!(
            nearest_double(d(0, 6), d(-7, 0)).map(f64::to_bits),
            Some(0f64.to_bits())
        );
        assert_eq!(nearest_double(d(15, 1), d(5, 0)), Some(0.3));
        // Expected values: Python, `float(Fraction(a, b))`.
        let (a, b) = (
            d(123_456_789_012_345_678_901_234_567, 6),
            d(987_654_321_098_765_432_109_876, 3),
        );
        assert_eq!(nearest_double(a, b), Some(0.124_999_998_860_937_5));
        assert_eq!(
            nearest_double(d((1 << 60) + 1, 0), d(1, 0)),
            Some((1u64 << 60) as f64)
        );
        // Exactly half-way between two doubles goes to the even one; a trace above it goes up.
        assert_eq!(
            nearest_double(d((1 << 53) + 1, 0), d(1, 0)),
            Some(9_007_199_254_740_992.0)
        );
        assert_eq!(
            nearest_double(d(((1 << 53) + 1) * 1000 + 1, 3), d(1, 0)),
            Some(9_007_199_254_740_994.0)
        );
        assert_eq!(
            nearest_double(d(1, 0), d(10i128.pow(37) + 1, 0)),
            Some(1e-37)
        );
    }
}
