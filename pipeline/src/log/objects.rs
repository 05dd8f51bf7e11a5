//! One log's objects in the store: reading, listing, and putting until the outcome is known.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode};

use super::error;
use super::protocol::{self, Found, ProtocolStep, PutAnswer, PutPurpose};
use super::record::{ClaimId, Damage, LogRecord, OtherVersion, RecordKind, Unreadable, decode};
use super::store::{LogFolder, get_if_there, number_of, unless_missing};
use crate::error::{Error, Result};
use crate::time::{Backoff, retry};

/// Enough for a store that restarts, short enough to report at start that the storage is wrong.
pub(super) const AT_START: Backoff = Backoff {
    limit: Duration::from_secs(10),
    ..Backoff::doubling_from(Duration::from_millis(20))
};

/// How a put at a number ended.
pub(super) enum PutOutcome {
    /// My record stands there.
    Held,
    /// Another owner's record stands there.
    Ingest(Box<LogRecord>),
}

/// The objects of one log.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    pub store: Arc<dyn ObjectStore>,
    pub folder: LogFolder,
    /// Version of the layout of all payloads.
    pub layout: u16,
    pub backoff: Backoff,
}

impl Objects {
    pub(super) fn new(store: Arc<dyn ObjectStore>, name: &str, layout: u16) -> Self {
        Self {
            store,
            folder: LogFolder::new(name),
            layout,
            backoff: AT_START,
        }
    }

    /// All objects of a folder that have a number, ascending by it (then by name).
    pub(super) async fn list(&self, folder: &Path) -> Result<Vec<(u64, ObjectMeta)>> {
        let found: Vec<_> = retry(self.backoff, "listing a log", async || {
            let listing = self.store.list(Some(folder)).try_collect().await;
            listing.map_err(error::store_failed(folder))
        })
        .await?;
        let mut numbered: Vec<_> = found
            .into_iter()
            .filter_map(|meta: ObjectMeta| Some((number_of(&meta.location)?, meta)))
            .collect();
        numbered.sort_by(|(a, x), (b, y)| (a, &x.location).cmp(&(b, &y.location)));
        Ok(numbered)
    }

    /// The bytes of an object, `None` where there is none.
    pub(super) async fn get(&self, path: &Path) -> Result<Option<Bytes>> {
        retry(self.backoff, "reading from a log", async || {
            get_if_there(&self.store, path).await
        })
        .await
    }

    /// Whether a record of that number stands, whole or not.
    pub(super) async fn has_record(&self, number: u64) -> Result<bool> {
        let path = self.folder.record(number);
        retry(self.backoff, "looking for a record", async || {
            let answer = self.store.head(&path).await;
            Ok(unless_missing(&path, answer)?.is_some())
        })
        .await
    }

    /// A record, checked; `None` where there is none.
    pub(super) async fn record(&self, number: u64) -> Result<Option<LogRecord>> {
        let path = self.folder.record(number);
        let Some(bytes) = self.get(&path).await? else {
            return Ok(None);
        };
        match record_named(number, &bytes, self.layout) {
            Ok(record) => Ok(Some(record)),
            Err(Unreadable::Damaged(damage)) => Err(error::damaged(&path, damage)),
            Err(Unreadable::OtherVersion(found)) => Err(self.other_version(number, found)),
        }
    }

    /// Puts `bytes` as record `number` until it is known who stands there ([`protocol`]).
    pub(super) async fn put_record(
        &self,
        purpose: PutPurpose,
        mine: ClaimId,
        number: u64,
        bytes: &Bytes,
    ) -> Result<PutOutcome> {
        retry(self.backoff, "putting a record", async || {
            self.try_put(purpose, mine, number, bytes).await
        })
        .await
    }

