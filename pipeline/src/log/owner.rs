//! The owner of a log: claims it, appends to it, writes checkpoints.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

use super::chain::Chain;
use super::error;
use super::objects::{Objects, PutOutcome};
use super::protocol::{self, ProtocolStep, PutPurpose};
use super::record::{ClaimId, LogPosition, RecordKind, RecordPlace, encode};
use super::recover::{Recovered, extended, read_chain};
use crate::error::Result;
use crate::observe::{CheckpointNotWritten, LogClaimed};
use crate::time::{Backoff, wall};

/// An owner that has neither appended nor read the log's end for this long ends (design 3.4).
///
/// Records live for 24 h. An owner that is silent for longer could put at a number that
/// another owner has written and that has been trimmed since.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(3_600);

/// A log that this process owns.
#[derive(Debug)]
pub struct Log {
    objects: Objects,
    chain: Chain,
    /// When the chain's end was last known to be mine, by [`wall::since_boot`].
    confirmed: Duration,
    silence_limit: Duration,
    /// A put that has begun and has no known outcome.
    open_put: Option<u64>,
}

impl Log {
    /// Reads the chain, makes this process its owner and returns what it found, with records that appeared meanwhile.
    ///
    /// `name` is the log's (`shard-3`, `publisher`), `layout` the version of its payloads, `owner` this process's name, for
    /// people who read an error. Every other owner is fenced from here on. Errors, which leave the log as it is: records or
    /// checkpoints of another layout or format ([`Incompatible`](crate::error::ErrorKind::Incompatible)), damage, a hole, a broken
    /// chain, a store that fails for 10 s.
    pub async fn claim(
        store: Arc<dyn ObjectStore>,
        name: &str,
        layout: u16,
        owner: &str,
    ) -> Result<(Self, Recovered)> {
        Self::claim_in(Objects::new(store, name, layout), owner).await
    }

    pub(super) async fn claim_in(objects: Objects, owner: &str) -> Result<(Self, Recovered)> {
        let (mut chain, mut recovered) = read_chain(&objects).await?;
        let nonce = Uuid::new_v4().as_u128();
        loop {
            let number = chain.next();
            let claim = ClaimId { number, nonce };
            let place = place(&objects, RecordKind::Claim, number, claim, chain.last.hash);
            let (bytes, hash) = encode(place, owner.as_bytes());
            match objects
                .put_record(PutPurpose::Claim, claim, number, &bytes)
                .await?
            {
                PutOutcome::Held => {
                    chain = Chain {
                        last: LogPosition { number, hash },
                        claim,
                    };
                    break;
                }
                PutOutcome::Ingest(record) => {
                    chain = extended(&objects, chain, &record)?;
                    recovered.ingest(*record);
                }
            }
        }
        LogClaimed {
            log: objects.folder.log(),
            number: chain.last.number,
            owner,
        }
        .report();
        let backoff = Backoff {
            limit: SILENCE_LIMIT,
            ..objects.backoff
        };
        let log = Self {
            objects: Objects { backoff, ..objects },
            chain,
            confirmed: wall::since_boot(),
            silence_limit: SILENCE_LIMIT,
            open_put: None,
        };
        Ok((log, recovered))
    }

    /// Puts `payload` as the next record and returns its number once it is durable and mine.
    ///
    /// Store errors are waited out for up to an hour (`SILENCE_LIMIT`): nothing is lost meanwhile, the caller only stands still.
    /// [`Fenced`](crate::error::ErrorKind::Fenced) ends the process. After any error, or if the future was dropped, the log
    /// has to be claimed again; until then every call is an error.
    pub async fn append(&mut self, payload: Bytes) -> Result<u64> {
        self.check()?;
        let number = self.chain.next();
        self.open_put = Some(number);
        let (last, claim) = (self.chain.last, self.chain.claim);
        let place = place(&self.objects, RecordKind::Data, number, claim, last.hash);
        let (bytes, hash) = encode(place, &payload);
        match self
            .objects
            .put_record(PutPurpose::Append, self.chain.claim, number, &bytes)
            .await?
        {
            PutOutcome::Held => {}
            PutOutcome::Ingest(record) => {
                return Err(self
                    .objects
                    .ended(ProtocolStep::Fenced, number, Some(*record)));
            }
        }
        // The process may have been stopped between the check and the put.
        self.check_silence()?;
        self.chain.last = LogPosition { number, hash };
        self.confirmed = wall::since_boot();
        self.open_put = None;
        Ok(number)
    }

    /// Reads the log's end and fails with `Fenced` where another owner stands there.
    pub async fn confirm(&mut self) -> Result<()> {
        self.check()?;
        let number = self.chain.next();
        let (found, there) = self.objects.find(number, &[]).await?;
        match protocol::at_end(self.chain.claim, found) {
            ProtocolStep::Held => {
                self.check_silence()?;
                self.confirmed = wall::since_boot();
                Ok(())
            }
            step => Err(self.objects.ended(step, number, there)),
        }
    }

    /// How long ago this owner last appended or read the log's end, the machine's sleep included; alerts leave only below 5 s
    /// (design 3.5).
    pub fn unconfirmed_for(&self) -> Duration {
        wall::since_boot().saturating_sub(self.confirmed)
    }

    /// The last record of the chain.
    pub fn last(&self) -> LogPosition {
        self.chain.last
    }

    /// The claim under which this owner writes; staged files carry it in their names.
    pub fn claim_id(&self) -> ClaimId {
        self.chain.claim
    }

    /// The log's name.
    pub fn name(&self) -> &str {
        self.objects.folder.log()
    }

    /// Whether this owner has appended anything behind its claim.
    pub fn has_appended(&self) -> bool {
        self.chain.last.number > self.chain.claim.number
    }

    /// Writes the state up to and with the last record, so that recovery begins there. False where the store is away: that
    /// loses nothing, the older checkpoint and the records serve, so it is a warning and may be tried again later.
    ///
    /// Checkpoints of one claim at one number replace each other.
    pub async fn write_checkpoint(&mut self, payload: Bytes) -> Result<bool> {
        self.check()?;
        let covers = self.chain.last;
        let claim = self.chain.claim;
        let place = place(
            &self.objects,
            RecordKind::Checkpoint,
            covers.number,
            claim,
            covers.hash,
        );
        let (bytes, _) = encode(place, &payload);
        let path = self.objects.folder.checkpoint(covers.number, claim);
        let put = self.objects.store.put(&path, bytes.into()).await;
        match put.map_err(error::store_failed(&path)) {
            Ok(_) => Ok(true),
            Err(error) if error.is_retryable() => {
                CheckpointNotWritten {
                    log: self.name(),
                    error: &error,
                }
                .report();
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn check(&self) -> Result<()> {
        match self.open_put {
            Some(number) => Err(error::interrupted(self.name(), number)),
            None => self.check_silence(),
        }
    }

    fn check_silence(&self) -> Result<()> {
        let silent = self.unconfirmed_for();
        if silent <= self.silence_limit {
            return Ok(());
        }
        Err(error::silent(self.name(), silent))
    }
}

fn place(
    objects: &Objects,
    kind: RecordKind,
    number: u64,
    claim: ClaimId,
    previous: [u8; 32],
) -> RecordPlace {
    RecordPlace {
        kind,
        layout: objects.layout,
        number,
        claim,
        previous,
        put_at: wall::now(),
    }
}

#[cfg(test)]
mod tests;
