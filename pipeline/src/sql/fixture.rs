//! Plans in which parts that disagree about NULL are found out. For tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::record_batch::RecordBatch;
use datafusion::prelude::SessionContext;

/// Each with the expression in place of `{E}`, over a table without NULL.
const SHAPES: [&str; 8] = [
    "SELECT {E} AS x, count(*) AS n FROM t GROUP BY {E}",
    "SELECT x, count(*) AS n FROM (SELECT {E} AS x FROM t UNION ALL SELECT {E} FROM t) GROUP BY x",
    "SELECT x, count(*) AS n FROM (SELECT {E} AS x FROM t UNION SELECT {E} FROM t) GROUP BY x",
    "WITH u AS (SELECT {E} AS x FROM t UNION ALL SELECT {E} FROM t), v AS (SELECT x FROM u UNION ALL SELECT {E} FROM t) \
     SELECT x, count(x) AS n FROM v GROUP BY x HAVING count(*) > 0",
    "SELECT max(x) AS m FROM (SELECT {E} AS x FROM t UNION ALL SELECT {E} FROM t)",
    "SELECT DISTINCT x, row_number() OVER (PARTITION BY x) AS n FROM (SELECT {E} AS x FROM t UNION ALL SELECT {E} FROM t)",
    "SELECT i, count(*) AS n FROM t WHERE {E} IN (SELECT x FROM (SELECT {E} AS x FROM t UNION ALL SELECT {E} FROM t) GROUP BY x) GROUP BY i",
    "SELECT a.x, count(*) AS n FROM (SELECT {E} AS x FROM t UNION ALL SELECT {E} FROM t) a \
     JOIN (SELECT {E} AS x FROM t UNION ALL SELECT {E} FROM t) b ON a.x = b.x GROUP BY a.x",
];

/// Runs each expression in each shape. Columns: `i` BIGINT, `d` DECIMAL(10, 2), `s` TEXT, `z` TIMESTAMPTZ of UTC.
pub(crate) async fn assert_plans_agree_about_null(ctx: &SessionContext, expressions: &[&str]) {
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = [
        ("i", DataType::Int64),
        ("d", DataType::Decimal128(10, 2)),
        ("s", DataType::Utf8),
        ("z", zoned),
    ];
    let fields = fields.map(|(name, kind)| Field::new(name, kind, false));
    let decimals = Decimal128Array::from(vec![125, 250]).with_precision_and_scale(10, 2);
    let instants = TimestampMicrosecondArray::from(vec![0, 1_767_585_600_000_000]);
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(fields.to_vec())),
        vec![
            Arc::new(Int64Array::from(vec![3, 4])),
            Arc::new(decimals.unwrap()),
            Arc::new(StringArray::from(vec!["5", "6"])),
            Arc::new(instants.with_timezone("UTC")),
        ],
    );
    ctx.register_batch("t", batch.unwrap()).unwrap();
    for expression in expressions {
        for shape in SHAPES {
            let query = shape.replace("{E}", expression);
            let rows = match ctx.sql(&query).await {
                Ok(frame) => frame.collect().await,
                Err(error) => Err(error),
            };
            let rows = rows.unwrap_or_else(|error| panic!("{query}: {}", error.strip_backtrace()));
            let found = rows.iter().map(RecordBatch::num_rows).sum::<usize>();
            assert!(found > 0, "{query}");
        }
    }
}
