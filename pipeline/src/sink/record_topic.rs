//! Kafka as the place where an epoch's records leave to: in transactions, under one name for each storage.
//!
//! Each record carries the header `vitrine-sink`: sender, epoch and position in the epoch. So the ends of the topics tell what has
//! been committed, whoever sent it before this process.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::producer::FutureRecord;
use tokio::sync::Mutex;

use super::record_sink::{RecordSink, RecordSinkError};
use super::sink_record::{SinkRecord, header_size};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{
    Header, TransactionFailed, TransactionalProducer, ensure_topics, greatest_at_ends, header_text,
    is_too_large, message_limits, not_delivered, write_headers,
};

const TIME_OUT: Duration = Duration::from_secs(30);
/// What a topic takes where brokers do not say: their default of 1 MiB, with some to spare.
const UNKNOWN_LIMIT: usize = 900_000;
/// Below this no limit is guessed: a record of a few hundred bytes that is refused is refused for another reason.
const LEAST_LIMIT: usize = 1_000;
/// What a request takes beside its records.
const REQUEST_BYTES: usize = 65_536;
/// Longest batch of records, as brokers take it by default.
const BATCH_BYTES: usize = 900_000;
/// Identifies a record: sender, epoch, position.
const SINK_HEADER: &str = "vitrine-sink";

/// Kafka, by a transactional producer.
pub struct KafkaRecordSink {
    properties: BTreeMap<String, String>,
    /// Of `[source] group`: the `transactional.id` begins with it and ends of topics are read under it, so access rules name it.
    group: String,
    topics: Vec<String>,
    session: Mutex<Option<Session>>,
    /// What topics have been found to take, where brokers do not say or said more.
    learnt: std::sync::Mutex<BTreeMap<String, usize>>,
}

/// From one `resume` to the next.
struct Session {
    sender: String,
    producer: TransactionalProducer,
    limits: BTreeMap<String, usize>,
}

impl KafkaRecordSink {
    /// Makes the `topics` that do not exist if `create` says so; otherwise one that does not is an error. `group` is what the
    /// `transactional.id` begins with.
    pub async fn open(
        properties: &BTreeMap<String, String>,
        group: &str,
        topics: &[String],
        create: bool,
    ) -> Result<Self> {
        ensure_topics(pairs(properties), topics, create).await?;
        Ok(Self::of_topics(properties, group, topics))
    }

    fn of_topics(properties: &BTreeMap<String, String>, group: &str, topics: &[String]) -> Self {
        Self {
            properties: properties.clone(),
            group: group.to_owned(),
            topics: topics.to_vec(),
            session: Mutex::new(None),
            learnt: std::sync::Mutex::default(),
        }
    }

    /// What each topic takes, as far as is known now.
    async fn limits(&self) -> Result<BTreeMap<String, usize>> {
        let mut limits = message_limits(pairs(&self.properties), &self.topics).await?;
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        for (topic, learnt) in learnt.iter() {
            let limit = limits.entry(topic.clone()).or_insert(*learnt);
            *limit = (*limit).min(*learnt);
        }
        let configured = self.properties.get("message.max.bytes");
        if let Some(most) = configured.and_then(|most| most.parse::<usize>().ok()) {
            for topic in &self.topics {
                let limit = limits.entry(topic.clone()).or_insert(UNKNOWN_LIMIT);
                *limit = (*limit).min(most);
            }
        }
        Ok(limits)
    }

    async fn producer(
        &self,
        sender: &str,
        limits: &BTreeMap<String, usize>,
    ) -> Result<TransactionalProducer> {
        let least = limits.values().copied().min().unwrap_or(UNKNOWN_LIMIT);
        let most = limits.values().copied().max().unwrap_or(UNKNOWN_LIMIT);
        let batch = least.min(BATCH_BYTES).to_string();
        let most = (most.max(UNKNOWN_LIMIT) + REQUEST_BYTES).to_string();
        let mut fixed = vec![("linger.ms", "20"), ("batch.size", batch.as_str())];
        if !self.properties.contains_key("message.max.bytes") {
            // The topics decide what is too large, not the client.
            fixed.push(("message.max.bytes", &most));
        }
        let id = format!("{}-records-{sender}", self.group);
        TransactionalProducer::open(pairs(&self.properties), &id, TIME_OUT, &fixed).await
    }

    /// A record was refused for its size although it seemed to fit. Whether its topic is known to take less from now on.
    async fn learn(&self, refused: &SinkRecord, limit: usize) -> bool {
        let asked = message_limits(pairs(&self.properties), &self.topics).await;
        let asked = asked
            .ok()
            .and_then(|asked| asked.get(&refused.topic).copied());
        let halved = refused.size().min(limit) / 2;
        let found = match asked.filter(|asked| *asked < limit) {
            Some(asked) => asked,
            None if refused.may_be_cut && halved >= LEAST_LIMIT => halved,
            None => return false,
        };
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.insert(refused.topic.clone(), found);
        true
    }

