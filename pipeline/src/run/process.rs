//! Puts shards and publisher of one process together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use object_store::ObjectStore;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::alert::AlertRule;
use crate::error::{Error, ErrorKind};
use crate::history::ReferenceState;
use crate::log::Log;
use crate::publisher::{
    EpochRecord, PublishError, Publisher, PublisherSettings, RunSummary, Sinks, Until, shard_log,
};
use crate::round::Metric;
use crate::shard::{CoreError, ShardState};
use crate::shard::{ReferenceStore, ReferenceStoreError, ReferenceVersions};
use crate::shard::{Shard, ShardError, ShardReport, ShardSettings, first_reference};
use crate::source::{Source, Start};
use crate::table::TableSpec;

/// Why a run ended badly.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Shard(#[from] ShardError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error(transparent)]
    Engine(#[from] Error),
    #[error(transparent)]
    ReferenceState(#[from] ReferenceStoreError),
    #[error(
        "this storage was drained: its event time was moved on beyond the inputs' ends, so new events would count as late; finish with `run --drain`, or start with an empty [storage] url"
    )]
    Drained,
    #[error("a thread cannot be started")]
    Thread(#[from] std::io::Error),
}

/// Whose doing an error is, and so the exit code (`CONTRACT.md` 1).
impl RunError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Engine(error) => kind_code(error.kind()),
            Self::Shard(error) => shard_code(error),
            Self::Publish(PublishError::Engine(error)) => kind_code(error.kind()),
            Self::Publish(PublishError::Shard { source, .. }) => shard_code(source),
            Self::Drained => 2,
            _ => 1,
        }
    }
}

fn shard_code(error: &ShardError) -> u8 {
    match error {
        ShardError::Engine(error) => kind_code(error.kind()),
        ShardError::Inputs { .. } => 2,
        _ => 1,
    }
}

/// Whose doing an error is, as an exit code (`CONTRACT.md` 1).
pub fn kind_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Configuration | ErrorKind::Incompatible | ErrorKind::Query => 2,
        ErrorKind::Fenced => 4,
        ErrorKind::EventsMissing => 5,
        ErrorKind::Damaged
        | ErrorKind::Unavailable
        | ErrorKind::DeadLetters
        | ErrorKind::Internal => 1,
    }
}

/// Opens the inputs of one shard at its own offsets.
pub type OpenSource = Arc<dyn Fn(&[Start]) -> Result<Box<dyn Source>, Error> + Send + Sync>;

/// What a process runs.
pub struct Process<R, F> {
    pub shards: Vec<ShardSettings>,
    pub publisher: PublisherSettings,
    pub metrics: Arc<Vec<Metric>>,
    pub specs: Vec<TableSpec>,
    pub row_rules: Vec<Box<dyn AlertRule>>,
    pub sinks: Sinks,
    /// Makes the state of a shard in a reference: operators and rules over facts.
    pub make_core: F,
    pub references: Arc<dyn ReferenceStore<R>>,
    pub open_source: OpenSource,
    /// End offsets seen at start, per shard and input; `None` for files.
    pub stop_offsets: Option<Vec<Vec<i64>>>,
    /// Content hash of the reference data to be in force.
    pub reference: String,
    /// Versions that come to be in force while the process runs.
    pub new_references: mpsc::UnboundedReceiver<String>,
    /// Name of this process in claims.
    pub owner: String,
    pub until: Until,
}

impl<R: ReferenceState, F> Process<R, F> {
    /// Claims all logs, takes state back and runs until `until` or until `stop` is set.
    pub async fn run<M>(
        mut self,
        store: Arc<dyn ObjectStore>,
        stop: watch::Receiver<bool>,
        told: impl FnMut(&EpochRecord),
    ) -> Result<RunSummary, RunError>
    where
        F: FnMut(u32, R) -> M,
        M: Future<Output = Result<ShardState<R>, CoreError>>,
    {
        let runtime = Handle::current();
        let mut ready = Vec::new();
        for settings in &self.shards {
            let name = shard_log(settings.shard);
            let (log, recovered) =
                Log::claim(store.clone(), &name, crate::shard::LAYOUT, &self.owner).await?;
            let first = first_reference(&recovered)?.unwrap_or_else(|| self.reference.clone());
            let reference = self.references.reference(&first).await?;
            let core = (self.make_core)(settings.shard, reference).await?;
            let stop_offsets = self
                .stop_offsets
                .as_ref()
                .and_then(|stop_offsets| stop_offsets.get(settings.shard as usize))
                .map(Vec::as_slice);
            let shard = Shard::recover(
                settings.clone(),
                core,
                log,
                recovered,
                stop_offsets,
                ReferenceVersions {
                    references: self.references.clone(),
                    in_force: first,
                    wanted: self.reference.clone(),
                },
                runtime.clone(),
            )
            .await?;
            let may_go_on = matches!(self.until, Until::Drained | Until::DrainedTo(_));
            if shard.drained_to_ms().is_some() && !may_go_on {
                return Err(RunError::Drained);
            }
            ready.push(shard);
        }
        let (name, layout) = (crate::publisher::LOG, crate::publisher::LAYOUT);
        let claimed = Log::claim(store.clone(), name, layout, &self.owner).await?;
        let mut publisher = Publisher::recover(
            self.publisher,
            self.metrics,
            self.row_rules,
            self.sinks,
            store.clone(),
            self.specs,
            claimed,
        )
        .await?;
        publisher.read_shards(&store).await?;

        let (reports, heard) = mpsc::unbounded_channel();
        let mut commands = Vec::new();
        let mut threads = BTreeMap::new();
        for (number, shard) in (0_u32..).zip(ready) {
            let (sender, receiver) = crossbeam_channel::unbounded();
            let source = (self.open_source)(&shard.starts())?;
            let reports = reports.clone();
            let thread = thread::Builder::new()
                .name(format!("shard-{number}"))
                .spawn(move || {
                    let result = shard.run(source, &receiver, &reports);
                    // Nobody to tell means that the publisher has ended with an error of its own.
                    let _ = reports.send(ShardReport::Ended {
                        shard: number,
                        result,
                    });
                })?;
            commands.push(sender);
            threads.insert(number, thread);
        }
        drop(reports);
        let result = publisher
            .run(commands, heard, self.until, stop, self.new_references, told)
            .await;
        for (_, thread) in threads {
            // Its result has come as a report.
            let _ = thread.join();
        }
        Ok(result?)
    }
}
