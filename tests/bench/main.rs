//! First figures: what reading costs, what decoding adds, what Vitrine takes for all its metrics, on one topic of a real Kafka.
//!
//! ```text
//! tests/bench/run --events 200000
//! tests/bench/run reject
//! tests/bench/run --events 50000 poison
//! ```
//!
//! Each figure comes from a process of its own, so that its peak memory and CPU time are its own. The report goes to stdout and
//! to `tests/bench/results/<date>.md`.
//!
//! ```text
//! orders     the input
//! drain      reading, reading and decoding
//! engine     `vitrine run --until-caught-up`, watched from outside
//! known_ids  memory of exact deduplication
//! reject     what a hostile record costs until it is rejected
//! poison     what malformed records cost the others
//! process    CPU time and memory as /proc has them
//! profile    CPU time by stage, as perf samples it
//! report     the figures as Markdown
//! ```

mod drain;
mod engine;
mod known_ids;
mod orders;
mod poison;
mod process;
mod profile;
mod reject;
mod report;

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tests::events::Topics;
use tests::kafka::Broker;

use crate::orders::Orders;
use crate::report::Report;

/// Measures reading, decoding and the whole pipeline on one preloaded Kafka topic.
#[derive(Parser)]
struct Options {
    /// Records on the topic, duplicates included.
    #[arg(long, default_value_t = 200_000)]
    events: u64,
    /// Seed of the generated orders.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Ids that deduplication is made to remember.
    #[arg(long, value_delimiter = ',', default_value = "1000000,10000000")]
    ids: Vec<u64>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// One measurement: by itself, or in a process of its own for the report.
#[derive(Subcommand)]
enum Part {
    /// How long a hostile record takes until it is rejected.
    Reject,
    /// How many records a second are read from files, with and without malformed ones among them.
    Poison {
        /// One record in so many is malformed.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(2..))]
        one_in: u64,
    },
    #[command(hide = true)]
    Drain {
        address: String,
        topic: String,
        #[arg(long)]
        decode: bool,
    },
    #[command(hide = true)]
    Remember { ids: u64 },
}

fn main() -> Result<()> {
    let options = Options::parse();
    match &options.part {
        None => measure(&options),
        Some(Part::Drain {
            address,
            topic,
            decode,
        }) => print_json(&drain::drain(address, topic, *decode)?),
        Some(Part::Reject) => print_text(&reject::measure()?),
        Some(Part::Poison { one_in }) => {
            print_text(&poison::measure(options.events, options.seed, *one_in)?)
        }
        Some(Part::Remember { ids }) => print_json(&known_ids::remember(*ids)?),
    }
}

fn measure(options: &Options) -> Result<()> {
    let binary = tests::vitrine::binary()?;
    eprintln!("broker");
    let broker = Broker::start()?;
    let partitions = i32::try_from(orders::PARTITIONS)?;
    let topics = Topics::create(&broker, partitions, &[])?;
    let empty = Topics::create(&broker, partitions, &[])?;
    eprintln!("{} orders", options.events);
    let mut input = Orders::new(options.events, options.seed);
    broker.produce(topics.orders(), &mut input)?;

    // The first drain warms the broker's page cache for all and is not reported.
    let drained = |decode: bool| -> Result<drain::Drained> {
        let args = ["drain", broker.address(), topics.orders()];
        let more: &[&str] = if decode { &["--decode"] } else { &[] };
        ask(&[&args, more].concat())
    };
    eprintln!("drains");
    drained(false)?;
    let bare = drained(false)?;
    let decoded = drained(true)?;
    for drained in [bare, decoded] {
        ensure!(drained.records == options.events, "records are missing");
    }
    eprintln!("vitrine on empty topics");
    let idle = engine::run_on_kafka(&broker, &empty, &orders::Sent::default(), false)?;
    eprintln!("vitrine");
    let whole = engine::run_on_kafka(&broker, &topics, &input.sent, false)?;
    eprintln!("vitrine, sampled");
    let sampled = engine::run_on_kafka(&broker, &topics, &input.sent, true)?;
    drop(broker);

    eprintln!("ids");
    let ids = options.ids.iter();
    let ids = ids
        .map(|ids| ask(&["remember", &ids.to_string()]))
        .collect::<Result<Vec<_>>>()?;

    let now = pipeline::time::wall::now()
        .to_datetime()
        .context("the clock is out of range")?;
    let report = Report {
        at: now.format("%Y-%m-%d %H:%M UTC").to_string(),
        seed: options.seed,
        sent: input.sent,
        bare,
        decoded,
        idle,
        whole,
        stages: sampled.stages,
        ids,
        binary_bytes: fs::metadata(binary)?.len(),
    };
    let text = report.to_markdown()?;
    print!("{text}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/results");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{}.md", now.format("%Y-%m-%d")));
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))
}

/// Runs one part in a process of its own.
fn ask<T: DeserializeOwned>(args: &[&str]) -> Result<T> {
    let output = Command::new(env::current_exe()?)
        .args(args)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{args:?} failed");
    serde_json::from_slice(&output.stdout).with_context(|| format!("answer of {args:?}"))
}

fn print_text(text: &str) -> Result<()> {
    print!("{text}");
    Ok(())
}

/// Answers [`ask`].
fn print_json(answer: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(answer)?);
    Ok(())
}
