//! The state of a shard, without any input or output: accepted events and clocks in, facts and partial aggregates out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::event::{Topic, TopicSet};
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use super::seal::{Clocks, OrphanRow};
use crate::alert::{AlertChange, AlertRule, RuleInput, RuleStates, RuleTime};
use crate::columns::EventHead;
use crate::error::{Error, ErrorKind, Result};
use crate::history::{Correction, Corrections, EventPlace, KeyedOperator, ReferenceState};
use crate::pane::{LinearPlan, PaneStore};
use crate::round::{Evaluator, Metric, evaluate_shard};
use crate::time::{Day, Window, Zone};

fn unknown_facts(metric: &str, facts: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("metric={metric}: it reads facts={facts}, which no operator makes"),
    )
}

fn not_applied(error: impl Into<Error>) -> Error {
    error.into().context("a batch of events cannot be applied")
}

/// What one micro-batch brought about.
#[derive(Default)]
pub struct Effects {
    pub facts: Vec<(String, RecordBatch)>,
    pub orphans: Vec<OrphanRow>,
    pub touched: BTreeMap<String, Vec<Day>>,
    pub reference_changed: bool,
    pub alerts: Vec<AlertChange>,
}

struct MetricPanes {
    metric: String,
    facts: String,
    plan: LinearPlan,
    store: PaneStore,
}

/// Histories, panes, reference and rules of one shard.
pub struct ShardState<R: ReferenceState> {
    zone: Zone,
    reference: R,
    operators: Vec<Box<dyn KeyedOperator<R>>>,
    corrections: BTreeMap<Topic, Corrections>,
    panes: Vec<MetricPanes>,
    metrics: Arc<Vec<Metric>>,
    rules: Vec<Box<dyn AlertRule>>,
    evaluator: Evaluator,
    reference_changed: bool,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    reference: Bytes,
    operators: Vec<(String, Bytes)>,
    corrections: BTreeMap<Topic, Corrections>,
    rules: RuleStates,
}

impl<R: ReferenceState> ShardState<R> {
    pub async fn new(
        zone: Zone,
        reference: R,
        operators: Vec<Box<dyn KeyedOperator<R>>>,
        metrics: Arc<Vec<Metric>>,
        rules: Vec<Box<dyn AlertRule>>,
    ) -> Result<Self> {
        let mut panes = Vec::new();
        for metric in metrics.iter() {
            let (Some(stream), Some(facts)) = (&metric.stream, &metric.facts) else {
                continue;
            };
            let operator = operators
                .iter()
                .find(|operator| operator.name() == facts)
                .ok_or_else(|| unknown_facts(&metric.name, facts))?;
            let plan = LinearPlan::new(stream, facts, operator.schema())
                .await
                .map_err(|error| error.context(format!("metric={}", metric.name)))?;
            panes.push(MetricPanes {
                metric: metric.name.clone(),
                facts: facts.clone(),
                store: PaneStore::new(&plan)?,
                plan,
            });
        }
        Ok(Self {
            zone,
            reference,
            operators,
            corrections: BTreeMap::new(),
            panes,
            metrics,
            rules,
            evaluator: Evaluator::new(zone),
            reference_changed: false,
        })
    }

    /// Every set of topics that some operator or metric reads a clock of.
    pub fn clock_sets(&self) -> BTreeSet<TopicSet> {
        let of_operators = self.operators.iter().map(|operator| operator.topics());
        let of_metrics = self.metrics.iter().map(|metric| metric.clock);
        of_operators.chain(of_metrics).collect()
    }

