#![allow(clippy::unwrap_used)]

use crate::error::ErrorKind;
use crate::query::guard;

/// What is said against the query; nothing if it may be planned.
fn refusal(sql: &str) -> Option<String> {
    let error = guard::parse(sql).err()?;
    assert_eq!(error.kind(), ErrorKind::Query);
    Some(error.to_string())
}

#[track_caller]
fn is_parsed(sql: &str) {
    let start: String = sql.chars().take(80).collect();
    assert_eq!(refusal(sql), None, "{start}");
}

#[track_caller]
fn is_refused(sql: &str, says: &str) {
    let start: String = sql.chars().take(80).collect();
    let said = refusal(sql).unwrap_or_default();
    let is_right = said.starts_with("too deeply nested") && said.contains(says);
    assert!(is_right, "{start}: {said}");
}

fn nested(open: &str, inside: &str, close: &str, times: usize) -> String {
    format!("{}{inside}{}", open.repeat(times), close.repeat(times))
}

fn select(open: &str, inside: &str, close: &str, times: usize) -> String {
    format!("SELECT {}", nested(open, inside, close, times))
}

#[test]
fn what_is_nested_is_parsed_or_refused_at_once() {
    for (open, inside, close, allowed) in [
        ("CAST(", "1", " AS INT)", 16),
        ("TRY_CAST(", "1", " AS INT)", 16),
        ("NOT (", "true", ")", 8),
        ("NOT ", "true", "", 15),
        ("CASE WHEN 1=1 THEN ", "1", " END", 12),
        ("CASE WHEN ", "true", " THEN true END", 12),
        ("ARRAY[", "1", "]", 16),
        ("(SELECT ", "1", ")", 12),
        ("EXISTS (SELECT ", "1", ")", 12),
        ("1 IN (SELECT 1 WHERE ", "true", ")", 12),
        ("SUBSTRING(", "'abc'", " FROM 1)", 16),
        ("(", "1", ")", 40),
        ("(1+", "1", ")", 40),
        ("abs(", "1", ")", 40),
        ("[", "1", "]", 40),
        ("- ", "1", "", 39),
    ] {
        is_parsed(&select(open, inside, close, allowed));
        for times in [42, 48, 60, 400, 2_000] {
            is_refused(&select(open, inside, close, times), "at most ");
        }
    }
    let with = |times| nested("WITH a AS (", "SELECT 1", ") SELECT * FROM a", times);
    is_parsed(&with(12));
    is_refused(&with(13), "12 queries inside one another");
    is_refused(&with(400), "at most ");
    let from = |times| {
        format!(
            "SELECT * FROM {}",
            nested("(SELECT * FROM ", "t", ")", times)
        )
    };
    is_parsed(&from(12));
    is_refused(&from(13), "12 queries inside one another");
    is_refused(
        &select("(SELECT ", "1", ")", 13),
        "12 queries inside one another",
    );
}

/// The parser reads what is inside twice at each level, once it does not understand it.
#[test]
fn mistakes_deep_inside_are_found_or_refused_at_once() {
    for (open, close) in [
        ("CAST(", " AS INT)"),
        ("NOT (", ")"),
        ("CASE WHEN 1=1 THEN ", " END"),
        ("CASE WHEN CAST(1 AS INT) = 1 THEN CAST(", " AS INT) END"),
        ("ARRAY[", "]"),
        ("POSITION(", " IN 1)"),
    ] {
        for times in [8, 20, 38] {
            let said = refusal(&select(open, "1 1", close, times)).unwrap();
            let is_right =
                said.starts_with("cannot read the query") || said.starts_with("too deeply");
            assert!(is_right, "{open} {times}: {said}");
        }
    }
    let tables = format!(
        "SELECT * FROM {}",
        nested("(((SELECT * FROM ", "t t t", ")))", 12)
    );
    is_refused(&tables, "at most ");
    is_parsed("SELECT * FROM ((t JOIN u USING (a)) JOIN v USING (a))");
    let list = vec!["1"; 20_000].join(", ");
    is_parsed(&format!("SELECT 1 IN ({list})"));
    let long = format!("{} IN ({list})", nested("CAST(", "1", " AS INT)", 12));
    is_parsed(&format!("SELECT {long}"));
    let around = nested("CAST(", &format!("1 IN ({list})"), " AS INT)", 12);
    is_refused(&format!("SELECT {around}"), "fewer around long lists");
}

