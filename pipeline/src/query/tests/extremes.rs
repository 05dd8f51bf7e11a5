//! Queries at the ends of what types, functions and memory can hold: the right answer or an error in words, never a wrong
//! number, a panic or an abort.

use super::{Fixture, rows};
use crate::query::Session;

/// What a query comes to.
#[derive(Clone, Copy)]
enum Right {
    /// These rows; columns joined by a blank, NULL as `-`, rows by `; `.
    Rows(&'static str),
    /// An error that says this.
    Error(&'static str),
}
use Right::{Error, Rows};

async fn comes_to(session: &Session, sql: &str) -> Result<String, String> {
    let answer = match session.query(sql).await {
        Ok(answer) => answer.collect().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(_) => Ok(rows(session, sql).await.join("; ")),
        Err(error) => Err(error.to_string()),
    }
}

/// All that is not as it should be, at once.
async fn check(cases: &[(&str, Right)]) {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    let mut wrong = Vec::new();
    for (sql, right) in cases {
        let found = comes_to(&session, sql).await;
        let is_right = match (right, &found) {
            (Rows(expected), Ok(found)) => expected == found,
            (Error(says), Err(error)) => error.contains(says) && !error.contains("broke down"),
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{sql}\n    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn integers_do_not_wrap() {
    check(&[
        ("SELECT 9223372036854775807 + 1", Error("Overflow happened on")),
        ("SELECT -9223372036854775807 - 2", Error("Overflow happened on")),
        ("SELECT 9223372036854775807 * 2", Error("Overflow happened on")),
        ("SELECT requested_qty * 9223372036854775807 FROM demand_orders", Error("Overflow happened on")),
        ("SELECT sku_id FROM demand_orders WHERE requested_qty + 9223372036854775807 > 0", Error("Overflow happened on")),
        ("SELECT count(*) * 9223372036854775807 FROM demand_orders", Error("Overflow happened on")),
        ("SELECT (SELECT max(requested_qty) FROM demand_orders) * 9223372036854775807", Error("Overflow happened on")),
        ("SELECT max(requested_qty) + 9223372036854775807 FROM demand_orders GROUP BY sku_id HAVING sum(n) > 0", Error("Overflow happened on")),
        ("SELECT d.requested_qty FROM demand_orders d WHERE EXISTS (SELECT 1 FROM demand_orders e WHERE e.requested_qty = d.requested_qty + 9223372036854775807)", Error("Overflow happened on")),
        ("SELECT CAST(127 AS TINYINT) + CAST(1 AS TINYINT)", Error("Overflow happened on")),
        ("SELECT CAST(18446744073709551615 AS BIGINT UNSIGNED) + CAST(1 AS BIGINT UNSIGNED)", Error("Overflow happened on")),
        ("SELECT -x FROM (VALUES (-9223372036854775807 - 1)) t(x)", Error("Overflow happened on")),
        ("SELECT - (-9223372036854775807 - 1)", Error("Overflow happened on")),
        ("SELECT abs(-9223372036854775807 - 1)", Error("overflow")),
        ("SELECT (-9223372036854775807 - 1) / -1", Error("verflow")),
        ("SELECT (-9223372036854775807 - 1) % -1", Rows("0")),
        ("SELECT CAST(9223372036854775807 AS INT)", Error("Can't cast value 9223372036854775807")),
        ("SELECT CAST('9223372036854775808' AS BIGINT)", Error("Cannot cast string '9223372036854775808'")),
        ("SELECT CAST(1e300 AS BIGINT)", Error("Can't cast value")),
        ("SELECT TRY_CAST(1e300 AS BIGINT)", Rows("-")),
        ("SELECT 1 + 2 * 3 - 4", Rows("3")),
        ("SELECT sku_id, requested_qty * 2 + 1 FROM demand_orders WHERE requested_qty - 1 >= 10 ORDER BY requested_qty + 1", Rows("S1 23; S2 53")),
        ("SELECT requested_qty + 1, count(*) FROM demand_orders GROUP BY requested_qty + 1 ORDER BY requested_qty + 1", Rows("11 1; 12 1; 27 1")),
        ("SELECT -requested_qty FROM demand_orders ORDER BY -requested_qty", Rows("-26; -11; -10")),
        ("SELECT factorial(100)", Error("verflow")),
        ("SELECT power(10, 400)", Rows("inf")),
        ("SELECT lcm(9223372036854775807, 9223372036854775806)", Error("verflow")),
        ("SELECT gcd(-9223372036854775807 - 1, 0)", Error("verflow")),
        ("SELECT 1 << 64", Rows("1")),
    ])
    .await;
}

#[tokio::test]
async fn sums_do_not_wrap() {
    const BIG: &str = "(VALUES (1, 9223372036854775807), (2, 9223372036854775807), (3, -9223372036854775807)) t(n, x)";
    let cases: Vec<(String, Right)> = [
        ("SELECT sum(x) FROM $", Rows("9223372036854775807")),
        ("SELECT sum(x) FROM $ WHERE n < 3", Error("a sum leaves Int64")),
        ("SELECT sum(x) FROM $ GROUP BY n < 3", Error("a sum leaves Int64")),
        ("SELECT sum(CAST(x AS DECIMAL(38, 0))) FROM $ WHERE n < 3", Rows("18446744073709551614")),
        ("SELECT sum(x) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM $", Error("a sum leaves Int64")),
        ("SELECT sum(x) OVER (ORDER BY n ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) FROM $ ORDER BY n", Rows("0; -9223372036854775807; -")),
        ("SELECT sum(DISTINCT x) FROM $", Rows("0")),
        ("SELECT sum(DISTINCT x), count(DISTINCT x) FROM $ GROUP BY n > 0", Rows("0 2")),
        ("SELECT sum(x + 1) FROM $", Error("Overflow happened on")),
        ("SELECT avg(x) FROM $", Rows("3.0744573456182584e18")),
        ("SELECT sum(x) FILTER (WHERE n = 1) FROM $", Rows("9223372036854775807")),
        ("SELECT sum(x) FROM (SELECT CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) AS x FROM generate_series(1, 4))", Error("a sum leaves Decimal128(38, 0)")),
        ("SELECT avg(x) FROM (SELECT CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) AS x FROM generate_series(1, 4))", Error("verflow")),
        ("SELECT x + x FROM (SELECT CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) AS x)", Error("Overflow happened on")),
        ("SELECT x * x FROM (SELECT CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) AS x)", Error("verflow")),
        ("SELECT median_exact(requested_qty), ratio(sum(requested_qty), count(*)) FROM demand_orders", Rows("11.000000 15.666666666666666")),
        ("SELECT requested_qty / 3, requested_qty * 1.000000000001::decimal(38,12) FROM demand_orders ORDER BY 1 LIMIT 1", Rows("3 10.000000000010")),
    ]
    .map(|(sql, right)| (sql.replace('$', BIG), right))
    .into();
    let cases: Vec<(&str, Right)> = cases
        .iter()
        .map(|(sql, right)| (sql.as_str(), *right))
        .collect();
    check(&cases).await;
}

#[tokio::test]
async fn dates_instants_and_intervals_do_not_wrap() {
    check(&[
        ("SELECT DATE '2026-01-01' + INTERVAL '2000000000 days'", Error("verflow")),
        ("SELECT DATE '9999-12-31' + INTERVAL '100000000 months'", Error("verflow")),
        ("SELECT TIMESTAMP '2026-01-01' + INTERVAL '1000 years'", Error("out of range")),
        ("SELECT INTERVAL '2147483647 months' + INTERVAL '1 month'", Error("verflow")),
        ("SELECT sum(x) FROM (VALUES (INTERVAL '2147483647 months'), (INTERVAL '1 month')) t(x)", Error("verflow")),
        ("SELECT sum(x) FROM (VALUES (INTERVAL '1 month 3 days'), (INTERVAL '2 hours'), (NULL)) t(x)", Rows("1 mons 3 days 2 hours")),
        ("SELECT date_bin(INTERVAL '0 day', TIMESTAMP '2026-01-01')", Error("stride must be non-zero")),
        ("SELECT to_timestamp(9223372036854775807)", Error("exceeds")),
("SELECT to_char(TIMESTAMP '2026-01-01', '%Q %')", Error("Format error")),
        ("SELECT make_date(2147483647, 1, 1)", Error("date")),
("SELECT date_trunc('week', TIMESTAMP '2026-01-01T00:00:00Z' AT TIME ZONE 'Asia/Shanghai')", Rows("2025-12-29T00:00:00+08:00")),
        (
            "SELECT DISTINCT (t AT TIME ZONE 'Asia/Shanghai')::timestamp AS local, (t AT TIME ZONE 'Asia/Shanghai')::date AS d \
             FROM (SELECT window_start AS t FROM demand_orders) ORDER BY 1 LIMIT 1",
            Rows("2026-01-05T00:00:00 2026-01-05"),
        ),
        ("SELECT window_start::timestamp FROM demand_orders ORDER BY 1 LIMIT 1", Rows("2026-01-04T16:00:00")),
        ("SELECT DATE '2026-01-05' - DATE '2026-01-01'", Rows("4")),
        ("SELECT DATE '2026-01-05' + 1", Rows("2026-01-06")),
        ("SELECT DATE '2026-01-05' + INTERVAL '1 day'", Rows("2026-01-06")),
    ])
    .await;
}

#[tokio::test]
async fn what_would_fill_the_memory_is_refused() {
    const TOO_MUCH: &str = "MiB of one batch of rows";
    check(&[
        ("SELECT length(lpad(sku_id, 1000000000)) FROM demand_orders", Error(TOO_MUCH)),
        ("SELECT length(rpad('x', 1000000000))", Error(TOO_MUCH)),
        ("SELECT a FROM (SELECT repeat('x', 1000000) AS a FROM generate_series(1, 20000))", Error(TOO_MUCH)),
        ("SELECT count(repeat(sku_id, 9223372036854775807)) FROM demand_orders", Error(TOO_MUCH)),
        ("SELECT length(replace(repeat('x', 1000000), 'x', repeat('y', 1000000)))", Error(TOO_MUCH)),
        ("SELECT length(regexp_replace(repeat('x', 1000000), 'x', repeat('y', 1000), 'g'))", Error(TOO_MUCH)),
        ("SELECT length(concat(x, x, x, x)) FROM (SELECT repeat('x', 3000000) AS x)", Error(TOO_MUCH)),
        (
            "WITH a AS (SELECT repeat('x', 6000000) AS x), b AS (SELECT x || x AS x FROM a) SELECT length(x || x) FROM b",
            Error(TOO_MUCH),
        ),
        ("SELECT array_length(array_repeat(1, 1000000000))", Error(TOO_MUCH)),
        ("SELECT array_length(array_resize([1], 1000000000, 2))", Error(TOO_MUCH)),
        ("SELECT array_length(range(9223372036854775807))", Error(TOO_MUCH)),
        ("SELECT array_length(generate_series(1, 1000000000))", Error(TOO_MUCH)),
        (
            "SELECT array_length(range(TIMESTAMP '1970-01-01', TIMESTAMP '2026-01-01', INTERVAL '1 microsecond'))",
            Error(TOO_MUCH),
        ),
        (
            "SELECT approx_percentile_cont(0.5, 9223372036854775807) WITHIN GROUP (ORDER BY requested_qty) FROM demand_orders",
            Error("must be a number from 1 to 10000"),
        ),
        ("SELECT approx_percentile_cont(0.5, 100) WITHIN GROUP (ORDER BY requested_qty) FROM demand_orders", Rows("11.0")),
        ("SELECT regexp_like('x', '((((x{200}){200}){200}){200})')", Error("did not compile")),
        ("SELECT lpad(sku_id, 5, '-'), repeat(sku_id, 2), sku_id || '!' FROM demand_orders ORDER BY 1 LIMIT 1", Rows("---S1 S1S1 S1!")),
        ("SELECT count(*) FROM (SELECT unnest(range(1, 100001)))", Rows("100000")),
        ("SELECT array_length(range(0, 10, 3)), array_length(generate_series(3, 1))", Rows("4 0")),
        ("SELECT concat('a', NULL, 'b'), concat_ws('-', 'a', 'b'), NULL || 'a'", Rows("ab a-b -")),
    ])
    .await;
}

#[tokio::test]
async fn arguments_at_their_ends_are_values_or_errors() {
    check(&[
        (
            "SELECT split_part('a|b', '|', -9223372036854775807), array_slice([1,2,3], -9223372036854775807, 9223372036854775807), \
             array_element([1], -9223372036854775807)",
            Error("array_slice got invalid index"),
        ),
        ("SELECT split_part('a|b', '|', x) FROM (VALUES (-9223372036854775807 - 1)) t(x)", Rows("")),
        (
            "SELECT lead(requested_qty, -9223372036854775807) OVER (ORDER BY n), nth_value(requested_qty, 0) OVER (ORDER BY n) FROM demand_orders LIMIT 1",
            Rows("- -"),
        ),
        ("SELECT lead(requested_qty, -9223372036854775807) OVER (ORDER BY requested_qty) FROM demand_orders", Rows("-; -; -")),
        ("SELECT lag(requested_qty, -9223372036854775807 - 1) OVER (ORDER BY requested_qty) FROM demand_orders", Rows("-; -; -")),
        ("SELECT lead(requested_qty, -9223372036854775807 - 1) OVER (ORDER BY requested_qty) FROM demand_orders", Rows("-; -; -")),
        ("SELECT ntile(9223372036854775807) OVER (ORDER BY requested_qty) FROM demand_orders", Rows("1; 2; 3")),
        ("SELECT range(1, 10, 0)", Error("step")),
        ("SELECT chr(55296)", Error("invalid")),
        ("SELECT chr(1114112)", Error("invalid")),
        ("SELECT decode('zz', 'hex')", Error("Failed to decode")),
        ("SELECT substr(str => 'abc', start_pos => 2)", Rows("bc")),
        ("SELECT lpad(a, b), rpad(a, b, 'x') FROM (VALUES ('abc', -1), ('abc', 4)) t(a, b)", Rows(" ;  abc abcx")),
        ("SELECT substr('abc', -9223372036854775807, 9223372036854775807)", Rows("")),
        ("SELECT left('abc', -9223372036854775807 - 1), right('abc', -9223372036854775807 - 1)", Rows(" ")),
        ("SELECT array_remove_n([1, 1], 1, -9223372036854775807), array_replace_n([1], 1, 2, 9223372036854775807)", Rows("[1, 1] [2]")),
        ("SELECT array_slice([1,2,3], 3, 1, -9223372036854775807 - 1)", Error("invalid stride")),
        ("SELECT array_slice([1,2,3], 1, 3, 9223372036854775807)", Error("invalid stride")),
("SELECT sku_id FROM demand_orders LIMIT 9223372036854775807 OFFSET 9223372036854775807", Rows("")),
        ("SELECT sku_id FROM demand_orders ORDER BY 1 LIMIT 9223372036854775807 OFFSET 9223372036854775807", Rows("")),
        (
            "SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN 18446744073709551615 PRECEDING AND 18446744073709551615 FOLLOWING) FROM demand_orders",
            Error("a window frame reaches"),
        ),
        ("SELECT 'a%b' LIKE 'a^%b' ESCAPE '^'", Error("escape")),
        ("SELECT count(*) FROM demand_orders WHERE sku_id NOT IN ('S1', NULL)", Rows("0")),
        ("SELECT count(*) FROM (SELECT * FROM demand_orders LIMIT 2)", Rows("2")),
        (
            "SELECT count(*) FROM demand_orders WHERE window_date = (SELECT max(window_date) FROM demand_orders)",
            Rows("1"),
        ),
        (
            "SELECT sku_id FROM demand_orders UNION ALL SELECT sku_id FROM demand_orders UNION SELECT 'T1' ORDER BY 1 LIMIT 3",
            Rows("S1; S2; T1"),
        ),
        ("SELECT DISTINCT sku_id FROM demand_orders ORDER BY sku_id DESC NULLS LAST", Rows("S2; S1")),
    ])
    .await;
}

/// Values at the ends of their types, and some that are none.
const ENDS: [&str; 5] = [
    "9223372036854775807",
    "(-9223372036854775807 - 1)",
    "'é'",
    "make_array(1, 2)",
    "INTERVAL '2147483647 months'",
];

/// No scalar function breaks down, whatever ends it is called with.
#[tokio::test]
async fn no_function_breaks_down_at_the_ends_of_its_arguments() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    let names = "SELECT DISTINCT routine_name FROM information_schema.routines \
                 WHERE function_type = 'SCALAR' ORDER BY 1";
    let names = rows(&session, names).await;
    assert!(names.len() > 100, "{}", names.len());
    let mut broken = Vec::new();
    for name in &names {
        let mut calls: Vec<(String, String)> = ENDS
            .iter()
            .map(|a| (format!("({a})"), format!("{name}(a)")))
            .collect();
        for a in ENDS {
            for b in ENDS {
                calls.push((format!("({a}, {b})"), format!("{name}(a, b)")));
            }
        }
        for (values, call) in calls {
            let columns = &call[call.find('(').unwrap()..];
            let sql = format!("SELECT {call} FROM (VALUES {values}) t{columns}");
            if let Err(error) = comes_to(&session, &sql).await
                && error.contains("broke down")
            {
                broken.push(format!("{sql}\n    {error}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
