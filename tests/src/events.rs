//! Event files: simulated, read, rewritten, and sent to Kafka.

use std::fs;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::kafka::{Broker, Message};
use crate::{PATIENCE, vitrine};

/// The input topics, as folders of event files and by default in Kafka.
pub const TOPICS: [&str; 4] = ["orders.v1", "visits.v1", "complaints.v1", "prices.v1"];

/// The topics whose key decides the partition.
pub const KEYED: [&str; 3] = ["orders.v1", "visits.v1", "complaints.v1"];

/// One line of an event file, without its line end; not always UTF-8.
pub type Line = Vec<u8>;

/// A folder of event files with `ref/` and `truth/` beside the topics.
#[derive(Clone, Debug)]
pub struct Events {
    dir: PathBuf,
}

impl Events {
    /// The files that lie in `dir`.
    pub fn in_folder(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// A folder without any, and with empty reference data.
    pub fn empty(dir: impl Into<PathBuf>) -> Result<Self> {
        let events = Self::in_folder(dir);
        fs::create_dir_all(events.reference())?;
        Ok(events)
    }

    /// Writes new ones into `dir`: `vitrine simulate --out DIR ARGS`.
    pub fn simulate(dir: impl Into<PathBuf>, args: &[&str]) -> Result<Self> {
        let dir = dir.into();
        let out = dir.to_str().context("the folder's name is not UTF-8")?;
        let command = [&["simulate", "--out", out], args].concat();
        vitrine::run(command, &[], PATIENCE)?.success()?;
        Ok(Self { dir })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn reference(&self) -> PathBuf {
        self.dir.join("ref")
    }

    /// The simulator's labels of records that must not be accepted.
    pub fn labels(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.dir.join("truth/dirty.ndjson"))?;
        text.lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }

    /// The lines of each partition of a topic, in arrival order.
    pub fn partitions(&self, topic: &str) -> Result<Vec<Vec<Line>>> {
        (0..)
            .map(|partition| self.file(topic, partition))
            .take_while(|file| file.is_file())
            .map(|file| {
                let bytes = fs::read(&file)?;
                let lines = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                if bytes.is_empty() {
                    return Ok(Vec::new());
                }
                Ok(lines
                    .split(|byte| *byte == b'\n')
                    .map(<[u8]>::to_vec)
                    .collect())
            })
            .collect()
    }

    /// How many lines the topics hold together.
    pub fn count(&self) -> Result<usize> {
        let mut count = 0;
        for topic in TOPICS {
            count += self.partitions(topic)?.iter().map(Vec::len).sum::<usize>();
        }
        Ok(count)
    }

    /// Puts other lines in the place of a partition's.
    pub fn write(&self, topic: &str, partition: usize, lines: &[Line]) -> Result<()> {
        let mut bytes = lines.join(&b'\n');
        if !lines.is_empty() {
            bytes.push(b'\n');
        }
        fs::create_dir_all(self.dir.join(topic))?;
        Ok(fs::write(self.file(topic, partition), bytes)?)
    }

    fn file(&self, topic: &str, partition: usize) -> PathBuf {
        self.dir.join(topic).join(format!("{partition}.ndjson"))
    }

    /// Copies topics and reference data into another folder, to change them there.
    pub fn copy(&self, dir: impl Into<PathBuf>) -> Result<Self> {
        let copy = Self { dir: dir.into() };
        for folder in TOPICS.into_iter().chain(["ref"]) {
            fs::create_dir_all(copy.dir.join(folder))?;
            for entry in fs::read_dir(self.dir.join(folder))? {
                let entry = entry?;
                fs::copy(entry.path(), copy.dir.join(folder).join(entry.file_name()))?;
            }
        }
        Ok(copy)
    }

    /// Sends every line to the partition of its file, keyed by its payload's id, at this moment's Kafka timestamp.
    pub fn send(&self, broker: &Broker, topics: &Topics) -> Result<()> {
        self.send_where(broker, topics, |_, _, _| true)
    }

    /// The same with the lines that were recorded in a span of time, in ms; they have to be events.
    pub fn send_recorded(
        &self,
        broker: &Broker,
        topics: &Topics,
        span: impl RangeBounds<i64>,
    ) -> Result<()> {
        self.send_where(broker, topics, |_, _, line| {
            let event: Option<Value> = serde_json::from_slice(line).ok();
            let recorded_at = event.and_then(|event| event.get("recorded_at")?.as_i64());
            recorded_at.is_some_and(|at| span.contains(&at))
        })
    }

    /// The same with the lines that `choose` says yes to, by the folder of their topic and their partition.
    pub fn send_where(
        &self,
        broker: &Broker,
        topics: &Topics,
        choose: impl Fn(&str, i32, &Line) -> bool,
    ) -> Result<()> {
        for (folder, name) in TOPICS.into_iter().zip(topics.names()) {
            for (partition, lines) in (0..).zip(self.partitions(folder)?) {
                let chosen = lines.iter().filter(|line| choose(folder, partition, line));
                broker.produce(name, chosen.map(|line| message(partition, line)))?;
            }
        }
        Ok(())
    }
}

/// A line as a record (K1, K2): `null` is a tombstone, a payload that cannot be read has no key.
pub fn message(partition: i32, line: &[u8]) -> Message {
    if line == b"null" {
        return Message::tombstone(partition);
    }
    let message = Message::new(partition, line);
    match key(line) {
        Some(key) => message.key(key),
        None => message,
    }
}

fn key(line: &[u8]) -> Option<String> {
    let event: Value = serde_json::from_slice(line).ok()?;
    let field = match event.get("event_type")?.as_str()? {
        "day.closed" => "unit_id",
        "visit.plan_submitted" | "visit.day_signed_in" | "visit.appraisal_recorded" => "staff_id",
        kind if kind.starts_with("price.") => return None,
        _ => "customer_id",
    };
    Some(event.get(field)?.as_str()?.to_owned())
}

/// Four input topics of one test, under names of their own.
#[derive(Clone, Debug)]
pub struct Topics {
    names: [String; 4],
}

impl Topics {
    /// Makes them at the broker.
    pub fn create(broker: &Broker, partitions: i32, config: &[(&str, &str)]) -> Result<Self> {
        let make = |name| broker.topic(name, partitions, config);
        let [orders, visits, complaints, prices] = TOPICS;
        let names = [
            make(orders)?,
            make(visits)?,
            make(complaints)?,
            make(prices)?,
        ];
        Ok(Self { names })
    }

    /// Names at the broker, in the order of [`TOPICS`].
    pub fn names(&self) -> &[String; 4] {
        &self.names
    }

    pub fn orders(&self) -> &str {
        &self.names[0]
    }

    pub fn complaints(&self) -> &str {
        &self.names[2]
    }

    /// The topic of alerts that goes with these; vitrine makes it.
    pub fn alerts(&self) -> String {
        format!("{}.alerts", self.orders())
    }

    /// The topic of the demand feed that goes with these; vitrine makes it.
    pub fn demand(&self) -> String {
        format!("{}.demand", self.orders())
    }
}