#[test]
fn what_is_long_is_parsed_or_refused_at_once() {
    let many = |first: &str, part: &str, times: usize| format!("{first}{}", part.repeat(times));
    for (first, part, allowed, says) in [
        ("SELECT 1", " UNION ALL SELECT 1", 100, "100 UNION"),
        ("SELECT 1", " EXCEPT SELECT 1", 100, "100 UNION"),
        ("SELECT 1 FROM t", " CROSS JOIN t", 100, "100 joins"),
        ("SELECT 1 FROM t", ", t", 100, "100 joins"),
        (
            "SELECT a FROM t WHERE true",
            " AND a <> 1",
            1_000,
            "1000 AND",
        ),
        ("SELECT a FROM t WHERE true", " OR a = 1", 2_000, "2000 OR"),
        ("SELECT 1", ", a", 1_000, "1000 columns"),
        ("SELECT 1 FROM t ORDER BY a", ", a", 500, "500 sort keys"),
        ("SELECT 1", "::INT", 100, "in a row"),
        ("SELECT true", " = true", 100, "in a row"),
        ("SELECT now()", " AT TIME ZONE 'UTC'", 100, "in a row"),
        ("SELECT a", "[1]", 100, "in a row"),
        ("SELECT a", " | 1", 100, "in a row"),
        ("SELECT a", " XOR b", 100, "in a row"),
    ] {
        is_parsed(&many(first, part, allowed));
        is_refused(&many(first, part, allowed + 1), says);
    }
    let windows = "sum(a) OVER (ORDER BY a)";
    let windows = |times| format!("SELECT {} FROM t", vec![windows; times].join(", "));
    is_parsed(&windows(100));
    is_refused(&windows(101), "100 window functions");
    let keys = |times: usize| {
        format!(
            "SELECT count(*) OVER (PARTITION BY a{}) FROM t",
            ", a".repeat(times)
        )
    };
    is_parsed(&keys(60));
    is_refused(&keys(61), "60 keys of PARTITION BY");
    let types = |times: usize| format!("SELECT CAST(NULL AS INT{})", "[]".repeat(times));
    is_parsed(&types(10));
    is_refused(&types(30_000), "in a row");
    is_refused(
        &format!("SELECT '{}'", "x".repeat(64 << 10)),
        "64 KiB of text",
    );
    let wide = format!("SELECT 1{}", ", 1".repeat(30));
    is_parsed(&vec![wide; 50].join(" UNION ALL "));
    // Values are cheap.
    is_parsed(&format!(
        "SELECT * FROM (VALUES (1, 2){}) t",
        ", (1, 2)".repeat(5_000)
    ));
    is_parsed(&format!("SELECT * FROM unnest([1{}])", ", 1".repeat(5_000)));
    is_parsed(&format!(
        "SELECT count(*) FROM t WHERE {}",
        vec!["1 = 1"; 2_000].join(" OR ")
    ));
}

#[test]
fn a_with_query_counts_as_often_as_it_is_read() {
    let twice = |times: usize| {
        let mut sql = "WITH a0 AS (SELECT 1 AS x)".to_owned();
        for i in 1..=times {
            let last = i - 1;
            sql.push_str(&format!(
                ", a{i} AS (SELECT * FROM a{last} UNION ALL SELECT * FROM A{last})"
            ));
        }
        format!("{sql} SELECT count(*) FROM a{times}")
    };
    is_parsed(&twice(6));
    is_refused(&twice(20), "500 SELECTs");
    let scalars = |times| format!("SELECT {}", vec!["(SELECT 1)"; times].join(", "));
    is_parsed(&scalars(499));
    is_refused(&scalars(500), "500 SELECTs");
    // Without SELECT, and with names that differ by quotes and case alone.
    let doubled = |first: &str, step: fn(usize) -> String| {
        let steps: String = (1..=24).map(step).collect();
        format!("WITH {first}{steps} SELECT count(*) FROM a24")
    };
    let from_first = |i: usize| format!(", a{i} AS (FROM a{0} UNION ALL FROM a{0})", i - 1);
    is_refused(&doubled("a0 AS (VALUES (1))", from_first), "500 SELECTs");
    let twins = |i: usize| {
        let last = i - 1;
        format!(
            ", \"A{i}\" AS (SELECT * FROM \"A{last}\" UNION ALL SELECT * FROM \"A{last}\"), a{i} AS (SELECT 1 AS x)"
        )
    };
    let first = "\"A0\" AS (SELECT 1 AS x), a0 AS (SELECT 1 AS x)";
    is_refused(
        &doubled(first, twins).replace("FROM a24", "FROM \"A24\""),
        "500 SELECTs",
    );
    // A name that is mentioned is not read.
    let mut steps = "WITH a AS (SELECT 1 AS x)".to_owned();
    for (last, next) in ["a", "b", "c", "d", "e", "f"]
        .iter()
        .zip(["b", "c", "d", "e", "f", "g"])
    {
        let mentions = vec![format!("{last}.x"); 10].join(", ");
        steps.push_str(&format!(", {next} AS (SELECT {mentions} FROM {last})"));
    }
    is_parsed(&format!("{steps} SELECT g.x FROM g"));
}

#[test]
fn ordinary_queries_pass() {
    let intervals = format!("SELECT a{}", " + INTERVAL '1 day'".repeat(60));
    for sql in [
        intervals.as_str(),
        "SELECT a, CASE WHEN b IS NOT NULL AND c NOT IN (1, 2) THEN -1 ELSE - - 2 END FROM t WHERE NOT EXISTS (SELECT 1 FROM u)",
        "SELECT sku_id AS case, sum(n) FROM t GROUP BY sku_id UNION ALL SELECT sku_id AS case, sum(n) FROM t GROUP BY sku_id",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t",
        "SELECT x::timestamp with time zone, \"case\", t.order FROM t WHERE a IS DISTINCT FROM b GROUP BY 1, 2 HAVING count(*) > 1",
        "SELECT approx_percentile_cont(a, 0.5) WITHIN GROUP (ORDER BY a), DATE '2026-01-05' + INTERVAL '1 day' FROM (t JOIN u USING (a, b))",
    ] {
        if let Some(said) = refusal(sql) {
            assert!(!said.starts_with("too deeply"), "{sql}: {said}");
        }
    }
}

#[test]
fn a_line_ends_where_the_splitter_says() {
    let statement = guard::parse("SELECT 1 AS a -- x\r, 2 AS b").unwrap();
    assert!(statement.to_string().contains("2 AS b"), "{statement}");
    for open in [
        "/* SELECT 1",
        "SELECT '1",
        "SELECT $$1",
        "SELECT `a",
        "SELECT \"a",
    ] {
        assert!(refusal(open).is_some(), "{open}");
    }
}
