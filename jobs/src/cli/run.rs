//! `vitrine run`: the service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use pipeline::alert::{KafkaTopic, Route, Schedule, Webhook};
use pipeline::publish::{KafkaOutlet, Outlet};
use pipeline::run::process::{OpenSource, Process};
use pipeline::run::publisher::{
    Destinations, EpochRecord, PublisherSettings, RuleCard, Summary, Until, WaysOut,
    dead_letter_topic,
};
use pipeline::run::shard::{Shard, ShardSettings};
use pipeline::source::files::{FileSource, file_partitions};
use pipeline::source::kafka::{KafkaSettings, KafkaSource, end_offsets, partition_counts};
use pipeline::source::memory::{Broker, Producer};
use pipeline::source::{InputId, Source, Start};
use pipeline::time::{Zone, wall};
use schemas::event::Limits;
use tokio::sync::{mpsc, watch};

use super::{Usage, open};
use crate::alerts;
use crate::catalogue;
use crate::config::{Config, SourceKind, ms};
use crate::feeds;
use crate::operator::sla::Policy;
use crate::world::{Archive, Reference, World};

/// Arguments of `vitrine run`.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  vitrine --config vitrine.toml run
  vitrine --config vitrine.toml run --drain            (process what is there, decide every deadline, end)")]
pub struct RunArgs {
    /// Stop once everything that is there now has been read and published
    #[arg(long, conflicts_with_all = ["drain", "drain_to"])]
    pub until_caught_up: bool,
    /// The same, then move event time on until every window that holds a fact is final
    #[arg(long, conflicts_with = "drain_to")]
    pub drain: bool,
    /// The same, then move event time on to this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    pub drain_to: Option<DateTime<Utc>>,
}

impl RunArgs {
    fn until(&self) -> Until {
        match (self.until_caught_up, self.drain, self.drain_to) {
            (true, ..) => Until::CaughtUp,
            (_, true, _) => Until::Drained,
            (.., Some(at)) => Until::DrainedTo(at.timestamp_millis()),
            _ => Until::Stopped,
        }
    }
}

/// Runs the service until it is told to stop.
pub async fn run(args: &RunArgs, config: Config) -> anyhow::Result<()> {
    let (sender, stop) = watch::channel(false);
    tokio::spawn(async move {
        wait_for_signal().await;
        tracing::info!("stopping: a last seal and epoch, then the end");
        // The process may have ended by itself meanwhile.
        let _ = sender.send(true);
    });
    let summary = process(&config, args.until(), stop).await?;
    say(&summary);
    Ok(())
}

/// Waits for SIGTERM or Ctrl-C.
pub async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

fn say(summary: &Summary) {
    if let Some(at) = summary
        .drained_to_ms
        .and_then(DateTime::from_timestamp_millis)
    {
        println!(
            "drained to {}",
            at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
        );
    }
    println!(
        "epoch {}: read {} = accepted {} + duplicate {} + too late {} + dead letters {}; {} metric rows",
        summary.epoch,
        summary.read,
        summary.accepted,
        summary.duplicate,
        summary.too_late,
        summary.dead,
        summary.rows
    );
}

/// How the events come in.
pub struct Inputs {
    /// Partitions of the customer topics, and of prices.
    keyed: u32,
    global: u32,
    open: OpenSource,
    kafka: Option<KafkaSettings>,
}

impl Inputs {
    /// Inputs of a broker in this process, whose four topics have `partitions` each, and its producer. Lanes hold at most
    /// `bound` records.
    pub fn in_process(config: &Config, partitions: u32, bound: usize) -> (Self, Producer) {
        let readers = (0..partitions)
            .map(|shard| input_ids(&shard_settings(config, shard, partitions, partitions)))
            .collect();
        let (broker, producer) = Broker::new(readers, bound);
        let inputs = Self {
            keyed: partitions,
            global: partitions,
            open: Arc::new(move |starts: &[Start]| {
                let source: Box<dyn Source> = Box::new(broker.open(starts)?);
                Ok(source)
            }),
            kafka: None,
        };
        (inputs, producer)
    }
}

