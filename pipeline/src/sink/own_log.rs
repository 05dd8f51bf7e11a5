//! A delivery's own log: whoever owns it delivers, and only while it has been seen to be its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use object_store::ObjectStore;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::log::{CheckpointSchedule, Log, Recovered};
use crate::time::wall;

/// How long after an append or a look at the log's end its owner may send (design 3.5).
const SEND_LEASE: Duration = Duration::from_secs(5);
/// How often the owner looks at the log's end while something waits to be sent: well within the lease.
const LOOK_WHILE_SENDING: Duration = Duration::from_secs(2);
/// And while nothing does: well within the hour after which a silent owner ends.
const LOOK_WHILE_IDLE: Duration = Duration::from_secs(60);
/// Records between two checkpoints.
const CHECKPOINT_EVERY: u64 = 64;

/// What a former owner left in the log.
pub(super) struct Restored<C, R> {
    pub(super) checkpoint: Option<C>,
    /// Behind the checkpoint, in their order, with their numbers.
    pub(super) records: Vec<(u64, R)>,
}

/// A log of records `R` and checkpoints `C`, each in one layout.
pub(super) struct OwnLog {
    log: Log,
    appended_at: Instant,
    checkpoints: CheckpointSchedule,
}

impl OwnLog {
    /// Becomes the owner of log `name`; every other owner is fenced from here on.
    pub(super) async fn claim<C: DeserializeOwned, R: DeserializeOwned>(
        store: Arc<dyn ObjectStore>,
        name: &str,
        layout: u16,
        owner: &str,
    ) -> Result<(Self, Restored<C, R>)> {
        let (log, recovered) = Log::claim(store, name, layout, owner).await?;
        let restored = restore(name, &recovered)?;
        let covered = log.last().number - restored.records.len() as u64;
        let own = Self {
            log,
            appended_at: wall::monotonic(),
            checkpoints: CheckpointSchedule::new(CHECKPOINT_EVERY, covered),
        };
        Ok((own, restored))
    }

    /// Makes `record` durable and returns its number.
    pub(super) async fn append<R: Serialize>(&mut self, record: &R) -> Result<u64> {
        let number = self.log.append(payload(record)?).await?;
        self.appended_at = wall::monotonic();
        Ok(number)
    }

    /// Whether the state should be written as a checkpoint.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        self.checkpoints.is_due(self.log.last().number)
    }

    /// Writes the state up to the last record; where that fails, a later record tries again.
    pub(super) async fn write_checkpoint<C: Serialize>(&mut self, state: &C) -> Result<()> {
        let is_written = self.log.write_checkpoint(payload(state)?).await?;
        self.checkpoints.tried(self.log.last().number, is_written);
        Ok(())
    }

    /// Looks at the log's end if it is time to; [`ErrorKind::Fenced`] where another owner stands there.
    pub(super) async fn look(&mut self, is_sending: bool) -> Result<()> {
        if self.look_in(is_sending).is_zero() {
            self.look_now().await?;
        }
        Ok(())
    }

    /// Looks at the log's end.
    pub(super) async fn look_now(&mut self) -> Result<()> {
        self.log.confirm().await
    }

    /// How long until the next look.
    pub(super) fn look_in(&self, is_sending: bool) -> Duration {
        let every = if is_sending {
            LOOK_WHILE_SENDING
        } else {
            LOOK_WHILE_IDLE
        };
        every.saturating_sub(self.log.unconfirmed_for())
    }

    /// Whether sending is allowed now. No wall clock has a say, and time that the machine sleeps counts.
    pub(super) fn may_send(&self) -> bool {
        self.log.unconfirmed_for() < SEND_LEASE
    }

    /// A name that nobody else has.
    pub(super) fn random_name(&self) -> String {
        format!("{:016x}", self.log.claim_id().nonce as u64)
    }

    /// How long ago this owner last appended; claiming counts.
    pub(super) fn since_append(&self) -> Duration {
        wall::monotonic().duration_since(self.appended_at)
    }
}

fn payload<T: Serialize>(value: &T) -> Result<Bytes> {
    Ok(postcard::to_stdvec(value)?.into())
}

fn restore<C: DeserializeOwned, R: DeserializeOwned>(
    name: &str,
    recovered: &Recovered,
) -> Result<Restored<C, R>> {
    let checkpoint = recovered.checkpoint.as_ref();
    let checkpoint = checkpoint.map(|(covers, bytes)| decode(name, covers.number, bytes));
    let records = recovered.records.iter();
    Ok(Restored {
        checkpoint: checkpoint.transpose()?,
        records: records
            .map(|(number, bytes)| Ok((*number, decode(name, *number, bytes)?)))
            .collect::<Result<_>>()?,
    })
}

