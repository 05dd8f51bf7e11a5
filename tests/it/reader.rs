//! Reads a Kafka source as a shard would, and keeps what came.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use pipeline::error::{Error, Result};
use pipeline::kafka::{KafkaSettings, TopicPartition};
use pipeline::source::kafka::KafkaSource;
use pipeline::source::{InputNews, Item, OnMissing, Record, Source, Start};
use pipeline::time::wall;
use schemas::time::TimestampMs;
use tests::PATIENCE;
use tests::kafka::Broker;

pub(crate) fn settings(broker: &Broker) -> KafkaSettings {
    KafkaSettings::new(broker.address(), "test")
}

pub(crate) fn starts(topic: &str, offsets: &[i64]) -> Vec<Start> {
    offsets
        .iter()
        .zip(0..)
        .map(|(offset, partition)| Start::new(TopicPartition::new(topic, partition), *offset))
        .collect()
}

/// A source and everything it has handed over.
pub(crate) struct Reader {
    pub source: KafkaSource,
    pub records: BTreeMap<usize, Vec<Record>>,
    pub ends: BTreeMap<usize, Vec<(i64, Instant)>>,
    /// What was said of inputs, in order.
    pub news: Vec<(usize, InputNews)>,
    /// Inputs whose last item was an end.
    at_end: BTreeSet<usize>,
    inputs: usize,
}

impl Reader {
    pub(crate) fn open(settings: &KafkaSettings, starts: &[Start]) -> Self {
        Self::of(
            KafkaSource::open(settings, &[], starts, OnMissing::Fail).unwrap(),
            starts,
        )
    }

    pub(crate) fn of(source: KafkaSource, starts: &[Start]) -> Self {
        Self {
            source,
            records: BTreeMap::new(),
            ends: BTreeMap::new(),
            news: Vec::new(),
            at_end: BTreeSet::new(),
            inputs: starts.len(),
        }
    }

    pub(crate) fn poll(&mut self, max: usize) -> Result<usize> {
        let mut items = Vec::new();
        let watermarks = vec![TimestampMs::from_ms(0); self.inputs];
        let began = wall::monotonic();
        while items.is_empty() && began.elapsed() < Duration::from_millis(200) {
            self.source.poll(max, &watermarks, &mut items)?;
            thread::sleep(Duration::from_millis(1));
        }
        let mut count = 0;
        for item in items {
            let input = item.input();
            match item {
                Item::Record(record) => {
                    count += 1;
                    self.at_end.remove(&input);
                    self.records.entry(input).or_default().push(record);
                }
                Item::End {
                    next_offset, at, ..
                } => {
                    self.at_end.insert(input);
                    self.ends.entry(input).or_default().push((next_offset, at));
                }
                Item::News { news, .. } => self.news.push((input, news)),
            }
        }
        Ok(count)
    }

    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = wall::monotonic();
        while !done(self) {
            self.poll(1000).unwrap();
            assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        }
    }

    /// Whether the end of an input has been reported, and no record after it.
    ///
    /// `Source::unread` knows of an end before it is reported.
    pub(crate) fn is_at_end(&self, input: usize) -> bool {
        self.at_end.contains(&input)
    }

    /// Reads until every input is at its end; those ends.
    pub(crate) fn read_to_ends(&mut self) -> Vec<i64> {
        self.until("all inputs are at their ends", |reader| {
            (0..reader.inputs).all(|input| reader.is_at_end(input))
        });
        (0..self.inputs)
            .map(|input| self.ends[&input].last().unwrap().0)
            .collect()
    }

    /// Reads on to ends that are confirmed from now on: what has come by now is read.
    pub(crate) fn read_on(&mut self) {
        let now = wall::monotonic();
        self.until("all inputs are at ends seen from now on", |reader| {
            (0..reader.inputs).all(|input| {
                let seen = |ends: &Vec<(i64, Instant)>| ends.last().is_some_and(|end| end.1 > now);
                reader.is_at_end(input) && reader.ends.get(&input).is_some_and(seen)
            })
        });
    }

    pub(crate) fn failure(&mut self) -> Error {
        let began = wall::monotonic();
        loop {
            if let Err(error) = self.poll(1000) {
                return error;
            }
            assert!(began.elapsed() < PATIENCE, "no error came");
        }
    }

    pub(crate) fn offsets(&self, input: usize) -> Vec<i64> {
        let records = self.records.get(&input).map_or(&[][..], Vec::as_slice);
        records.iter().map(|record| record.offset).collect()
    }

    pub(crate) fn payloads(&self, input: usize) -> Vec<&str> {
        self.records[&input]
            .iter()
            .map(|record| std::str::from_utf8(record.payload.as_ref().unwrap()).unwrap())
            .collect()
    }
}

pub(crate) fn open_error(settings: &KafkaSettings, starts: &[Start]) -> Error {
    match KafkaSource::open(settings, &[], starts, OnMissing::Fail) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}