/// Runs shards and publisher of this configuration.
pub async fn process(
    config: &Config,
    until: Until,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Summary> {
    let inputs = inputs(config)?;
    let mut progress = Progress::new();
    process_with(config, inputs, until, stop, |epoch| {
        progress.epoch(epoch.epoch);
    })
    .await
}

/// The same with inputs of the caller's; `told` hears of every epoch.
pub async fn process_with(
    config: &Config,
    inputs: Inputs,
    until: Until,
    stop: watch::Receiver<bool>,
    told: impl FnMut(&EpochRecord),
) -> anyhow::Result<Summary> {
    let store = super::store(config)?;
    let zone = Zone(config.time.zone);
    let archive = Arc::new(Archive::new(store.clone()));
    let reference = open::reference(config, &archive).await?;
    let metrics = catalogue::metrics()?;
    let shards: Vec<ShardSettings> = (0..inputs.keyed)
        .map(|shard| shard_settings(config, shard, inputs.keyed, inputs.global))
        .collect();
    let goals = match (&inputs.kafka, until) {
        (Some(_), Until::Stopped) | (None, _) => None,
        (Some(kafka), _) => Some(goals(kafka, &shards)?),
    };
    let topics = config.topic_settings();
    let by_topic = |pick: fn(&pipeline::decode::TopicSettings) -> i64| -> BTreeMap<String, i64> {
        topics
            .iter()
            .map(|topic| (topic.topic.name().to_owned(), pick(topic)))
            .collect()
    };
    let version = reference.version().to_owned();
    let policy = catalogue::policy()?;
    // Made once here so that a fault in a rule's file is told before anything is claimed.
    let mut fact_rules: Vec<_> = (0..inputs.keyed)
        .map(|_| alerts::shard_rules(&policy).map(Some))
        .collect::<Result<_, _>>()?;
    let fact_rules = std::cell::RefCell::new(&mut fact_rules);
    let process = Process {
        publisher: PublisherSettings {
            zone,
            shards: inputs.keyed,
            interval: config.epoch.interval,
            revise_every: config.epoch.revise_every,
            topic_names: topics
                .iter()
                .map(|topic| (topic.name.clone(), topic.topic))
                .collect(),
            lateness: by_topic(|topic| topic.allowed_lateness_ms),
            bounds: by_topic(|topic| topic.out_of_orderness_ms),
            rules: rule_cards(&policy)?,
            base_every: 64,
            early_bytes: 64 << 20,
        },
        metrics: metrics.clone(),
        specs: catalogue::stored_tables(zone)?,
        row_rules: alerts::publisher_rules()?,
        ways_out: ways_out(config, inputs.kafka.as_ref(), &reference).await?,
        make_core: |shard: u32, world: World| {
            let metrics = metrics.clone();
            let (shards, policy) = (inputs.keyed, policy.clone());
            let rules = fact_rules
                .borrow_mut()
                .get_mut(shard as usize)
                .and_then(Option::take)
                .unwrap_or_default();
            async move {
                catalogue::shard_core(zone, shard, shards, world, metrics, policy, rules).await
            }
        },
        worlds: archive.clone(),
        open_source: inputs.open,
        goals,
        new_references: watch_reference(config, archive, version.clone()),
        reference: version,
        owner: format!("pid {}", std::process::id()),
        shards,
        until,
    };
    Ok(process.run(store, stop, told).await?)
}

/// Looks at the reference data at every epoch's cut: a new version is archived, then put in force by the shards' next seals.
fn watch_reference(
    config: &Config,
    archive: Arc<Archive>,
    mut in_force: String,
) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (dir, every) = (config.reference.dir.clone(), config.epoch.interval);
    tokio::spawn(async move {
        while !sender.is_closed() {
            wall::sleep(every).await;
            if !dir.exists() {
                continue;
            }
            match archive.keep(&dir).await {
                Ok(reference) if reference.version() != in_force => {
                    in_force = reference.version().to_owned();
                    tracing::info!(version = in_force, "reference data have changed");
                    // The process has ended if nobody listens.
                    let _ = sender.send(in_force.clone());
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(
                    error = format!("{error:#}"),
                    "reference data cannot be read; the former version stays in force"
                ),
            }
        }
    });
    receiver
}

/// One plain line every five seconds at most.
struct Progress {
    said_at: std::time::Instant,
}

impl Progress {
    fn new() -> Self {
        Self {
            said_at: wall::monotonic(),
        }
    }

    fn epoch(&mut self, epoch: i64) {
        if self.said_at.elapsed() >= Duration::from_secs(5) {
            tracing::info!(epoch, "published");
            self.said_at = wall::monotonic();
        }
    }
}

fn shard_settings(config: &Config, shard: u32, keyed: u32, global: u32) -> ShardSettings {
    ShardSettings {
        shard,
        shards: keyed,
        global_partitions: global,
        topics: config.topic_settings(),
        limits: Limits {
            max_future_skew_ms: ms(config.time.max_future_skew),
            max_record_bytes: config.limits.max_record_bytes,
        },
        partitioner: config.source.partitioner,
        seal_every: config.epoch.seal_every,
        seal_records: 20_000,
        quiet_every: config.epoch.interval,
        base_every: 256,
        dead_letter_stop_ratio: config.limits.dead_letter_stop_ratio,
    }
}

fn inputs(config: &Config) -> anyhow::Result<Inputs> {
    let topics = &config.topics;
    let keyed = [&topics.orders, &topics.visits, &topics.complaints].map(String::as_str);
    match config.source.kind {
        SourceKind::Files => {
            let dir = config.source.dir.clone();
            if dir.as_os_str().is_empty() {
                return Err(
                    Usage("[source] kind = \"files\" needs [source] dir".to_owned()).into(),
                );
            }
            let max = config.limits.max_record_bytes;
            Ok(Inputs {
                keyed: file_partitions(&dir, &keyed)?.max(1),
                global: file_partitions(&dir, &[topics.prices.as_str()])?,
                open: Arc::new(move |starts: &[Start]| {
                    let source: Box<dyn Source> = Box::new(FileSource::open(&dir, starts, max)?);
                    Ok(source)
                }),
                kafka: None,
            })
        }
        SourceKind::Kafka => {
            let settings = kafka_settings(config);
            let names = [keyed.as_slice(), &[topics.prices.as_str()]].concat();
            let counts = partition_counts(&settings, &names)?;
            if counts[..3].iter().any(|&count| count != counts[0]) {
                return Err(Usage(format!(
                    "topics {} must have the same number of partitions, they have {:?}",
                    keyed.join(", "),
                    &counts[..3]
                ))
                .into());
            }
            let for_shards = settings.clone();
            Ok(Inputs {
                keyed: counts[0],
                global: counts[3],
                open: Arc::new(move |starts: &[Start]| {
                    let source: Box<dyn Source> = Box::new(KafkaSource::open(&for_shards, starts)?);
                    Ok(source)
                }),
                kafka: Some(settings),
            })
        }
    }
}

/// How a configuration reaches Kafka.
pub fn kafka_settings(config: &Config) -> KafkaSettings {
    let mut settings =
        KafkaSettings::new(config.source.brokers.clone(), config.source.group.clone());
    settings.properties = config.source.properties.clone();
    settings.max_record_bytes = config.limits.max_record_bytes;
    settings.alignment = config.time.alignment;
    settings
}

fn rule_cards(policy: &Arc<Policy>) -> anyhow::Result<Vec<RuleCard>> {
    let cards = alerts::cards(policy)?;
    Ok(cards
        .into_iter()
        .map(|card| RuleCard {
            rule_id: card.rule_id.to_string(),
            rule_version: card.version,
            title: card.title.to_string(),
            condition: card.condition,
            severity: card.severity.as_str().to_owned(),
            owner_role: card.owner_role.to_string(),
            escalation_role: card.escalation_role.to_string(),
        })
        .collect())
}

/// Where things leave to beside the tables: alerts, the demand feed, dead letters.
async fn ways_out(
    config: &Config,
    kafka: Option<&KafkaSettings>,
    reference: &Reference,
) -> anyhow::Result<WaysOut> {
    let topics = &config.topics;
    let feed = config.feeds.demand.then(|| {
        let topic = kafka.map(|_| topics.demand.clone());
        feeds::demand_daily(config.time.zone, reference.calendar_rows(), topic)
    });
    let outlet: Option<Arc<dyn Outlet>> = match kafka {
        None => None,
        Some(kafka) => {
            let mut properties = kafka.properties.clone();
            properties.insert("bootstrap.servers".to_owned(), kafka.brokers.clone());
            let mut names = vec![topics.alerts.clone(), topics.demand.clone()];
            names.extend(
                config
                    .topic_settings()
                    .iter()
                    .map(|topic| dead_letter_topic(&topic.name)),
            );
            Some(Arc::new(
                KafkaOutlet::open(&properties, &names, topics.create_topics).await?,
            ))
        }
    };
    Ok(WaysOut {
        alerts: destinations(config, kafka)?,
        feed,
        outlet,
    })
}

/// Webhooks of the configuration, and the alert topic where the events come from Kafka.
fn destinations(config: &Config, kafka: Option<&KafkaSettings>) -> anyhow::Result<Destinations> {
    let mut destinations = Destinations::default();
    let schedule = Schedule {
        max_age_ms: Some(ms(config.alerts.max_age)),
        ..Schedule::default()
    };
    for settings in &config.alerts.webhooks {
        let webhook = Webhook::open(settings, config.alerts.allow_private_addresses, SOURCE)?;
        destinations.routes.0.push(settings.route());
        let name = settings.name.as_str().into();
        destinations
            .targets
            .push((name, schedule.clone(), Arc::new(webhook)));
    }
    if let Some(kafka) = kafka {
        let mut properties: BTreeMap<&str, &str> = kafka
            .properties
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        properties.insert("bootstrap.servers", &kafka.brokers);
        let topic = &config.topics.alerts;
        let target = KafkaTopic::open(properties, topic, SOURCE)?;
        let name: Arc<str> = format!("topic {topic}").into();
        destinations.routes.0.push(Route {
            destination: name.clone(),
            rules: Default::default(),
        });
        let always = Schedule {
            max_age_ms: None,
            ..Schedule::default()
        };
        destinations.targets.push((name, always, Arc::new(target)));
    }
    Ok(destinations)
}

/// The last part of `source` in alerts.
const SOURCE: &str = "main";

/// The ends seen at start, per shard and input.
fn goals(kafka: &KafkaSettings, shards: &[ShardSettings]) -> anyhow::Result<Vec<Vec<i64>>> {
    shards
        .iter()
        .map(|settings| {
            end_offsets(kafka, &input_ids(settings)).context("end offsets cannot be read")
        })
        .collect()
}

fn input_ids(settings: &ShardSettings) -> Vec<InputId> {
    Shard::<World>::input_ids(settings)
        .into_iter()
        .map(|(id, _)| id)
        .collect()
}
