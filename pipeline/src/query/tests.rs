#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod extremes;

use arrow::array::AsArray;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::Session;
use super::fixture::Fixture;
use crate::error::{Error, ErrorKind};

/// Rows as text, columns joined by a blank, NULL as `-`.
async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let options = FormatOptions::default().with_null("-");
    let mut lines = Vec::new();
    for batch in session.query(sql).await.unwrap().collect().await.unwrap() {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            lines.push(
                columns
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect::<Vec<_>>()
                    .join(" "),
            );
        }
    }
    lines
}

async fn error(session: &Session, sql: &str) -> Error {
    match session.query(sql).await {
        Ok(answer) => answer.collect().await.expect_err(sql),
        Err(error) => error,
    }
}

#[tokio::test]
async fn metrics_show_the_latest_revision_of_rows_that_exist() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    let sql = "SELECT window_date, sku_id, requested_qty, revision, is_final FROM demand_orders ORDER BY 1, 2";
    assert_eq!(
        rows(&session, sql).await,
        [
            "2026-01-05 S1 10 1 true",
            "2026-01-05 S2 26 3 true",
            "2026-01-06 S1 11 1 false"
        ]
    );
    assert_eq!(
        rows(
            &session,
            "SELECT count(*) FROM metrics_revisions.demand_orders"
        )
        .await,
        ["7"]
    );
}

#[tokio::test]
async fn the_feed_has_its_latest_revision_and_finality_by_local_day() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    let sql = "SELECT ds, y, is_final FROM feeds.demand_daily ORDER BY ds";
    assert_eq!(
        rows(&session, sql).await,
        ["2026-01-05 10 true", "2026-01-06 11 false"]
    );
    assert_eq!(
        rows(
            &session,
            "SELECT count(*) FROM feeds_revisions.demand_daily"
        )
        .await,
        ["3"]
    );
}

#[tokio::test]
async fn facts_are_stored_with_weight_and_the_view_shows_what_holds() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    assert_eq!(
        rows(
            &session,
            "SELECT count(*), sum(weight) FROM facts.order_lines"
        )
        .await,
        ["4 2"]
    );
    let sql = "SELECT sku_id, price_fen, weight FROM facts.order_lines_current ORDER BY 1";
    assert_eq!(
        rows(&session, sql).await,
        ["S1 3.000000 1", "S2 2.000000 1"]
    );
}

#[tokio::test]
async fn finality_reference_data_and_views() {
    let mut fixture = Fixture::new();
    // One epoch behind and for other readers: SQL shows what `is_final` follows from.
    let mut stored = fixture.snapshot.tables[1].clone();
    (stored.schema_name, stored.name) = ("ops".to_owned(), "finality".to_owned());
    fixture.snapshot.tables.push(stored);
    let session = fixture.session().await;
    let sql = "SELECT table_name, window_kind, final_until, epoch FROM ops.finality ORDER BY 1";
    assert_eq!(
        rows(&session, sql).await,
        [
            "feeds.demand_daily D1 2026-01-05T16:00:00Z 7",
            "metrics.demand_orders D1 2026-01-05T16:00:00Z 7"
        ]
    );
    assert_eq!(
        rows(&session, "SELECT * FROM ref.ref_sku").await,
        ["S1 B1", "S2 -"]
    );
    assert_eq!(
        rows(&session, "SELECT * FROM ops.busy_skus ORDER BY 1").await,
        ["S1 21", "S2 26"]
    );
}

#[tokio::test]
async fn a_filter_on_the_date_leaves_files_out() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    for table in ["metrics.demand_orders", "metrics_revisions.demand_orders"] {
        let plan = rows(
            &session,
            &format!("EXPLAIN SELECT * FROM {table} WHERE window_date = DATE '2026-01-06'"),
        )
        .await
        .join("\n");
        assert!(plan.contains("b.parquet"), "{plan}");
        assert!(
            !plan.contains("a.parquet") && !plan.contains("c.parquet"),
            "{plan}"
        );
    }
    let sql = "SELECT sku_id FROM demand_orders WHERE window_date > DATE '2026-01-06'";
    assert!(rows(&session, sql).await.is_empty());
    let sql = "SELECT sku_id FROM demand_orders WHERE window_date + 1 = DATE '2026-01-07' AND requested_qty > 5";
    assert_eq!(rows(&session, sql).await, ["S1"]);
}

#[tokio::test]
async fn counting_rows_reads_no_file() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    std::fs::remove_dir_all(fixture.path().join("tables")).unwrap();
    assert_eq!(
        rows(
            &session,
            "SELECT count(*) FROM metrics_revisions.demand_orders"
        )
        .await,
        ["7"]
    );
    let gone = error(&session, "SELECT * FROM demand_orders").await;
    assert_ne!(gone.kind(), ErrorKind::Query);
    assert!(
        gone.to_string().starts_with("the query stopped: "),
        "{gone}"
    );
}