    async fn failed(
        &self,
        session: &Session,
        records: &[(Cow<'_, SinkRecord>, Header)],
        failed: TransactionFailed,
    ) -> RecordSinkError {
        let TransactionFailed {
            refused,
            source,
            is_undone,
        } = failed;
        let record = refused.and_then(|position| Some(&records.get(position)?.0));
        let Some(record) = record else {
            // Several were refused, or the transaction as a whole.
            let topics: BTreeSet<&str> = records
                .iter()
                .map(|(record, _)| record.topic.as_str())
                .collect();
            let topics = Vec::from_iter(topics).join(", ");
            return RecordSinkError {
                refused: None,
                error: not_delivered(&topics, source),
                is_undone,
            };
        };
        if is_too_large(&source) {
            let limit = limit(&session.limits, &record.topic);
            if self.learn(record, limit).await {
                let message = format!("topic={} takes less than it did", record.topic);
                let error = Error::new(ErrorKind::Unavailable, message).caused_by(source);
                return RecordSinkError {
                    refused: None,
                    error,
                    is_undone: false,
                };
            }
        }
        RecordSinkError {
            refused,
            error: not_delivered(&record.topic, source),
            is_undone,
        }
    }
}

#[async_trait]
impl RecordSink for KafkaRecordSink {
    async fn resume(&self, sender: &str, epoch: i64, records: &[SinkRecord]) -> Result<usize> {
        let mut session = self.session.lock().await;
        *session = None;
        let limits = self.limits().await?;
        let producer = self.producer(sender, &limits).await?;
        let topics: BTreeSet<&String> = records.iter().map(|record| &record.topic).collect();
        let topics: Vec<String> = topics.into_iter().cloned().collect();
        let (properties, group) = (self.properties.clone(), self.group.clone());
        let name = sender.to_owned();
        let last = tokio::task::spawn_blocking(move || {
            greatest_at_ends(pairs(&properties), &group, &topics, |headers| {
                mark_in(headers, &name)
            })
        });
        let last = last.await.map_err(|panic| {
            Error::new(
                ErrorKind::Internal,
                "reading the ends of topics ended early",
            )
            .caused_by(panic)
        })??;
        *session = Some(Session {
            sender: sender.to_owned(),
            producer,
            limits,
        });
        Ok(match last {
            Some((found, position)) if found == epoch => (position + 1).min(records.len()),
            _ => 0,
        })
    }

    async fn send(
        &self,
        epoch: i64,
        first: usize,
        records: &[SinkRecord],
    ) -> Result<(), RecordSinkError> {
        let mut held = self.session.lock().await;
        let Some(session) = &*held else {
            let message = "records are sent before the sink has resumed";
            return Err(undone(None, Error::new(ErrorKind::Internal, message)));
        };
        let mut fitted = Vec::with_capacity(records.len());
        for (position, record) in records.iter().enumerate() {
            let mark = mark(&session.sender, epoch, first + position);
            let limit = limit(&session.limits, &record.topic);
            let room = limit.saturating_sub(header_size(&mark));
            match record.fitted(room) {
                Some(record) => fitted.push((record, mark)),
                None => return Err(undone(Some(position), too_large(record, limit))),
            }
        }
        let messages = fitted.iter().map(|(record, mark)| {
            let headers: Vec<Header> = record.headers.iter().chain([mark]).cloned().collect();
            let mut message: FutureRecord<'_, [u8], [u8]> =
                FutureRecord::to(&record.topic).headers(write_headers(&headers));
            message.key = record.key.as_deref();
            message.payload = record.value.as_deref();
            message
        });
        let Err(failed) = session.producer.send(messages).await else {
            return Ok(());
        };
        let failed = self.failed(session, &fitted, failed).await;
        if !failed.is_undone {
            *held = None;
        }
        Err(failed)
    }
}

fn pairs(properties: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    let pairs = properties.iter();
    pairs.map(|(name, value)| (name.as_str(), value.as_str()))
}

fn limit(limits: &BTreeMap<String, usize>, topic: &str) -> usize {
    limits.get(topic).copied().unwrap_or(UNKNOWN_LIMIT)
}

fn undone(refused: Option<usize>, error: Error) -> RecordSinkError {
    RecordSinkError {
        refused,
        error,
        is_undone: true,
    }
}

fn too_large(record: &SinkRecord, limit: usize) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!(
            "a record of bytes={} does not fit into topic={}, which takes bytes={limit}: raise max.message.bytes there",
            record.size(),
            record.topic
        ),
    )
}

/// The header that tells which record of which epoch it is.
fn mark(sender: &str, epoch: i64, position: usize) -> Header {
    let value = format!("{sender} {epoch} {position}");
    (
        Bytes::from_static(SINK_HEADER.as_bytes()),
        Some(value.into()),
    )
}

/// Epoch and position of a record that `sender` sent.
fn mark_in(headers: &[Header], sender: &str) -> Option<(i64, usize)> {
    let mut parts = header_text(headers, SINK_HEADER)?.split(' ');
    if parts.next()? != sender {
        return None;
    }
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;