    /// Applies accepted events and clocks: a function of its arguments and of what was applied before.
    pub async fn apply(
        &mut self,
        batches: &[(Topic, RecordBatch)],
        clocks: &Clocks,
        live_time: Option<TimestampMs>,
    ) -> Result<Effects> {
        let mut effects = Effects::default();
        for (topic, batch) in batches {
            self.insert(*topic, batch, &mut effects)
                .map_err(not_applied)?;
        }
        for index in 0..self.operators.len() {
            let operator = &mut self.operators[index];
            let name = operator.name();
            let clock = clocks
                .get(&operator.topics())
                .copied()
                .unwrap_or(TimestampMs::MIN);
            let changelog = operator.run(clock, &self.reference).map_err(not_applied)?;
            let now = RuleTime { clock, live_time };
            if let Some(changelog) = &changelog {
                self.add_to_panes(name, &changelog.facts).await?;
            }
            for rule in &mut self.rules {
                if rule.input() != (RuleInput::Facts { operator: name }) {
                    continue;
                }
                if let Some(changelog) = &changelog {
                    let changes = rule.observe(&changelog.public, now);
                    effects.alerts.extend(changes.map_err(not_applied)?);
                }
                effects.alerts.extend(rule.tick(now));
            }
            if let Some(changelog) = changelog
                && changelog.public.num_rows() > 0
            {
                effects.facts.push((name.to_owned(), changelog.public));
            }
        }
        for panes in &mut self.panes {
            let touched = panes.store.take_touched();
            if !touched.is_empty() {
                effects
                    .touched
                    .insert(panes.metric.clone(), touched.into_iter().collect());
            }
        }
        effects.reference_changed = std::mem::take(&mut self.reference_changed);
        Ok(effects)
    }

    fn insert(&mut self, topic: Topic, batch: &RecordBatch, effects: &mut Effects) -> Result<()> {
        let head = EventHead::of(batch)?;
        let place = |row| EventPlace::of(topic, &head, row);
        let outcome = self
            .corrections
            .entry(topic)
            .or_default()
            .apply((0..batch.num_rows()).map(|row| Correction {
                event_id: head.event_id(row),
                occurred_at: head.occurred_at(row),
                place: place(row),
                scope: head.scope(row),
                corrects: head.corrects(row),
            }));
        effects
            .orphans
            .extend(outcome.orphans.into_iter().map(|orphan| OrphanRow {
                topic,
                event_id: orphan.event_id.to_string(),
                corrects: orphan.corrects.to_string(),
                occurred_at: orphan.occurred_at,
                weight: orphan.weight,
            }));
        let changed = self
            .reference
            .apply(topic, batch, &outcome.skip, &outcome.removed)?;
        self.reference_changed |= !changed.is_empty();
        for operator in &mut self.operators {
            operator.touch_readers(&changed);
            operator.insert(topic, batch, &outcome.skip, &outcome.removed)?;
        }
        Ok(())
    }

    async fn add_to_panes(&mut self, facts: &str, rows: &RecordBatch) -> Result<()> {
        for panes in self.panes.iter_mut().filter(|panes| panes.facts == facts) {
            let sums = panes
                .plan
                .run(rows.clone())
                .await
                .map_err(Error::from_source(
                    ErrorKind::Configuration,
                    format!("stream.sql of metric={} failed", panes.metric),
                ))?;
            for batch in &sums {
                panes.store.add(batch)?;
            }
        }
        Ok(())
    }

    /// This shard's partial aggregates for a round: results of shard.sql for the metrics named, over the panes as they stand.
    pub async fn aggregate(
        &mut self,
        window: Window,
        names: &[String],
    ) -> Result<Vec<(String, RecordBatch)>> {
        let metrics = self.metrics.clone();
        let needed = with_rows_read(&metrics, names);
        let evaluator = &mut self.evaluator;
        evaluator.open(window);
        let look_back = needed
            .iter()
            .map(|metric| metric.look_back_days)
            .fold(window.length(), i32::max);
        let days = window.end.plus(-look_back)..window.end;
        let read: BTreeSet<&str> = needed
            .iter()
            .flat_map(|metric| metric.reads_panes.iter().map(String::as_str))
            .collect();
        for panes in self
            .panes
            .iter()
            .filter(|panes| read.contains(panes.metric.as_str()))
        {
            let rows = panes.store.read(days.clone())?;
            evaluator.table("panes", &panes.metric, rows)?;
        }
        if needed.iter().any(|metric| metric.reads_as_of) {
            for (name, rows) in self
                .reference
                .as_of(window.ends_at(self.zone) - DurationMs::from_ms(1))?
            {
                evaluator.table("asof", name, rows)?;
            }
        }
        let panes = &self.panes;
        let schema_of = |metric: &str| {
            let of_metric = panes.iter().find(|other| other.metric == metric)?;
            Some(of_metric.store.schema().clone())
        };
        let partials = evaluate_shard(evaluator, &needed, schema_of).await?;
        Ok(partials
            .into_iter()
            .filter(|(name, _)| names.contains(name))
            .collect())
    }