#[tokio::test]
async fn the_catalog_shows_comments() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    let sql = "SELECT table_schema, table_name, table_type, comment FROM information_schema.tables \
               WHERE table_name IN ('demand_orders', 'busy_skus', 'ref_sku', 'order_lines_current') ORDER BY 1, 2";
    assert_eq!(
        rows(&session, sql).await,
        [
            "facts order_lines_current VIEW what holds: order lines",
            "metrics demand_orders VIEW demand by SKU (需求)",
            "metrics_revisions demand_orders BASE TABLE demand by SKU (需求)",
            "ops busy_skus VIEW demand by SKU",
            "ref ref_sku BASE TABLE SKUs",
        ]
    );
    let sql = "SELECT column_name, data_type, comment FROM information_schema.columns \
               WHERE table_schema = 'metrics' AND column_name IN ('sku_id', 'requested_qty', 'window_date') ORDER BY 1";
    assert_eq!(
        rows(&session, sql).await,
        [
            "requested_qty Int64 requested quantity (需求量)",
            "sku_id Utf8 SKU (规格)",
            "window_date Date32 local date of window_start"
        ]
    );
    let sql = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'demand_orders' AND comment IS NULL";
    assert_eq!(rows(&session, sql).await, ["0"]);
}

#[tokio::test]
async fn show_and_describe_work() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    assert!(
        rows(&session, "SHOW TABLES")
            .await
            .iter()
            .any(|row| row.contains("metrics demand_orders VIEW"))
    );
    assert!(
        rows(&session, "DESCRIBE demand_orders")
            .await
            .iter()
            .any(|row| row.starts_with("is_final Boolean"))
    );
    assert!(
        rows(&session, "SHOW COLUMNS FROM demand_orders")
            .await
            .iter()
            .any(|row| row.contains("sku_id"))
    );
    let sql = "SELECT syntax_example FROM information_schema.routines WHERE routine_name = 'ratio'";
    assert_eq!(rows(&session, sql).await, ["ratio(a, b)"]);
    assert!(rows(&session, "EXPLAIN SELECT 1").await[0].starts_with("logical_plan"));
    assert_eq!(rows(&session, "VALUES (1), (2)").await, ["1", "2"]);
    assert_eq!(
        rows(&session, "WITH t AS (SELECT 1 AS a) SELECT a FROM t;").await,
        ["1"]
    );
    assert_eq!(
        rows(&session, "SELECT sum(value) FROM generate_series(1, 4)").await,
        ["10"]
    );
}

#[tokio::test]
async fn nothing_can_be_changed() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    for (sql, refused) in [
        ("CREATE TABLE t AS SELECT 1", "CREATE TABLE"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        (
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "CREATE EXTERNAL",
        ),
        ("COPY demand_orders TO 'out.csv'", "COPY demand_orders"),
        (
            "INSERT INTO demand_orders SELECT * FROM demand_orders",
            "INSERT INTO",
        ),
        ("DELETE FROM demand_orders", "DELETE FROM"),
        ("UPDATE demand_orders SET n = 0", "UPDATE demand_orders"),
        ("DROP TABLE demand_orders", "DROP TABLE"),
        (
            "SET datafusion.execution.batch_size = 1",
            "SET datafusion.execution.batch_size",
        ),
        (
            "RESET datafusion.execution.batch_size",
            "RESET datafusion.execution.batch_size",
        ),
        (
            "EXPLAIN ANALYZE INSERT INTO demand_orders SELECT * FROM demand_orders",
            "EXPLAIN",
        ),
        ("SELECT 1 AS a INTO t", "DDL not supported"),
        ("SELECT 1; SELECT 2", "a second statement, SELECT 2"),
        ("BEGIN", "BEGIN"),
        ("PREPARE p AS SELECT 1", "PREPARE p"),
    ] {
        let error = error(&session, sql).await;
        assert_eq!(error.kind(), ErrorKind::Query);
        let said = error.to_string();
        let what = said.split_once("; refused: ").map(|(_, what)| what);
        assert!(
            what.is_some_and(|what| what.contains(refused)),
            "{sql}: {said}"
        );
    }
    for nothing in [" ; ", "-- nothing"] {
        let error = error(&session, nothing).await;
        assert_eq!(error.kind(), ErrorKind::Query);
        assert!(error.to_string().starts_with("the query is empty"));
    }
}

