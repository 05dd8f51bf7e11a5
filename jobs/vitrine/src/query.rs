//! Queries of the commands themselves, with rows as structs or columns.

use anyhow::Context;
use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;
use pipeline::query::Session;
use serde::de::DeserializeOwned;

/// All rows of a query; columns by the names of the fields, NULL as a missing field.
pub(crate) async fn rows<T: DeserializeOwned>(
    session: &Session,
    query: &str,
) -> anyhow::Result<Vec<T>> {
    let batches = batches(session, query).await?;
    let mut writer = LineDelimitedWriter::new(Vec::new());
    for batch in &batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    serde_json::Deserializer::from_slice(&writer.into_inner())
        .into_iter()
        .collect::<Result<_, _>>()
        .with_context(|| format!("rows have unexpected columns query={query}"))
}

/// All rows of a query, as columns.
pub(crate) async fn batches(session: &Session, query: &str) -> anyhow::Result<Vec<RecordBatch>> {
    let answer = session
        .query(query)
        .await
        .with_context(|| format!("query={query}"))?;
    Ok(answer.collect().await?)
}
