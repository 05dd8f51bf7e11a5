//! A producer whose records arrive all together or not at all.
//!
//! It sends under a fixed `transactional.id`. Whoever opens one after it fences it: what it has not committed by then never shows to
//! readers of committed records.

use std::time::Duration;

use futures::future::join_all;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::Timeout;

use super::error;
use super::producer::{ProducerEvents, create, is_refusal, producer_config};
use crate::error::{Error, ErrorKind, Result};

/// How often a commit is asked for until its outcome counts as unknown.
const COMMIT_TRIES: usize = 3;

/// See the module's page.
pub(crate) struct TransactionalProducer {
    producer: FutureProducer<ProducerEvents>,
    time_out: Duration,
}

/// Why a transaction did not arrive.
#[derive(Debug)]
pub(crate) struct TransactionFailed {
    /// The one record that was refused for good, by its position, where it is known.
    pub(crate) refused: Option<usize>,
    pub(crate) source: KafkaError,
    /// Nothing of it has arrived, and the producer may go on. Otherwise it may have arrived as a whole, and the producer is of no
    /// use any more.
    pub(crate) is_undone: bool,
}

impl TransactionalProducer {
    /// Opens a producer and fences every other one with this `id`.
    pub(crate) async fn open<'a>(
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
        id: &str,
        time_out: Duration,
        fixed: &[(&str, &str)],
    ) -> Result<Self> {
        let mut config = producer_config(&[], properties, fixed);
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        config
            .set("transactional.id", id)
            .set("message.timeout.ms", milliseconds(time_out))
            // One that a dead owner left open ends by itself only after this time; the next owner does not wait for that.
            .set("transaction.timeout.ms", milliseconds(time_out * 2));
        let opened = Self {
            producer: create(&config)?,
            time_out,
        };
        let fenced = opened.blocking(|producer, time_out| producer.init_transactions(time_out));
        fenced.await.map_err(|source| not_opened(id, source))?;
        Ok(opened)
    }

    /// Sends the records in their order and commits them.
    pub(crate) async fn send(
        &self,
        records: impl Iterator<Item = FutureRecord<'_, [u8], [u8]>>,
    ) -> Result<(), TransactionFailed> {
        if let Err(source) = self.producer.begin_transaction() {
            return Err(TransactionFailed {
                refused: None,
                source,
                is_undone: false,
            });
        }
        let time_out = Timeout::After(self.time_out);
        let sends = records.map(|record| self.producer.send(record, time_out));
        let failed: Vec<(usize, KafkaError)> = (0..)
            .zip(join_all(sends).await)
            .filter_map(|(position, answer)| Some((position, answer.err()?.0)))
            .collect();
        if let Some((refused, source)) = to_blame(&failed) {
            return Err(TransactionFailed {
                refused,
                source,
                is_undone: self.abort().await,
            });
        }
        let Err(source) = self.commit().await else {
            return Ok(());
        };
        let is_abortable =
            matches!(&source, KafkaError::Transaction(error) if error.txn_requires_abort());
        Err(TransactionFailed {
            refused: None,
            source,
            is_undone: is_abortable && self.abort().await,
        })
    }

    async fn commit(&self) -> Result<(), KafkaError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let commit = self.blocking(|producer, time_out| producer.commit_transaction(time_out));
            match commit.await {
                Err(KafkaError::Transaction(error))
                    if error.is_retriable() && tries < COMMIT_TRIES => {}
                outcome => return outcome,
            }
        }
    }

    /// Whether the transaction is known to be aborted.
    async fn abort(&self) -> bool {
        let abort = self.blocking(|producer, time_out| producer.abort_transaction(time_out));
        abort.await.is_ok()
    }

    /// Asks the coordinator, which may take as long as the time-out.
    async fn blocking(
        &self,
        ask: impl FnOnce(&FutureProducer<ProducerEvents>, Duration) -> Result<(), KafkaError>
        + Send
        + 'static,
    ) -> Result<(), KafkaError> {
        let (producer, time_out) = (self.producer.clone(), self.time_out);
        let asked = tokio::task::spawn_blocking(move || ask(&producer, time_out));
        asked.await.unwrap_or(Err(KafkaError::Canceled))
    }
}

/// The failure that says why a transaction failed: a refusal, for it makes the others fail too. Its position only where no other
/// record was refused: a batch is refused whole for one of its records.
fn to_blame(failed: &[(usize, KafkaError)]) -> Option<(Option<usize>, KafkaError)> {
    let mut refused = failed.iter().filter(|(_, error)| is_refusal(error));
    match (refused.next(), refused.next()) {
        (Some((position, error)), None) => Some((Some(*position), error.clone())),
        (Some((_, error)), Some(_)) => Some((None, error.clone())),
        (None, _) => failed.first().map(|(_, error)| (None, error.clone())),
    }
}

/// Why no transaction can be begun. All of it passes, or is mended at the broker.
fn not_opened(id: &str, source: KafkaError) -> Error {
    use RDKafkaErrorCode as Code;
    match source.rdkafka_error_code() {
        Some(Code::TransactionalIdAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
            let advice = "grant Describe and Write on transactional ids that begin with [source] group to our user";
            let message = format!("transactions are not allowed transactional.id={id}: {advice}");
            Error::new(ErrorKind::Unavailable, message).caused_by(source)
        }
        _ => error::client_failed(format_args!("opening transactional.id={id}"), source),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;

    async fn open(brokers: &str) -> TransactionalProducer {
        let properties = [("bootstrap.servers", brokers)];
        let time_out = Duration::from_secs(10);
        let opened = TransactionalProducer::open(properties, "test", time_out, &[]);
        opened.await.unwrap()
    }

    fn record() -> FutureRecord<'static, [u8], [u8]> {
        FutureRecord::to("t").key(&b"k"[..]).payload(&b"v"[..])
    }

    #[tokio::test]
    /// That the next one then arrives is shown on a real broker (`tests/it/sinks/refused.rs`): the mock cluster purges it.
    async fn a_refused_record_undoes_its_transaction() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let producer = open(&cluster.bootstrap_servers()).await;
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
        cluster.request_errors(RDKafkaApiKey::Produce, &[refusal]);
        let failed = producer.send([record()].into_iter()).await.unwrap_err();
        assert_eq!((failed.refused, failed.is_undone), (Some(0), true));
        assert!(is_refusal(&failed.source), "{}", failed.source);
    }

    #[test]
    fn of_several_refusals_none_is_named() {
        use RDKafkaErrorCode as Code;
        let failed = |codes: &[Code]| -> Vec<(usize, KafkaError)> {
            let errors = codes
                .iter()
                .map(|code| KafkaError::MessageProduction(*code));
            (3..).zip(errors).collect()
        };
        let (large, away) = (Code::MessageSizeTooLarge, Code::MessageTimedOut);
        let named = |codes: &[Code]| {
            to_blame(&failed(codes)).map(|(position, error)| (position, error.rdkafka_error_code()))
        };
        assert_eq!(named(&[]), None);
        assert_eq!(named(&[away, away]), Some((None, Some(away))));
        assert_eq!(named(&[away, large]), Some((Some(4), Some(large))));
        assert_eq!(named(&[large, away, large]), Some((None, Some(large))));
    }
}