#[tokio::test]
async fn no_file_can_be_read_by_name() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    let orphan = fixture
        .path()
        .join("tables/metrics/demand_orders/orphan.parquet");
    for sql in [
        format!("SELECT * FROM '{}'", orphan.display()),
        format!("SELECT * FROM \"{}\"", orphan.display()),
        format!("SELECT * FROM read_parquet('{}')", orphan.display()),
        format!("SELECT * FROM parquet_metadata('{}')", orphan.display()),
    ] {
        assert!(session.query(&sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn errors_name_what_is_nearest() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    for (sql, message) in [
        (
            "SELECT * FROM demand_order",
            "no table `metrics.demand_order`; nearest: `metrics.demand_orders`",
        ),
        (
            "SELECT * FROM metric.demand_orders",
            "no table `metric.demand_orders`; nearest: `metrics.demand_orders`",
        ),
        (
            "SELECT * FROM order_lines",
            "no table `metrics.order_lines`; nearest: `facts.order_lines`",
        ),
        (
            "SELECT * FROM xyz",
            "no table `metrics.xyz`; information_schema.tables lists all",
        ),
        (
            "DESCRIBE demand_order",
            "no table `metrics.demand_order`; nearest: `metrics.demand_orders`",
        ),
        (
            "SELECT requestd_qty FROM demand_orders",
            "no column `requestd_qty`; nearest: `requested_qty`",
        ),
        (
            "SELECT d.sku FROM demand_orders d",
            "no column `d.sku`; nearest: `sku_id`",
        ),
        (
            "SELECT 1 FROM demand_orders WHERE colour = 1",
            "no column `colour`; information_schema.columns lists all",
        ),
        (
            "SELECT ratios(1, 2)",
            "no function `ratios`; nearest: `ratio`",
        ),
        (
            "SELECT *\nFROM demand_orders WHERE )",
            "cannot read the query at line=2 column=26: Expected: an expression, found: )",
        ),
    ] {
        assert_eq!(error(&session, sql).await.to_string(), message, "{sql}");
    }
    let plan = error(&session, "SELECT sku_id, sum(n) FROM demand_orders").await;
    assert_eq!(plan.kind(), ErrorKind::Query);
    assert!(
        plan.to_string().starts_with("the query does not work: "),
        "{plan}"
    );
    assert!(!plan.to_string().contains('\n'), "{plan}");
    let run = error(&session, "SELECT 1 / (n - n) FROM demand_orders").await;
    assert_eq!(
        run.to_string(),
        "the query stopped: Arrow error: Divide by zero error"
    );
}

#[tokio::test]
async fn a_view_that_cannot_be_planned_is_named() {
    let mut fixture = Fixture::new();
    fixture.snapshot.views[0].sql = "SELECT nothing FROM metrics.demand_orders".to_owned();
    let error = Session::open(&fixture.snapshot, &fixture.engine())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.starts_with("cannot open epoch=7 at ops.busy_skus: "),
        "{error}"
    );
}

#[tokio::test]
async fn an_epoch_without_tables_has_its_schemas() {
    let mut fixture = Fixture::new();
    fixture.snapshot.tables.clear();
    fixture.snapshot.views.clear();
    let session = fixture.session().await;
    let schemas: Vec<_> = session.names().schemas().collect();
    assert_eq!(
        schemas,
        [
            "events",
            "facts",
            "feeds",
            "information_schema",
            "metrics",
            "metrics_revisions",
            "ops",
            "ref"
        ]
    );
}

#[tokio::test]
async fn memory_is_limited_for_all_sessions_together() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    let sql = "SELECT array_agg(value) FROM generate_series(1, 20000000)";
    let refused = error(&session, sql).await;
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("memory"), "{refused}");
    let batches = session
        .query("SELECT count(*) FROM demand_orders")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(
        batches[0]
            .column(0)
            .as_primitive::<arrow::datatypes::Int64Type>()
            .value(0),
        3
    );
}

/// The rewritten operators say of their results what the plan around them says: else a plan over a union does not fit together.
#[tokio::test]
async fn rewritten_operators_keep_plans_over_unions_whole() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    let values = "(SELECT count(*) AS n FROM demand_orders)";
    for (query, expected) in [
        (
            format!("SELECT x, count(*) FROM (SELECT n + 1 AS x FROM {values} UNION ALL SELECT n + 1 FROM {values}) GROUP BY x"),
            1,
        ),
        (
            "SELECT x, count(*) FROM (SELECT 'a' || 'b' AS x UNION ALL SELECT 'a' || 'c') GROUP BY x".to_owned(),
            2,
        ),
        (
            format!(
                "SELECT x, count(*) FROM (SELECT (to_timestamp(n) AT TIME ZONE 'Asia/Shanghai')::timestamp AS x FROM {values} \
                 UNION ALL SELECT (to_timestamp(n) AT TIME ZONE 'Asia/Shanghai')::timestamp FROM {values}) GROUP BY x"
            ),
            1,
        ),
    ] {
        assert_eq!(rows(&session, &query).await.len(), expected, "{query}");
    }
}
