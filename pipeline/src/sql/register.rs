//! The functions by name, and how a context learns of them.

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;

use super::arithmetic::Arithmetic;
use super::casts::CastsDoNotFail;
use super::checked::CheckedOperators;
use super::exact::ExactOperators;
use super::local_time::LocalTime;
use super::sum::ExactSum;
use super::{aggregate, scalar};

/// Makes every function of this module known to the context, and lets it count as `arithmetic` says.
pub fn register_all(ctx: &mut SessionContext, arithmetic: Arithmetic) {
    for function in scalar_functions(arithmetic) {
        ctx.register_udf(function);
    }
    for function in aggregate_functions(arithmetic) {
        ctx.register_udaf(function);
    }
    match arithmetic {
        Arithmetic::Checked => {
            ctx.add_analyzer_rule(Arc::new(CheckedOperators));
            ctx.add_analyzer_rule(Arc::new(LocalTime));
        }
        Arithmetic::Exact | Arithmetic::Linear => {
            let registered = datafusion::execution::FunctionRegistry::register_expr_planner(
                ctx,
                Arc::new(ExactOperators),
            );
            debug_assert!(registered.is_ok(), "a session keeps every planner");
            ctx.add_analyzer_rule(Arc::new(CastsDoNotFail));
        }
    }
}

/// `mul_half_up`, `div_half_up`, `ratio`.
fn scalar_functions(arithmetic: Arithmetic) -> Vec<ScalarUDF> {
    scalar::Operation::ALL
        .map(|operation| ScalarUDF::new_from_impl(scalar::ExactBinary::new(operation, arithmetic)))
        .into()
}