fn decode<T: DeserializeOwned>(name: &str, number: u64, bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(Error::from_source(
        ErrorKind::Damaged,
        format!("log={name} number={number} cannot be read: restore it from a copy"),
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::log::faulty::{Fault, FaultyStore};

    async fn claim(
        store: &Arc<dyn ObjectStore>,
        layout: u16,
    ) -> Result<(OwnLog, Restored<u32, String>)> {
        OwnLog::claim(store.clone(), "sink-test", layout, "owner").await
    }

    #[tokio::test]
    async fn what_was_appended_comes_back_behind_the_newest_checkpoint() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (mut log, restored) = claim(&store, 1).await.unwrap();
        assert_eq!((restored.checkpoint, restored.records.len()), (None, 0));
        for number in 1..=CHECKPOINT_EVERY {
            assert!(!log.is_checkpoint_due());
            log.append(&format!("record {number}")).await.unwrap();
        }
        assert!(log.is_checkpoint_due());
        log.write_checkpoint(&64_u32).await.unwrap();
        assert!(!log.is_checkpoint_due());
        log.append(&"last").await.unwrap();

        let (_, restored) = claim(&store, 1).await.unwrap();
        assert_eq!(restored.checkpoint, Some(64));
        let records: Vec<_> = restored
            .records
            .into_iter()
            .map(|(_, record)| record)
            .collect();
        assert_eq!(records, ["last"]);
        let fenced = log.append(&"zombie").await.unwrap_err();
        assert_eq!(fenced.kind(), ErrorKind::Fenced);
    }

    #[tokio::test]
    async fn another_layout_is_refused_before_it_is_read() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (mut log, _) = claim(&store, 1).await.unwrap();
        log.append(&"first").await.unwrap();
        let error = claim(&store, 2).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.to_string().contains("log=sink-test"), "{error}");
    }

    #[tokio::test]
    async fn f06_an_error_after_success_neither_repeats_nor_loses_a_record_of_a_sinks_log() {
        let faulty = FaultyStore::new([]);
        let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
        // The claim, then each record: written and answered with an error, or not written at first.
        let (before, after) = (Fault::WithoutEffect, Fault::AfterSuccess);
        for (owner, faults) in [[after, after], [before, after], [after, before]]
            .into_iter()
            .enumerate()
        {
            faulty.then([faults[0]]);
            let (mut log, restored) = claim(&store, 1).await.unwrap();
            assert_eq!(restored.records.len(), owner * 2);
            for part in 0..2 {
                faulty.then(faults);
                let name = format!("{owner}-{part}");
                log.append(&name).await.unwrap();
            }
        }
        let (_, restored) = claim(&store, 1).await.unwrap();
        let records: Vec<String> = restored
            .records
            .into_iter()
            .map(|(_, record)| record)
            .collect();
        assert_eq!(records, ["0-0", "0-1", "1-0", "1-1", "2-0", "2-1"]);
    }

    #[tokio::test]
    async fn a_checkpoint_that_cannot_be_written_is_tried_again() {
        let faulty = FaultyStore::new([]);
        let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
        let (mut log, _) = claim(&store, 1).await.unwrap();
        log.append(&"first").await.unwrap();
        log.checkpoints = CheckpointSchedule::new(1, 0);
        assert!(log.is_checkpoint_due());
        faulty.then([Fault::WithoutEffect]);
        log.write_checkpoint(&1_u32).await.unwrap();
        assert!(!log.is_checkpoint_due(), "not again at once");
        log.append(&"second").await.unwrap();
        assert!(log.is_checkpoint_due());
        log.write_checkpoint(&2_u32).await.unwrap();
        let (_, restored) = claim(&store, 1).await.unwrap();
        assert_eq!(restored.checkpoint, Some(2));
        assert!(restored.records.is_empty());
    }

    #[tokio::test]
    async fn the_lease_begins_with_the_claim_and_a_look_is_due_before_it_ends() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (mut log, _) = claim(&store, 1).await.unwrap();
        assert!(log.may_send());
        assert!(log.look_in(true) <= LOOK_WHILE_SENDING);
        assert!(log.look_in(false) > LOOK_WHILE_SENDING);
        // Nothing is read before it is due.
        claim(&store, 1).await.unwrap();
        log.look(false).await.unwrap();
        wall::sleep(log.look_in(true)).await;
        let fenced = log.look(true).await.unwrap_err();
        assert_eq!(fenced.kind(), ErrorKind::Fenced);
    }
}
