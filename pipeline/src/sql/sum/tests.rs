#![allow(clippy::unwrap_used)]

use arrow::util::display::array_value_to_string;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;
use crate::sql::register_all;

/// The values of the first column as text, NULL as nothing; an error's text if the query fails. `partitions` are merged.
async fn answer(arithmetic: Arithmetic, partitions: usize, sql: &str) -> String {
    let config = SessionConfig::new().with_target_partitions(partitions);
    let mut context = SessionContext::new_with_config(config);
    register_all(&mut context, arithmetic);
    let batches = match context.sql(sql).await {
        Ok(frame) => frame.collect().await,
        Err(error) => Err(error),
    };
    match batches {
        Ok(batches) => {
            let cells = batches.iter().flat_map(|batch| {
                (0..batch.num_rows())
                    .map(|row| array_value_to_string(batch.column(0), row).unwrap())
            });
            cells.collect::<Vec<_>>().join(" ")
        }
        Err(error) => error.strip_backtrace(),
    }
}

const MAX: &str = "9223372036854775807";

#[tokio::test]
async fn k25_no_sum_of_a_round_wraps() {
    for (sql, expected) in [
        (
            "SELECT SUM(x) FROM (VALUES ($), ($)) t(x)",
            "18446744073709551614",
        ),
        (
            "SELECT SUM(DISTINCT x) FROM (VALUES ($), ($), (1)) t(x)",
            "9223372036854775808",
        ),
        (
            "SELECT SUM(x) OVER (ORDER BY n ROWS 1 PRECEDING) FROM (VALUES (1, $), (2, $), (3, 1)) t(n, x) ORDER BY n",
            "9223372036854775807 18446744073709551614 9223372036854775808",
        ),
        (
            "SELECT SUM(x) OVER (ORDER BY n ROWS 1 PRECEDING) FROM (VALUES (1, 5), (2, NULL), (3, NULL)) t(n, x) ORDER BY n",
            "5 5 ",
        ),
        (
            "SELECT SUM(x + 1) FROM (VALUES ($), ($)) t(x)",
            "18446744073709551616",
        ),
        (
            "SELECT SUM(x) FROM (VALUES (CAST(NULL AS BIGINT))) t(x)",
            "",
        ),
        (
            "SELECT SUM(x) FILTER (WHERE x > 1) FROM (VALUES (1), (2), (3)) t(x)",
            "5",
        ),
        ("SELECT $ + 1", "9223372036854775808"),
        ("SELECT -$ - 2", "-9223372036854775809"),
        ("SELECT $ * $", "85070591730234615847396907784232501249"),
        ("SELECT 7 / 2", "3"),
        ("SELECT -7 / 2", "-3"),
        ("SELECT ($ + $) / 2", "9223372036854775807"),
        ("SELECT -7 % 2", "-1"),
        ("SELECT 1 / 0", ""),
        ("SELECT CAST($ + 1 AS BIGINT)", ""),
        ("SELECT SUM(0.5)", "0.5"),
        ("SELECT 1.5 + 1", "2.5"),
        ("SELECT 1.5 * 1.5", "2.25"),
        (
            "SELECT arrow_typeof(SUM(x)) FROM (VALUES (1)) t(x)",
            "Decimal128(38, 0)",
        ),
        (
            "SELECT arrow_typeof(SUM(x)) FROM (VALUES (CAST(1 AS DECIMAL(10, 6)))) t(x)",
            "Decimal128(38, 6)",
        ),
        (
            "SELECT SUM(x) FROM (VALUES (CAST(0.5 AS DOUBLE)), (1)) t(x)",
            "1.5",
        ),
    ] {
        let sql = sql.replace('$', MAX);
        assert_eq!(answer(Arithmetic::Exact, 1, &sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn what_38_digits_cannot_hold_is_beyond_and_stays_so() {
    let large = "CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0))";
    let mut context = SessionContext::new();
    register_all(&mut context, Arithmetic::Exact);
    for expression in [
        "SUM(x)",
        "SUM(-x)",
        "SUM(y)",
        "SUM(x) - SUM(x)",
        "SUM(x) * 0",
        "mul_half_up(SUM(x), 0)",
        "div_half_up(SUM(x), 2)",
        "median_exact(y)",
    ] {
        let sql = format!(
            "SELECT {expression} FROM (SELECT x, x * 2 AS y FROM (VALUES ({large}), ({large})) t(x))"
        );
        let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
        let raw = batches[0]
            .column(0)
            .as_primitive::<Decimal128Type>()
            .value(0);
        assert!(decimal::is_beyond(raw), "{sql}: {raw}");
    }
    let sql = format!("SELECT ratio(SUM(x), 2) FROM (VALUES ({large}), ({large})) t(x)");
    assert_eq!(answer(Arithmetic::Exact, 1, &sql).await, "");
}

#[tokio::test]
async fn a_sum_of_a_reader_keeps_its_type_or_is_an_error() {
    for (sql, expected) in [
        (
            "SELECT sum(x) FROM (VALUES ($), ($)) t(x)",
            "a sum leaves Int64",
        ),
        (
            "SELECT sum(DISTINCT x) FROM (VALUES ($), (1)) t(x)",
            "a sum leaves Int64",
        ),
        (
            "SELECT sum(x) OVER (ORDER BY n ROWS 1 PRECEDING) FROM (VALUES (1, $), (2, $)) t(n, x)",
            "a sum leaves Int64",
        ),
        (
            "SELECT sum(CAST(x AS DECIMAL(38, 0))) FROM (VALUES ($), ($)) t(x)",
            "18446744073709551614",
        ),
        (
            "SELECT sum(x) FROM (SELECT CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) AS x FROM generate_series(1, 3))",
            "a sum leaves Decimal128(38, 0)",
        ),
        ("SELECT sum(x) FROM (VALUES ($), (-$), (3)) t(x)", "3"),
        (
            "SELECT arrow_typeof(sum(x)) FROM (VALUES (1)) t(x)",
            "Int64",
        ),
        (
            "SELECT sum(x) FROM (VALUES (interval '1 day')) t(x)",
            "1 days",
        ),
        ("SELECT sum(x) FROM (VALUES (0.5), (0.25)) t(x)", "0.75"),
        (
            "SELECT sum(x) FROM (VALUES ('a')) t(x)",
            "sum takes numbers",
        ),
    ] {
        let sql = sql.replace('$', MAX);
        let said = answer(Arithmetic::Checked, 1, &sql).await;
        assert!(
            said == expected || said.contains("sum ") && said.contains(expected),
            "{sql}: {said}"
        );
    }
}

#[tokio::test]
async fn partial_sums_of_partitions_are_merged() {
    for (sql, expected) in [
        (
            "SELECT sum(v) FROM generate_series(1, 9000) s(v) GROUP BY v % 3 ORDER BY v % 3",
            "13504500 13498500 13501500",
        ),
        (
            "SELECT sum(DISTINCT v % 3) FROM generate_series(1, 9000) s(v) GROUP BY v % 2 ORDER BY v % 2",
            "3 3",
        ),
        (
            "SELECT sum(v) FROM generate_series(1, 9000) s(v)",
            "40504500",
        ),
    ] {
        for arithmetic in [Arithmetic::Checked, Arithmetic::Exact, Arithmetic::Linear] {
            assert_eq!(answer(arithmetic, 4, sql).await, expected, "{sql}");
        }
    }
}