/// `median_exact`, `slope_per_step`, and `sum` in place of the built-in one.
fn aggregate_functions(arithmetic: Arithmetic) -> Vec<AggregateUDF> {
    vec![
        AggregateUDF::new_from_impl(aggregate::MedianExact::new(arithmetic)),
        AggregateUDF::new_from_impl(aggregate::SlopePerStep::new()),
        AggregateUDF::new_from_impl(ExactSum::new(arithmetic)),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use arrow::util::display::array_value_to_string;

    fn context() -> SessionContext {
        let mut ctx = SessionContext::new();
        register_all(&mut ctx, Arithmetic::Checked);
        ctx
    }

    /// The single value of a query, as text; an error's text if it fails.
    async fn value(sql: &str) -> String {
        let batches = match context().sql(sql).await {
            Ok(frame) => frame.collect().await,
            Err(error) => Err(error),
        };
        match batches {
            Ok(batches) => array_value_to_string(batches[0].column(0), 0).unwrap(),
            Err(error) => error.strip_backtrace(),
        }
    }

    #[tokio::test]
    async fn scalar_functions_from_sql() {
        for (sql, expected) in [
            ("SELECT mul_half_up(3, 1250)", "3750.000000"),
            (
                "SELECT mul_half_up(CAST(0.5 AS DECIMAL(38,6)), CAST(0.000001 AS DECIMAL(38,6)))",
                "0.000001",
            ),
            ("SELECT mul_half_up(NULL, 2)", ""),
            ("SELECT div_half_up(2, 3)", "0.666667"),
            ("SELECT div_half_up(-2, 3)", "-0.666667"),
            ("SELECT div_half_up(1, 0)", ""),
            (
                "SELECT div_half_up(CAST(10 AS DECIMAL(38,6)), CAST(2.5 AS DECIMAL(3,1)))",
                "4.000000",
            ),
            ("SELECT ratio(1, 3)", "0.3333333333333333"),
            ("SELECT ratio(CAST(1 AS DECIMAL(38,6)), 4)", "0.25"),
            ("SELECT ratio(1, 0)", ""),
            ("SELECT ratio(NULL, 1)", ""),
            (
                "SELECT ratio(sum(a), sum(b)) FROM (VALUES (1, 3), (1, 3)) t(a, b)",
                "0.3333333333333333",
            ),
        ] {
            assert_eq!(value(sql).await, expected, "{sql}");
        }
        assert_eq!(
            value("SELECT arrow_typeof(div_half_up(1, 3))").await,
            "Decimal128(38, 6)"
        );
    }

    #[tokio::test]
    async fn columns_and_constants_mix() {
        let sql = "SELECT sum(mul_half_up(q, 2)) + sum(div_half_up(10, q)) FROM (VALUES (1), (4), (NULL)) t(q)";
        assert_eq!(value(sql).await, "22.500000");
    }

    #[tokio::test]
    async fn what_does_not_fit_is_an_error_and_not_a_wrong_number() {
        let big = "99999999999999999999999999999999.999999";
        let error = value(&format!(
            "SELECT mul_half_up(CAST('{big}' AS DECIMAL(38,6)), 2)"
        ))
        .await;
        assert!(error.contains("does not fit DECIMAL(38, 6)"), "{error}");
        let error = value("SELECT mul_half_up(CAST(0.1 AS DOUBLE), 2)").await;
        assert!(
            error.contains("takes integers and decimals, not Float64"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn medians() {
        for (values, expected) in [
            ("(1), (2), (4)", "2.000000"),
            ("(1), (2)", "1.500000"),
            ("(0.000001), (0.000002)", "0.000002"), // the built-in gives 0.000001
            ("(-0.000001), (-0.000002)", "-0.000002"),
            ("(3), (NULL), (1)", "2.000000"),
            ("(CAST(NULL AS BIGINT))", ""),
        ] {
            let sql = format!(
                "SELECT median_exact(CAST(x AS DECIMAL(38,6))) FROM (VALUES {values}) t(x)"
            );
            assert_eq!(value(&sql).await, expected, "{sql}");
        }
        assert_eq!(
            value("SELECT median_exact(x) FROM (VALUES (1), (2)) t(x)").await,
            "1.500000"
        );
        assert_eq!(
            value("SELECT median_exact(DISTINCT x) FROM (VALUES (1), (1), (2)) t(x)").await,
            "1.500000"
        );
    }

    #[tokio::test]
    async fn a_median_per_group_in_parallel_partitions() {
        let ctx = context();
        let sql = "SELECT k, median_exact(x) AS m FROM (SELECT v % 3 AS k, v AS x FROM generate_series(1, 9000) s(v)) \
                   GROUP BY k ORDER BY k";
        let batches = ctx.sql(sql).await.unwrap().collect().await.unwrap();
        let medians: Vec<String> = (0..3)
            .map(|row| array_value_to_string(batches[0].column(1), row).unwrap())
            .collect();
        assert_eq!(medians, ["4501.500000", "4499.500000", "4500.500000"]);
    }

    #[tokio::test]
    async fn slopes_agree_with_python() {
        // Expected value: the same sums over Python's `fractions.Fraction`, then `float`.
        let weeks = "(2871, 0.91), (2872, 0.93), (2873, 0.90), (2874, 0.95), (2875, 0.97), (2876, 0.96), (2877, 0.99), (2878, 0.98)";
        let sql = format!("SELECT slope_per_step(x, y) FROM (VALUES {weeks}) t(x, y)");
        let slope: f64 = value(&sql).await.parse().unwrap();
        assert!((slope - 0.011_785_714_285_714_287).abs() < 1e-15, "{slope}");
        assert_eq!(value("SELECT slope_per_step(x, y) FROM (VALUES (1, 2.0), (2, 4.0), (NULL, 9.0), (4, NULL)) t(x, y)").await, "2.0");
        assert_eq!(
            value("SELECT slope_per_step(x, y) FROM (VALUES (1, 2.0)) t(x, y)").await,
            ""
        );
        assert_eq!(
            value("SELECT slope_per_step(x, y) FROM (VALUES (1, 2.0), (1, 5.0)) t(x, y)").await,
            ""
        );
    }

    #[tokio::test]
    async fn a_slope_does_not_depend_on_the_order_of_rows() {
        let mut rows: Vec<String> = (0..8)
            .map(|x| format!("({x}, {})", (x * 7 % 5) as f64 / 3.0))
            .collect();
        let forward = value(&format!(
            "SELECT slope_per_step(x, y) FROM (VALUES {}) t(x, y)",
            rows.join(",")
        ))
        .await;
        for turn in 1..8 {
            rows.rotate_left(turn);
            let turned = value(&format!(
                "SELECT slope_per_step(x, y) FROM (VALUES {}) t(x, y)",
                rows.join(",")
            ))
            .await;
            assert_eq!(turned, forward, "turned by {turn}");
        }
    }

    #[test]
    fn every_function_is_documented() {
        assert!(
            scalar_functions(Arithmetic::Checked)
                .iter()
                .all(|f| f.documentation().is_some())
        );
        assert!(
            aggregate_functions(Arithmetic::Checked)
                .iter()
                .all(|f| f.documentation().is_some())
        );
    }
}
