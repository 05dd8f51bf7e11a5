//! Small questions to a session, answered as structs.

use anyhow::Context;
use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;
use pipeline::query::Session;
use serde::de::DeserializeOwned;

/// All rows of a query; columns by the names of the fields, NULL as absence.
pub async fn rows<T: DeserializeOwned>(session: &Session, sql: &str) -> anyhow::Result<Vec<T>> {
    let batches = batches(session, sql).await?;
    let mut writer = LineDelimitedWriter::new(Vec::new());
    for batch in &batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    serde_json::Deserializer::from_slice(&writer.into_inner())
        .into_iter()
        .collect::<Result<_, _>>()
        .with_context(|| format!("an answer has unexpected columns query={sql}"))
}

/// All rows of a query, as columns.
pub async fn batches(session: &Session, sql: &str) -> anyhow::Result<Vec<RecordBatch>> {
    let answer = session
        .query(sql)
        .await
        .with_context(|| format!("query={sql}"))?;
    Ok(answer.collect().await?)
}