    /// One try; an error that may be retried means: put again.
    async fn try_put(
        &self,
        purpose: PutPurpose,
        mine: ClaimId,
        number: u64,
        bytes: &Bytes,
    ) -> Result<PutOutcome> {
        let path = self.folder.record(number);
        let options = PutMode::Create.into();
        let put = self.store.put_opts(&path, bytes.clone().into(), options);
        let (answer, error) = match put.await {
            Ok(_) => (PutAnswer::Created, None),
            Err(StoreError::AlreadyExists { .. }) => (PutAnswer::Exists, None),
            Err(error) => (PutAnswer::NoAnswer, Some(error)),
        };
        let mut step = protocol::after_put(answer);
        let mut there = None;
        if step == ProtocolStep::Read {
            let found;
            (found, there) = self.find(number, bytes).await?;
            step = protocol::after_read(purpose, mine, found);
        }
        match (step, there) {
            (ProtocolStep::Held, _) => Ok(PutOutcome::Held),
            (ProtocolStep::Ingest, Some(record)) => Ok(PutOutcome::Ingest(Box::new(record))),
            (ProtocolStep::PutAgain, _) => {
                let error = error.unwrap_or_else(|| StoreError::NotFound {
                    path: path.to_string(),
                    source: "the record vanished after it was seen".into(),
                });
                Err(error::store_failed(&path)(error))
            }
            (step, there) => Err(self.ended(step, number, there)),
        }
    }

    /// What stands at a number, compared with what I put there.
    pub(super) async fn find(
        &self,
        number: u64,
        mine: &[u8],
    ) -> Result<(Found, Option<LogRecord>)> {
        let Some(bytes) = self.get(&self.folder.record(number)).await? else {
            return Ok((Found::Nothing, None));
        };
        if bytes == mine {
            return Ok((Found::Mine, None));
        }
        Ok(match record_named(number, &bytes, self.layout) {
            Ok(record) => (
                Found::Other {
                    claim: record.header.claim,
                },
                Some(record),
            ),
            Err(Unreadable::Damaged(damage)) => (Found::Damaged(damage), None),
            Err(Unreadable::OtherVersion(found)) => (Found::OtherVersion(found), None),
        })
    }

    /// The error of a step that ends the owner.
    pub(super) fn ended(&self, step: ProtocolStep, number: u64, there: Option<LogRecord>) -> Error {
        let log = self.folder.log();
        match step {
            ProtocolStep::Fenced => error::fenced(log, number, &owner_of(there.as_ref())),
            ProtocolStep::Refuse(found) => self.other_version(number, found),
            ProtocolStep::Stop(damage) => error::damaged(self.folder.record(number), damage),
            _ => error::broken_chain(log, number, "two records were put under one claim"),
        }
    }

    /// The error of a record that another version wrote.
    pub(super) fn other_version(&self, number: u64, found: OtherVersion) -> Error {
        error::other_version(self.folder.log(), format_args!("number={number}"), found)
    }
}

/// Decodes a record and checks that it stands under its own name.
pub(super) fn record_named(
    named: u64,
    bytes: &Bytes,
    layout: u16,
) -> Result<LogRecord, Unreadable> {
    let record = decode(bytes, layout)?;
    if record.header.kind == RecordKind::Checkpoint {
        let found = record.header.kind;
        let wanted = "a record";
        return Err(Damage::OtherKind { found, wanted }.into());
    }
    numbered(named, record)
}

/// Decodes a checkpoint and checks that it covers the record that its name says.
pub(super) fn checkpoint_named(
    named: u64,
    bytes: &Bytes,
    layout: u16,
) -> Result<LogRecord, Unreadable> {
    let checkpoint = decode(bytes, layout)?;
    if checkpoint.header.kind != RecordKind::Checkpoint {
        let found = checkpoint.header.kind;
        let wanted = "a checkpoint";
        return Err(Damage::OtherKind { found, wanted }.into());
    }
    numbered(named, checkpoint)
}

fn numbered(named: u64, record: LogRecord) -> Result<LogRecord, Unreadable> {
    let found = record.header.number;
    if found == named {
        Ok(record)
    } else {
        Err(Damage::OtherNumber { found, named }.into())
    }
}

fn owner_of(record: Option<&LogRecord>) -> String {
    record
        .filter(|record| record.header.kind == RecordKind::Claim)
        .map(|claim| String::from_utf8_lossy(&claim.payload).into_owned())
        .unwrap_or_else(|| "unknown".to_owned())
}
