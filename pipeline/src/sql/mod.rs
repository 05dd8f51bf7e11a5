//! SQL functions that metric queries and readers share: exact where SQL's own are not.
//!
//! | function | result | why not the built-in |
//! |---|---|---|
//! | `mul_half_up(a, b)` | DECIMAL(38,6) | `a * b` on decimals changes precision with its operands and refuses beyond 38 digits |
//! | `div_half_up(a, b)` | DECIMAL(38,6), NULL if `b = 0` | `a / b` cuts off and fails on zero |
//! | `ratio(a, b)` | DOUBLE, NULL if `b = 0` | converts each operand first and so rounds three times |
//! | `median_exact(x)` | DECIMAL(38,6) | `median` cuts off the half of the middle two |
//! | `slope_per_step(x, y)` | DOUBLE per unit of `x` | `regr_slope` depends on the order of its input: a revision out of nothing |
//!
//! Arguments are integers or decimals of any scale; floating-point arguments are refused (but for the `y` of a slope).
//! NULL in, NULL out for the scalar ones; the aggregates skip NULL. All are deterministic and independent of the order of
//! rows, because rows whose hash is unchanged keep their revision.
//!
//! `sum` and the operators never wrap around (K25): [`Arithmetic`] says what becomes of a number that leaves its type.

mod aggregate;
mod arithmetic;
mod casts;
mod checked;
pub mod decimal;
mod exact;
#[cfg(test)]
pub(crate) mod fixture;
mod list_state;
mod local_time;
mod register;
mod rewrite;
mod scalar;
mod signature;
mod sum;

pub use arithmetic::Arithmetic;
pub use register::register_all;
pub(crate) use rewrite::rewrite_expressions;
