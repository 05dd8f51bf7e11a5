//! A folder of event files: no panic, no hang, consecutive offsets, one sequence however it is cut, resumed or packed (K1).

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use pipeline::kafka::TopicPartition;
use pipeline::source::files::{FileEnds, FileSettings, FileSource};
use pipeline::source::{Item, Record, Source, Start};
use rand::Rng;
use rand::seq::IndexedRandom;
use tempfile::TempDir;
use tests::event_schemas::{EventSchema, NOON_MS, event_schemas};
use tests::events::TOPICS;

use crate::decode::JSON_TOKENS;
use crate::mutate::{self, Random};
use crate::target::{Input, Outcome, Part, Target};

/// Longer lines are cut, so that some are.
const MAX_RECORD_BYTES: usize = 6_000;

/// Polls of one record each, for all that a case may hold.
const MAX_POLLS: usize = 1 << 20;

const PARTITIONS: i32 = 2;

/// See the module's page.
pub(crate) struct EventFiles {
    schemas: Vec<EventSchema>,
}

/// What a source hands over.
#[derive(Debug, PartialEq)]
struct Sequence {
    records: Vec<Record>,
    /// Of each input that is at its end: the offset behind.
    ends: Vec<(usize, i64)>,
    error: Option<String>,
}

impl EventFiles {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            schemas: event_schemas()?,
        })
    }

    fn lines(&self, random: &mut Random) -> Result<Vec<u8>> {
        let mut lines = Vec::new();
        let mut at = NOON_MS;
        for number in 0..random.random_range(0..20) {
            let line = match (random.random_range(0..12), self.schemas.choose(random)) {
                (0, _) => "null".to_owned(),
                (1, _) => String::new(),
                (2, _) => "x".repeat(random.random_range(0..2 * MAX_RECORD_BYTES)),
                (_, Some(schema)) => {
                    at += random.random_range(-500..1_000);
                    let mut event = schema.event(0.3, number, random)?;
                    event["recorded_at"] = at.into();
                    event.to_string()
                }
                (_, None) => String::new(),
            };
            lines.extend_from_slice(line.as_bytes());
            let ends = ["\n", "\n", "\n", "\n", "\r\n", " \n", "\n\n", "\r"];
            lines.extend_from_slice(ends.choose(random).unwrap_or(&"\n").as_bytes());
        }
        if random.random_bool(0.3) {
            mutate::bytes(&mut lines, &JSON_TOKENS, random);
        }
        Ok(lines)
    }
}

impl Target for EventFiles {
    fn draw(&self, random: &mut Random) -> Result<Input> {
        let mut files = Vec::new();
        let packs = random.random_bool(0.5);
        for topic in TOPICS {
            for partition in 0..PARTITIONS {
                if random.random_bool(0.6) {
                    continue;
                }
                let lines = self.lines(random)?;
                let ending = match random.random_range(0..3) {
                    0 if packs => ".gz",
                    1 if packs => ".zst",
                    _ => "",
                };
                let mut bytes = packed(&lines, ending, random)?;
                if !ending.is_empty() && random.random_bool(0.3) {
                    mutate::bytes(&mut bytes, &["\u{1f}", "\0\0\0\0\0\0\0\0"], random);
                }
                let name = format!("{topic}/{partition}.ndjson{ending}");
                files.push(Part::new(name, bytes));
            }
        }
        Ok(files)
    }

