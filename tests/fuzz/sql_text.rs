//! Texts of queries: those that the repository holds, and calls drawn at random; both damaged.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use pipeline::query::Names;
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::mutate::{self, Random};

/// Values at the ends of their types, columns, and what is more than a value.
const OPERANDS: [&str; 26] = [
    "NULL",
    "0",
    "-1",
    "1.5",
    "1e308",
    "9223372036854775807",
    "(-9223372036854775807 - 1)",
    "18446744073709551615",
    "CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0))",
    "''",
    "'é'",
    "'%'",
    "'2026-01-05'",
    "DATE '9999-12-31'",
    "TIMESTAMP '2026-01-05T00:00:00Z'",
    "INTERVAL '2147483647 months'",
    "INTERVAL '1 nanosecond'",
    "make_array(1, NULL)",
    "make_array()",
    "named_struct('a', 1)",
    "x'ff'",
    "sku_id",
    "requested_qty",
    "window_start",
    "(SELECT max(n) FROM metrics.demand_orders)",
    "$1",
];

const OPERATORS: [&str; 14] = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "||",
    "=",
    "<>",
    "<",
    "AND",
    "OR",
    "LIKE",
    "~",
    "IS DISTINCT FROM",
];

const WORDS: [&str; 44] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "UNION ALL",
    "EXCEPT",
    "INTERSECT",
    "DISTINCT",
    "OVER ()",
    "PARTITION BY",
    "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
    "FILTER (WHERE true)",
    "WITH RECURSIVE",
    "LATERAL",
    "CROSS JOIN",
    "LEFT JOIN",
    "USING",
    "UNNEST",
    "CASE WHEN",
    "END",
    "CAST(",
    "AS",
    "IN",
    "EXISTS",
    "INSERT INTO",
    "CREATE TABLE x AS",
    "COPY",
    "TO 'x.csv'",
    "SET",
    "DROP TABLE",
    "EXPLAIN ANALYZE",
    "PREPARE p AS",
    "VALUES",
    "*",
    "(",
    ")",
    ";",
    "--",
    "/*",
    "'",
];

/// Queries that the repository holds, and what may stand in them.
pub(crate) struct Queries {
    seeds: Vec<String>,
    functions: Vec<String>,
    tables: Vec<String>,
    dictionary: Vec<String>,
}

impl Queries {
    /// `names` are those of the session that the queries are for.
    pub(crate) fn new(names: &Names) -> Result<Self> {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let readme = fs::read_to_string(top.join("README.md"))?;
        let extremes = fs::read_to_string(top.join("pipeline/src/query/tests/extremes.rs"))?;
        let metrics = jobs::metrics::queries();
        let metrics = metrics
            .iter()
            .flat_map(|metric| [metric.stream, metric.shard, metric.public])
            .flatten();
        let mut seeds = blocks(&readme);
        seeds.extend(literals(&extremes));
        ensure!(
            seeds.len() > 50,
            "the queries of README and tests are not found"
        );
        // Their panes and parts are no tables of a session; facts and rows are.
        seeds.extend(metrics.map(|query| {
            let query = query
                .replace("panes.", "metrics.")
                .replace("parts.", "metrics.");
            query.replace("rows.", "metrics.").replace("asof.", "ref.")
        }));
        let tables = names.schemas().flat_map(|schema| {
            let tables = names.tables(schema);
            tables.map(move |table| format!("{schema}.{table}"))
        });
        let tables: Vec<String> = tables.collect();
        let functions = names.functions().to_vec();
        ensure!(
            !tables.is_empty() && functions.len() > 100,
            "the session has no names"
        );
        let words = WORDS.into_iter().chain(OPERATORS).chain(OPERANDS);
        let words = words.map(str::to_owned);
        let dictionary = words.chain(functions.clone()).chain(tables.clone());
        Ok(Self {
            dictionary: dictionary.collect(),
            seeds,
            functions,
            tables,
        })
    }

    pub(crate) fn draw(&self, random: &mut Random) -> String {
        let any = |texts: &[String], random: &mut Random| {
            texts.choose(random).cloned().unwrap_or_default()
        };
        let query = if random.random_bool(0.4) {
            let expression = self.expression(3, random);
            let table = any(&self.tables, random);
            match random.random_range(0..5) {
                0 => format!("SELECT {expression}"),
                1 => format!("SELECT count(*) FROM {table} WHERE {expression} IS NULL"),
                2 => format!("SELECT {expression} OVER (ORDER BY n) FROM metrics.demand_orders"),
                3 => format!(
                    "SELECT {expression} AS a, count(*) FROM metrics.demand_orders GROUP BY 1 ORDER BY 1 LIMIT 5"
                ),
                _ => format!("SELECT {expression} FROM metrics.demand_orders LIMIT 20"),
            }
        } else {
            any(&self.seeds, random)
        };
        if random.random_bool(0.25) {
            return query;
        }
        let other = any(&self.seeds, random);
        mutate::text(&query, &other, &self.dictionary, random)
    }

    fn expression(&self, depth: usize, random: &mut Random) -> String {
        let choice = if depth == 0 {
            0
        } else {
            random.random_range(0..6)
        };
        match choice {
            0 | 1 => OPERANDS.choose(random).copied().unwrap_or("1").to_owned(),
            2 => {
                let operator = OPERATORS.choose(random).copied().unwrap_or("+");
                let (a, b) = (
                    self.expression(depth - 1, random),
                    self.expression(depth - 1, random),
                );
                format!("({a} {operator} {b})")
            }
            _ => {
                let name = self.functions.choose(random).map_or("abs", String::as_str);
                let arguments: Vec<String> = (0..random.random_range(0..4))
                    .map(|_| self.expression(depth - 1, random))
                    .collect();
                format!("{name}({})", arguments.join(", "))
            }
        }
    }
}

/// The SQL blocks of a Markdown page.
fn blocks(page: &str) -> Vec<String> {
    let blocks = page.split("```sql\n").skip(1);
    blocks
        .filter_map(|block| Some(block.split("```").next()?.to_owned()))
        .collect()
}

/// String literals of Rust code that begin as a query does.
fn literals(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for begin in ["\"SELECT ", "\"WITH "] {
        for rest in code.split(begin).skip(1) {
            let literal = rest.split('"').next().unwrap_or(rest);
            let literal: Vec<&str> = literal.split("\\\n").map(str::trim_start).collect();
            found.push(format!("{}{}", &begin[1..], literal.concat()));
        }
    }
    found
}
