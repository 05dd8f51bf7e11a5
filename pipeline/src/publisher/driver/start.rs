//! From the logs to a publisher that is ready to run.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use tokio::sync::watch;

use super::{Delivery, Publisher, read_now};
use crate::alert::AlertRule;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Log, LogReader, RecordKind, Recovered};
use crate::observe::OpenEpochFound;
use crate::publisher::event::{PublisherEvent, SealedRecord};
use crate::publisher::identity::new_identity;
use crate::publisher::io::EpochIo;
use crate::publisher::lifecycle::LifecycleStage;
use crate::publisher::machine::{Machine, MachineParts};
use crate::publisher::needs::StorageNeeds;
use crate::publisher::record::{PublisherCheckpoint, PublisherRecord, encode, recorded_epoch};
use crate::publisher::settings::{PublisherSettings, Sinks, Until};
use crate::round::{Evaluator, Metric};
use crate::shard::{Backlog, SEAL_LAYOUT, backlog_bytes, decode_seal, shard_log};
use crate::table::{TableSpec, Tables};

impl Publisher {
    /// Restores checkpoint and records and makes tables that do not exist yet. An intent without its epoch record is rolled
    /// forward by the first actions.
    pub async fn restore(
        settings: PublisherSettings,
        metrics: Arc<Vec<Metric>>,
        rules: Vec<Box<dyn AlertRule>>,
        (sinks, delivery): (&Sinks, Delivery),
        (store, specs): (Arc<dyn ObjectStore>, Vec<TableSpec>),
        (mut log, recovered): (Log, Recovered),
        until: Until,
    ) -> Result<Self> {
        let checkpoint = match &recovered.checkpoint {
            Some((_, bytes)) => postcard::from_bytes(bytes).map_err(Error::from_source(
                ErrorKind::Damaged,
                "the publisher's checkpoint cannot be read: remove it, the log serves instead",
            ))?,
            None => PublisherCheckpoint::default(),
        };
        let tables = Arc::new(Tables::new(store.clone()));
        let epoch = recorded_epoch(&checkpoint, &recovered.records)?;
        // Before a table is touched.
        let known = epoch.as_ref().and_then(|epoch| epoch.identity.as_ref());
        new_identity(known, &settings)?;
        let mut versions = BTreeMap::new();
        let mut by_name = BTreeMap::new();
        for spec in specs {
            let named = epoch
                .as_ref()
                .and_then(|epoch| epoch.tables.get(&spec.full_name()));
            let version = match named {
                // Made anew it would be empty, and what stood in it missing without a word.
                Some(version) => tables.reopen(&spec, version).await?,
                None => tables.ensure(&spec).await?,
            };
            versions.insert(spec.full_name(), version);
            by_name.insert(spec.full_name(), spec);
        }
        let schemas = by_name
            .iter()
            .map(|(name, spec)| (name.clone(), spec.schema.clone()));
        let parts = MachineParts {
            metrics: metrics.clone(),
            schemas: schemas.collect(),
            feed: sinks.feed.clone(),
            sends_records: sinks.records.is_some(),
            rules,
            versions,
            settings,
        };
        let next_record = log.last().number + 1;
        let evaluator = Evaluator::new(parts.settings.zone);
        let mut machine = Machine::restore(
            parts,
            checkpoint,
            &recovered.records,
            next_record,
            read_now(),
        )?;
        // The first record of all: no shard has sealed anything yet.
        if let Some(identity) = new_identity(machine.identity(), &machine.settings)? {
            let record = PublisherRecord::Storage(identity.clone());
            let number = log.append(encode(&record)?).await?;
            machine.begin_storage(identity, number);
        }
        for (epoch, file) in machine.undelivered() {
            delivery.records.deliver(*epoch, file.clone());
        }
        delivery
            .alerts
            .confirm(machine.checkpoint().state.attempts_cut);
        if machine.is_rolling_forward() {
            let epoch = machine.checkpoint().state.epoch;
            OpenEpochFound { epoch }.report();
            // Whatever befell them since they were staged: no commit names a file that is not whole.
            for (table, paths) in &machine
                .needs(log.claim_id().number, &BTreeMap::new())
                .open_intent
            {
                tables.check_staged(table, paths).await?;
            }
        }
        Ok(Self {
            machine,
            claim: log.claim_id().number,
            io: Some(EpochIo {
                store,
                log,
                tables: tables.clone(),
                specs: Arc::new(by_name),
                metrics,
                feed: sinks.feed.clone(),
                evaluator,
            }),
            delivery,
            until,
            stage: LifecycleStage::Running,
            running_shards: 0,
            closes_at: None,
            needs: watch::channel(StorageNeeds::default()).0,
            tables,
        })
    }

    /// Publishes what the shards sealed behind the last cut, in epochs of bounded size and without rounds, before they go on.
    ///
    /// What does not go into an epoch of its own yet is added to `backlog`.
    pub async fn catch_up(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        backlog: &Backlog,
    ) -> Result<()> {
        self.settle().await?;
        let (early_bytes, shards) = (
            self.machine.settings.early_bytes,
            self.machine.settings.shards,
        );
        for shard in 0..shards {
            let reader = LogReader::new(store.clone(), &shard_log(shard), SEAL_LAYOUT);
            let Some(last) = reader.last_number().await? else {
                continue;
            };
            for number in self.machine.ingested(shard) + 1..=last {
                let Some(entry) = reader.read(number).await? else {
                    return Err(Error::new(
                        ErrorKind::Damaged,
                        format!(
                            "shard={shard}: seal={number} is missing in its log, the epoch's cut names it: restore the log or the \
                             storage from a copy"
                        ),
                    ));
                };
                if entry.kind != RecordKind::Data {
                    self.machine.skip(shard, number);
                    continue;
                }
                let seal = decode_seal(shard, &entry.payload)?;
                let sealed = SealedRecord {
                    shard,
                    number,
                    bytes: backlog_bytes(entry.payload.len(), &seal),
                    seal: Arc::new(seal),
                };
                self.machine
                    .apply(PublisherEvent::Sealed(sealed), read_now())?;
                if self.machine.collected_bytes() >= early_bytes {
                    self.settle().await?;
                }
            }
        }
        // What has been published by now was never counted as waiting.
        self.machine.take_released();
        backlog.add(self.machine.collected_bytes());
        self.report_needs();
        Ok(())
    }

    /// Acts until there is nothing to do but wait.
    async fn settle(&mut self) -> Result<()> {
        while let Some(mut work) = self.begin(&[])? {
            let (io, event) = (&mut work).await;
            self.io = Some(io);
            if let Some(event) = event? {
                self.happened(event)?;
            }
        }
        Ok(())
    }
}