    fn check(&mut self, input: &Input) -> Result<Outcome> {
        let folder = TempDir::new()?;
        write(folder.path(), input)?;
        let starts = starts(&[]);
        let whole = read(folder.path(), &starts, FileEnds::Final, 1_000);
        for ends in [FileEnds::Followed, FileEnds::AtOpening, FileEnds::Final] {
            let whole = read(folder.path(), &starts, ends, 1_000);
            if let Some(problem) = problem_of(&whole, &starts, input) {
                return Ok(Outcome::Broken(format!("{ends:?}: {problem}")));
            }
            for max in [1, 3] {
                let cut = read(folder.path(), &starts, ends, max);
                if cut != whole {
                    let problem = format!("{ends:?}: polls of {max} differ: {cut:?}\n{whole:?}");
                    return Ok(Outcome::Broken(problem));
                }
            }
        }
        if whole.error.is_some() {
            return Ok(Outcome::Refused);
        }
        let (before, after) = whole.records.split_at(whole.records.len() / 2);
        let resumed = read(folder.path(), &self::starts(before), FileEnds::Final, 3);
        if resumed.records != after || resumed.ends != whole.ends || resumed.error.is_some() {
            let problem = format!("resumed at {}: {resumed:?}\n{whole:?}", before.len());
            return Ok(Outcome::Broken(problem));
        }
        if input.iter().all(|part| part.name.ends_with(".ndjson")) {
            let other = TempDir::new()?;
            let mut files = Vec::new();
            for part in input {
                let bytes = gzip(&part.bytes)?;
                files.push(Part::new(format!("{}.gz", part.name), bytes));
            }
            write(other.path(), &files)?;
            let packed = read(other.path(), &starts, FileEnds::Final, 1_000);
            if packed != whole {
                let problem = format!("packed: {packed:?}\n{whole:?}");
                return Ok(Outcome::Broken(problem));
            }
        }
        Ok(Outcome::Accepted)
    }
}

/// What holds for every sequence.
fn problem_of(sequence: &Sequence, starts: &[Start], input: &Input) -> Option<String> {
    let mut next: Vec<i64> = starts.iter().map(|start| start.offset).collect();
    for record in &sequence.records {
        let expected = next.get_mut(record.input)?;
        if record.offset != *expected {
            return Some(format!("offset {expected} is missing before {record:?}"));
        }
        *expected += 1;
    }
    if let Some(error) = &sequence.error {
        let is_named = input.iter().any(|part| error.contains(&part.name));
        return (!is_named).then(|| format!("an error names no file: {error}"));
    }
    let ends: Vec<(usize, i64)> = next.into_iter().enumerate().collect();
    (sequence.ends != ends).then(|| format!("ends {:?} instead of {ends:?}", sequence.ends))
}

/// Every input behind what was read of it.
fn starts(read: &[Record]) -> Vec<Start> {
    let inputs = TOPICS
        .iter()
        .flat_map(|topic| (0..PARTITIONS).map(|partition| TopicPartition::new(*topic, partition)));
    let of_input = |(input, partition)| {
        let offsets = read.iter().filter(|record| record.input == input);
        let offset = offsets.map(|record| record.offset + 1).max();
        Start::new(partition, offset.unwrap_or(0))
    };
    inputs.enumerate().map(of_input).collect()
}

fn read(folder: &Path, starts: &[Start], ends: FileEnds, max: usize) -> Sequence {
    let mut sequence = Sequence {
        records: Vec::new(),
        ends: Vec::new(),
        error: None,
    };
    let settings = FileSettings {
        max_record_bytes: MAX_RECORD_BYTES,
        ends,
    };
    let failed = |error| Some(format!("{:#}", anyhow::Error::from(error)));
    let mut source = match FileSource::open(folder, starts, settings) {
        Ok(source) => source,
        Err(error) => {
            sequence.error = failed(error);
            return sequence;
        }
    };
    for _ in 0..MAX_POLLS {
        let mut items = Vec::new();
        let polled = source.poll(max, &[], &mut items);
        sequence.ends.clear();
        for item in items {
            match item {
                Item::Record(record) => sequence.records.push(record),
                Item::End {
                    input, next_offset, ..
                } => sequence.ends.push((input, next_offset)),
                Item::News { .. } => {}
            }
        }
        if let Err(error) = polled {
            sequence.ends.clear();
            sequence.error = failed(error);
            return sequence;
        }
        if sequence.ends.len() == starts.len() {
            return sequence;
        }
    }
    sequence.error = Some("it comes to no end".to_owned());
    sequence
}

fn write(folder: &Path, files: &Input) -> Result<()> {
    for part in files {
        let path = folder.join(&part.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, &part.bytes)?;
    }
    Ok(())
}

/// Lines as a file of this ending, in one to three members.
fn packed(lines: &[u8], ending: &str, random: &mut Random) -> Result<Vec<u8>> {
    let piece = lines.len().div_ceil(random.random_range(1..=3)).max(1);
    let mut bytes = Vec::new();
    for piece in lines.chunks(piece) {
        match ending {
            ".gz" => bytes.extend(gzip(piece)?),
            ".zst" => bytes.extend(zstd::encode_all(piece, 1)?),
            _ => bytes.extend_from_slice(piece),
        }
    }
    Ok(bytes)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
