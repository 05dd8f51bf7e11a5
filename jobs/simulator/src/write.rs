//! A simulated run as files: `DIR/<topic>/<partition>.ndjson`, `DIR/ref/`, `DIR/truth/`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use schemas::event::Topic;
use schemas::time::TimestampMs;
use serde::Serialize;

use super::error::Error;
use super::generate;
use super::plan::{EventSink, Plan, SimulationSummary};
use super::reference::write_reference;
use super::truth::{DirtyRecord, SoldInterval};

const BUFFER_BYTES: usize = 256 * 1024;

/// Simulates a plan into `out`: event files, reference data and truth. Replaces files of an earlier run.
pub fn write_dir(plan: &Plan, out: &Path) -> Result<SimulationSummary, Error> {
    plan.validate()?;
    write_reference(plan, &out.join("ref"))?;
    let mut files = EventFiles::create(plan, out)?;
    let summary = generate(plan, &mut files)?;
    files.finish(&summary)?;
    Ok(summary)
}

/// A sink that writes the event files and the truth of a run.
pub struct EventFiles {
    /// By topic, then partition.
    logs: Vec<LineFile>,
    partitions: usize,
    dirty: LineFile,
    sold: LineFile,
    truth: PathBuf,
}

impl EventFiles {
    /// Creates the files of a plan under `out`; replaces those of an earlier run.
    pub fn create(plan: &Plan, out: &Path) -> Result<Self, Error> {
        let mut logs = Vec::new();
        for topic in Topic::ALL {
            let folder = out.join(topic.default_topic());
            create_empty(&folder)?;
            for partition in 0..plan.partitions {
                logs.push(LineFile::create(
                    folder.join(format!("{partition}.ndjson")),
                )?);
            }
        }
        let truth = out.join("truth");
        create_empty(&truth)?;
        Ok(Self {
            logs,
            partitions: plan.partitions as usize,
            dirty: LineFile::create(truth.join("dirty.ndjson"))?,
            sold: LineFile::create(truth.join("sell_through.ndjson"))?,
            truth,
        })
    }

    /// Writes everything received so far to disk, so that a reader finds whole lines.
    pub fn flush(&mut self) -> Result<(), Error> {
        let truth = [&mut self.dirty, &mut self.sold];
        self.logs
            .iter_mut()
            .chain(truth)
            .try_for_each(LineFile::flush)
    }

    /// Completes the files of a finished run with its anomalies and totals.
    pub fn finish(mut self, summary: &SimulationSummary) -> Result<(), Error> {
        self.flush()?;
        let mut anomalies = LineFile::create(self.truth.join("anomalies.ndjson"))?;
        for anomaly in &summary.anomalies {
            anomalies.json(anomaly)?;
        }
        anomalies.flush()?;
        let mut totals = LineFile::create(self.truth.join("summary.json"))?;
        totals.json(summary)?;
        totals.flush()
    }
}

impl EventSink for EventFiles {
    fn event(
        &mut self,
        topic: Topic,
        partition: u32,
        _key: Option<&str>,
        _recorded_at: TimestampMs,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.logs[topic.index() * self.partitions + partition as usize].line(payload)
    }

    fn dirty(&mut self, record: &DirtyRecord<'_>) -> Result<(), Error> {
        self.dirty.json(record)
    }

    fn sold(&mut self, interval: &SoldInterval<'_>) -> Result<(), Error> {
        self.sold.json(interval)
    }
}

/// A file of lines; errors name its path.
struct LineFile {
    writer: BufWriter<File>,
    path: PathBuf,
}

impl LineFile {
    fn create(path: PathBuf) -> Result<Self, Error> {
        let file = File::create(&path).map_err(Error::write(&path))?;
        Ok(Self {
            writer: BufWriter::with_capacity(BUFFER_BYTES, file),
            path,
        })
    }

    fn line(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = self
            .writer
            .write_all(bytes)
            .and_then(|()| self.writer.write_all(b"\n"));
        written.map_err(Error::write(&self.path))
    }

    fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let written = serde_json::to_writer(&mut self.writer, value)
            .map_err(Into::into)
            .and_then(|()| self.writer.write_all(b"\n"));
        written.map_err(Error::write(&self.path))
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush().map_err(Error::write(&self.path))
    }
}

/// Makes sure that a folder exists and holds no event or truth file of an earlier run, which may have had more partitions.
fn create_empty(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::write(folder))?;
    for entry in fs::read_dir(folder).map_err(Error::write(folder))? {
        let path = entry.map_err(Error::write(folder))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "ndjson")
        {
            fs::remove_file(&path).map_err(Error::write(&path))?;
        }
    }
    Ok(())
}
