#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::query::fixture::Fixture;

/// A sink whose bytes can be read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe whose reader has gone after so many bytes.
struct Closed(usize);

impl Write for Closed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn bytes(sql: &str, format: Format) -> Vec<u8> {
    let fixture = Fixture::new();
    let answer = fixture.session().await.query(sql).await.unwrap();
    let sink = Shared::default();
    write(answer, format, sink.clone()).await.unwrap();
    sink.0.lock().unwrap().clone()
}

async fn text(sql: &str, format: Format) -> String {
    String::from_utf8(bytes(sql, format).await).unwrap()
}

/// One row with a value of each kind (the instant just after midnight in Shanghai), and one of NULL.
const KINDS: &str = "SELECT * FROM (VALUES \
    (1, true, CAST(1.5 AS DECIMAL(38,6)), 0.5, 'a,\"b\"', DATE '2026-01-05', TIMESTAMP '2026-01-05T00:00:00.25', [1, 2], [[1], []]), \
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) \
    AS t(i, b, d, f, s, day, at, list, nested)";

const SOURCE: &str = "SELECT i, b, d, f, s, day, arrow_cast(at, 'Timestamp(Microsecond, Some(\"Asia/Shanghai\"))') AS at, list, nested FROM";

fn kinds() -> String {
    format!("{SOURCE} ({KINDS})")
}

#[tokio::test]
async fn csv_as_the_contract_says() {
    assert_eq!(
        text(&kinds(), Format::Csv).await,
        "i,b,d,f,s,day,at,list,nested\n\
         1,true,1.500000,0.5,\"a,\"\"b\"\"\",2026-01-05,2026-01-04T16:00:00.250Z,1|2,\"[[1],[]]\"\n\
         ,,,,,,,,\n"
    );
}

#[tokio::test]
async fn k42_ids_in_a_list_written_as_text_are_told_apart() {
    let sql =
        "SELECT * FROM (VALUES (['C|1', '50%']), (['C', '1|50%']), (['C%7C1', '50%'])) AS t(ids)";
    let expected = "ids\nC%7C1|50%25\nC|1%7C50%25\nC%257C1|50%25\n";
    assert_eq!(text(sql, Format::Csv).await, expected);
}

#[tokio::test]
async fn json_lines_and_arrays() {
    let first = r#"{"i":1,"b":true,"d":"1.500000","f":0.5,"s":"a,\"b\"","day":"2026-01-05","at":"2026-01-04T16:00:00.250Z","list":[1,2],"nested":[[1],[]]}"#;
    let second = r#"{"i":null,"b":null,"d":null,"f":null,"s":null,"day":null,"at":null,"list":null,"nested":null}"#;
    assert_eq!(
        text(&kinds(), Format::NdJson).await,
        format!("{first}\n{second}\n")
    );
    assert_eq!(
        text(&kinds(), Format::Json).await,
        format!("[{first},{second}]\n")
    );
}

#[tokio::test]
async fn a_table_for_people() {
    let sql = "SELECT sku_id, window_end, requested_qty FROM demand_orders WHERE sku_id = 'S2'";
    let expected = "\
+--------+----------------------+---------------+
| sku_id | window_end           | requested_qty |
+--------+----------------------+---------------+
| S2     | 2026-01-05T16:00:00Z | 26            |
+--------+----------------------+---------------+
";
    assert_eq!(text(sql, Format::Table).await, expected);
    let steered = text("SELECT chr(27) || '[2J' AS x", Format::Table).await;
    assert!(
        steered.contains("\\u{1b}[2J") && !steered.contains('\u{1b}'),
        "{steered}"
    );
}

#[tokio::test]
async fn an_answer_without_rows_keeps_its_shape() {
    let sql = "SELECT sku_id, n FROM demand_orders WHERE n < 0";
    assert_eq!(text(sql, Format::Csv).await, "sku_id,n\n");
    assert_eq!(text(sql, Format::Json).await, "[]\n");
    assert_eq!(text(sql, Format::NdJson).await, "");
    assert!(text(sql, Format::Table).await.contains("| sku_id | n |"));
}