    /// The last day up to that of `until` that holds a fact, per metric with panes; none before anything was accepted.
    pub fn last_days(&self, until: Option<TimestampMs>) -> BTreeMap<String, Day> {
        let Some(limit) = until.map(|until| self.zone.day_of(until)) else {
            return BTreeMap::new();
        };
        self.panes
            .iter()
            .filter_map(|panes| {
                let last = panes.store.last_day(limit)?;
                Some((panes.metric.clone(), last))
            })
            .collect()
    }

    /// When the next timer or rule wants to run, by its clock.
    pub fn next_timer(&self) -> Option<TimestampMs> {
        let timers = self
            .operators
            .iter()
            .filter_map(|operator| operator.next_timer());
        let rules = self.rules.iter().filter_map(|rule| rule.next_timer());
        timers.chain(rules).min()
    }

    /// The business zone.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    pub fn reference(&self) -> &R {
        &self.reference
    }

    /// Puts other reference data in force: every key runs again, every window that reads `asof.*` too.
    pub fn replace_reference(&mut self, mut reference: R) -> Result<()> {
        reference.load(&self.reference.save()?)?;
        self.reference = reference;
        self.reference_changed = true;
        for operator in &mut self.operators {
            operator.touch_all();
        }
        Ok(())
    }

    pub fn save(&self) -> Result<Vec<u8>> {
        let mut operators = Vec::new();
        for operator in &self.operators {
            operators.push((operator.name().to_owned(), operator.save()?.into()));
        }
        Ok(postcard::to_stdvec(&Saved {
            reference: self.reference.save()?.into(),
            operators,
            corrections: self.corrections.clone(),
            rules: RuleStates::save(&self.rules)?,
        })?)
    }

    /// Restores a checkpoint: facts and panes are computed anew at the clocks it was saved with.
    ///
    /// A rule that the checkpoint does not know begins with the facts that hold; what it says of them is returned.
    pub async fn load(
        &mut self,
        bytes: &[u8],
        clocks: &Clocks,
        live_time: Option<TimestampMs>,
    ) -> Result<Vec<AlertChange>> {
        let saved: Saved = postcard::from_bytes(bytes)?;
        self.reference.load(&saved.reference)?;
        self.corrections = saved.corrections;
        for (name, state) in &saved.operators {
            for operator in self
                .operators
                .iter_mut()
                .filter(|operator| operator.name() == name)
            {
                operator.load(state)?;
            }
        }
        let mut alerts = self.apply(&[], clocks, live_time).await?.alerts;
        // Last: recomputing the facts must not look like news to the rules that knew them.
        saved.rules.load(&mut self.rules)?;
        alerts.retain(|change| !saved.rules.knows(&change.rule_id));
        Ok(alerts)
    }
}

/// The metrics named and those whose rows they read, in the order of loading.
fn with_rows_read<'m>(metrics: &'m [Metric], names: &[String]) -> Vec<&'m Metric> {
    let mut wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    for metric in metrics.iter().rev() {
        if wanted.contains(metric.name.as_str()) {
            wanted.extend(metric.reads_rows.iter().map(String::as_str));
        }
    }
    metrics
        .iter()
        .filter(|metric| wanted.contains(metric.name.as_str()))
        .collect()
}
