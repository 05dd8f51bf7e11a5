//! Puts shards and publisher of one process together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use object_store::ObjectStore;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::alert::AlertRule;
use crate::error::{Error, ErrorKind, Result};
use crate::history::ReferenceState;
use crate::log::Log;
use crate::publisher::{
    EpochRecord, Publisher, PublisherSettings, RunSummary, Sinks, Until, shard_log,
};
use crate::round::Metric;
use crate::shard::{ReferenceStore, ReferenceVersions, ShardState};
use crate::shard::{Shard, ShardReport, ShardSettings, first_reference};
use crate::source::{Source, Start};
use crate::table::TableSpec;

fn drained() -> Error {
    Error::new(
        ErrorKind::Incompatible,
        "this storage was drained: its event time was moved on beyond the inputs' ends, so new events would count as late; \
         finish with `run --drain`, or start with an empty [storage] url",
    )
}

/// Opens the inputs of one shard at its own offsets.
pub type OpenSource = Arc<dyn Fn(&[Start]) -> Result<Box<dyn Source>> + Send + Sync>;

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
    ) -> Result<RunSummary>
    where
        F: FnMut(u32, R) -> M,
        M: Future<Output = Result<ShardState<R>>>,
    {
        let runtime = Handle::current();
        let mut ready = Vec::new();
        for settings in &self.shards {
            let (log, recovered) =
                Log::claim(store.clone(), &shard_log(settings.shard), &self.owner).await?;
            let first = first_reference(settings.shard, &recovered)?
                .unwrap_or_else(|| self.reference.clone());
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
                return Err(drained());
            }
            ready.push(shard);
        }
        let claimed = Log::claim(store.clone(), crate::publisher::LOG, &self.owner).await?;
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
                })
                .map_err(Error::from_source(
                    ErrorKind::Unavailable,
                    "a thread cannot be started",
                ))?;
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
        result
    }
}
