//! One log's objects in the store: reading, listing, and putting until the outcome is known.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode};
use tracing::warn;

use super::error;
use super::protocol::{self, Found, Goal, ProtocolStep, PutAnswer};
use super::record::{ClaimId, Damage, LogRecord, RecordKind, decode};
use super::store::{LogFolder, number_of};
use crate::error::{Error, Result};
use crate::time::wall;

/// How long to go on after errors, and how long to wait between tries (doubling, up to 5 s).
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub limit: Duration,
    pub first_pause: Duration,
}

/// Enough for a store that restarts, short enough to tell an operator at start that the storage is wrong.
pub(super) const START_PATIENCE: Patience = Patience {
    limit: Duration::from_secs(10),
    first_pause: Duration::from_millis(20),
};

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One series of tries.
struct Tries {
    patience: Patience,
    started: Instant,
    pause: Duration,
}

impl Tries {
    fn new(patience: Patience) -> Self {
        Self {
            patience,
            started: wall::monotonic(),
            pause: patience.first_pause,
        }
    }

    /// Waits before the next try; gives the error back where trying on is of no use.
    async fn again(&mut self, path: &Path, error: StoreError) -> Result<()> {
        let hopeless = matches!(
            error,
            StoreError::NotSupported { .. }
                | StoreError::NotImplemented { .. }
                | StoreError::InvalidPath { .. }
        );
        if hopeless || self.started.elapsed() >= self.patience.limit {
            return Err(error::store_failed(path)(error));
        }
        warn!(%path, %error, pause_ms = self.pause.as_millis() as u64, "object store gave an error; trying again");
        if self.pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            wall::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }
}

/// How a put at a number ended.
pub(super) enum PutOutcome {
    /// My record stands there.
    Held,
    /// Another owner's record stands there.
    TakeIn(Box<LogRecord>),
}

/// The objects of one log.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    pub store: Arc<dyn ObjectStore>,
    pub folder: LogFolder,
    pub patience: Patience,
}

impl Objects {
    pub fn new(store: Arc<dyn ObjectStore>, name: &str) -> Self {
        Self {
            store,
            folder: LogFolder::new(name),
            patience: START_PATIENCE,
        }
    }

    /// All objects of a folder that have a number, ascending by it (then by name).
    pub async fn list(&self, folder: &Path) -> Result<Vec<(u64, ObjectMeta)>> {
        let mut tries = Tries::new(self.patience);
        loop {
            match self.store.list(Some(folder)).try_collect::<Vec<_>>().await {
                Ok(found) => {
                    let mut numbered: Vec<_> = found
                        .into_iter()
                        .filter_map(|meta| Some((number_of(&meta.location)?, meta)))
                        .collect();
                    numbered.sort_by(|(a, x), (b, y)| (a, &x.location).cmp(&(b, &y.location)));
                    return Ok(numbered);
                }
                Err(error) => tries.again(folder, error).await?,
            }
        }
    }

    /// The bytes of an object, `None` where there is none.
    pub async fn get(&self, path: &Path) -> Result<Option<Bytes>> {
        let mut tries = Tries::new(self.patience);
        loop {
            let answer = match self.store.get(path).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(StoreError::NotFound { .. }) => return Ok(None),
                Err(error) => tries.again(path, error).await?,
            }
        }
    }

    /// Whether a record of that number stands, whole or not.
    pub async fn has_record(&self, number: u64) -> Result<bool> {
        let path = self.folder.record(number);
        let mut tries = Tries::new(self.patience);
        loop {
            match self.store.head(&path).await {
                Ok(_) => return Ok(true),
                Err(StoreError::NotFound { .. }) => return Ok(false),
                Err(error) => tries.again(&path, error).await?,
            }
        }
    }

    /// A record, checked; `None` where there is none.
    pub async fn record(&self, number: u64) -> Result<Option<LogRecord>> {
        let path = self.folder.record(number);
        let Some(bytes) = self.get(&path).await? else {
            return Ok(None);
        };
        match record_named(number, &bytes) {
            Ok(record) => Ok(Some(record)),
            Err(damage) => Err(error::damaged(&path, damage)),
        }
    }

    /// Puts `bytes` as record `number` until it is known who stands there ([`protocol`]).
    pub async fn put_record(
        &self,
        goal: Goal,
        mine: ClaimId,
        number: u64,
        bytes: &Bytes,
    ) -> Result<PutOutcome> {
        let path = self.folder.record(number);
        let mut tries = Tries::new(self.patience);
        loop {
            let options = PutMode::Create.into();
            let (answer, error) = match self
                .store
                .put_opts(&path, bytes.clone().into(), options)
                .await
            {
                Ok(_) => (PutAnswer::Created, None),
                Err(StoreError::AlreadyExists { .. }) => (PutAnswer::Exists, None),
                Err(error) => (PutAnswer::NoAnswer, Some(error)),
            };
            let mut step = protocol::after_put(answer);
            let mut there = None;
            if step == ProtocolStep::Read {
                let found;
                (found, there) = self.find(number, bytes).await?;
                step = protocol::after_read(goal, mine, found);
            }
            match (step, there) {
                (ProtocolStep::Held, _) => return Ok(PutOutcome::Held),
                (ProtocolStep::TakeIn, Some(record)) => {
                    return Ok(PutOutcome::TakeIn(Box::new(record)));
                }
                (ProtocolStep::PutAgain, _) => {
                    let error = error.unwrap_or_else(|| StoreError::NotFound {
                        path: path.to_string(),
                        source: "the record vanished after it was seen".into(),
                    });
                    tries.again(&path, error).await?;
                }
                (step, there) => return Err(self.ended(step, number, there)),
            }
        }
    }

    /// What stands at a number, compared with what I put there.
    pub async fn find(&self, number: u64, mine: &[u8]) -> Result<(Found, Option<LogRecord>)> {
        let Some(bytes) = self.get(&self.folder.record(number)).await? else {
            return Ok((Found::Nothing, None));
        };
        if bytes == mine {
            return Ok((Found::Mine, None));
        }
        Ok(match record_named(number, &bytes) {
            Ok(record) => (
                Found::Other {
                    claim: record.header.claim,
                },
                Some(record),
            ),
            Err(damage) => (Found::Damaged(damage), None),
        })
    }

    /// The error of a step that ends the owner.
    pub fn ended(&self, step: ProtocolStep, number: u64, there: Option<LogRecord>) -> Error {
        let log = self.folder.log();
        match step {
            ProtocolStep::Fenced => error::fenced(log, number, &owner_of(there.as_ref())),
            ProtocolStep::Stop(damage) => error::damaged(&self.folder.record(number), damage),
            _ => error::broken_chain(log, number, "two records were put under one claim"),
        }
    }
}

/// Decodes a record and checks that it stands under its own name.
pub(super) fn record_named(named: u64, bytes: &Bytes) -> Result<LogRecord, Damage> {
    let record = decode(bytes)?;
    match record.header.kind {
        RecordKind::Checkpoint => Err(Damage::OtherKind {
            found: RecordKind::Checkpoint,
            wanted: "a record",
        }),
        _ if record.header.number != named => Err(Damage::OtherNumber {
            found: record.header.number,
            named,
        }),
        _ => Ok(record),
    }
}

fn owner_of(record: Option<&LogRecord>) -> String {
    record
        .filter(|record| record.header.kind == RecordKind::Claim)
        .map(|claim| String::from_utf8_lossy(&claim.payload).into_owned())
        .unwrap_or_else(|| "unknown".to_owned())
}