#[tokio::test]
async fn arrow_and_parquet_give_back_what_was_asked() {
    let sql = "SELECT sku_id, sum(requested_qty) AS q FROM demand_orders GROUP BY 1 ORDER BY 1";
    let expected = text(sql, Format::Csv).await;
    let arrow = io::Cursor::new(bytes(sql, Format::Arrow).await);
    let arrow: Vec<_> = arrow::ipc::reader::FileReader::try_new(arrow, None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let parquet = Bytes::from(bytes(sql, Format::Parquet).await);
    let parquet = ParquetRecordBatchReaderBuilder::try_new(parquet)
        .unwrap()
        .build()
        .unwrap();
    for batches in [arrow, parquet.map(Result::unwrap).collect()] {
        let sink = Shared::default();
        let mut writer = arrow::csv::WriterBuilder::new().build(sink.clone());
        for batch in &batches {
            writer.write(batch).unwrap();
        }
        drop(writer);
        assert_eq!(
            String::from_utf8(sink.0.lock().unwrap().clone()).unwrap(),
            expected
        );
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_is_recognised_in_every_format() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    for format in Format::ALL {
        let answer = session
            .query("SELECT value, 'text ' || value FROM generate_series(1, 50000)")
            .await
            .unwrap();
        let error = write(answer, format, Closed(100))
            .await
            .expect_err(format.as_str());
        assert!(is_broken_pipe(&error), "{format}: {error}");
    }
}

#[tokio::test]
async fn an_error_on_the_way_is_the_query_s() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    let answer = session
        .query("SELECT 1 / (value - value) FROM generate_series(1, 5)")
        .await
        .unwrap();
    let error = write(answer, Format::Csv, Shared::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Query);
    assert!(
        error.to_string().starts_with("the query stopped: "),
        "{error}"
    );
}

#[tokio::test]
async fn fields_of_a_struct_have_different_names_in_every_format() {
    let sql = "SELECT named_struct('a', 1, 'a', 2, 'a_2', 3) AS s, \
               [named_struct('b', named_struct('c', 4, 'c', 6), 'b', 5)] AS l";
    let s = r#"{"a":1,"a_3":2,"a_2":3}"#;
    let l = r#"[{"b":{"c":4,"c_2":6},"b_2":5}]"#;
    let row = format!(r#"{{"s":{s},"l":{l}}}"#);
    assert_eq!(text(sql, Format::NdJson).await, format!("{row}\n"));
    assert_eq!(text(sql, Format::Json).await, format!("[{row}]\n"));
    let quoted = |json: &str| format!("\"{}\"", json.replace('"', "\"\""));
    let csv = format!("s,l\n{},{}\n", quoted(s), quoted(l));
    assert_eq!(text(sql, Format::Csv).await, csv);
    assert!(text(sql, Format::Table).await.contains(s));

    let arrow = io::Cursor::new(bytes(sql, Format::Arrow).await);
    let arrow = arrow::ipc::reader::FileReader::try_new(arrow, None)
        .unwrap()
        .schema();
    let parquet = Bytes::from(bytes(sql, Format::Parquet).await);
    let parquet = ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap();
    for schema in [&arrow, parquet.schema()] {
        let DataType::Struct(fields) = schema.field(0).data_type() else {
            panic!("{schema}")
        };
        let names: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["a", "a_3", "a_2"]);
    }
}

#[tokio::test]
async fn values_that_json_cannot_show_are_null_and_counted() {
    let fixture = Fixture::new();
    let session = fixture.session().await;
    let sql = "SELECT 1e0 / 0 AS a, 'NaN'::double AS b, ['-inf'::double, 1] AS c, 0.5 AS d";
    for (format, nulled) in [
        (Format::Json, 3),
        (Format::NdJson, 3),
        (Format::Csv, 0),
        (Format::Table, 0),
        (Format::Arrow, 0),
        (Format::Parquet, 0),
    ] {
        let answer = session.query(sql).await.unwrap();
        let written = write(answer, format, Shared::default()).await.unwrap();
        assert_eq!(written, Written { rows: 1, nulled }, "{format}");
    }
    let nested = "SELECT named_struct('x', 'NaN'::double) AS s";
    let answer = session.query(nested).await.unwrap();
    let written = write(answer, Format::Csv, Shared::default()).await.unwrap();
    assert_eq!(written.nulled, 1);
}

#[test]
fn formats_by_name() {
    assert_eq!("ndjson".parse(), Ok(Format::NdJson));
    let error = "xml".parse::<Format>().unwrap_err();
    assert_eq!(
        error,
        "unknown format=xml; one of table, csv, json, ndjson, arrow, parquet"
    );
}
