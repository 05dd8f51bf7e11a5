//! A simulated run as files: `DIR/<topic>/<partition>.ndjson`, `DIR/ref/`, `DIR/truth/`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::generate;
use super::plan::{EventSink, Plan, SimTopic, SimulateError, SimulationSummary};
use super::reference::write_reference;
use super::truth::{DirtyRecord, SoldInterval};

const BUFFER_BYTES: usize = 256 * 1024;

/// Simulates a plan into `out`: event files, reference data and truth. Files of a former run there are replaced.
pub fn write_dir(plan: &Plan, out: &Path) -> Result<SimulationSummary, SimulateError> {
    plan.validate()?;
    write_reference(plan, &out.join("ref"))?;
    let mut files = EventFiles::create(plan, out)?;
    let summary = generate(plan, &mut files)?;
    files.finish(&summary)?;
    Ok(summary)
}

/// The event files and the truth of a run, as a sink.
pub struct EventFiles {
    /// By topic, then partition.
    logs: Vec<LineFile>,
    partitions: usize,
    dirty: LineFile,
    sold: LineFile,
    truth: PathBuf,
}

impl EventFiles {
    /// Makes the files of a plan under `out`; those of a former run are replaced.
    pub fn create(plan: &Plan, out: &Path) -> Result<Self, SimulateError> {
        let mut logs = Vec::new();
        for topic in SimTopic::ALL {
            let folder = out.join(topic.folder());
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

    /// Puts on disk what has been given so far, so that a reader finds whole lines.
    pub fn flush(&mut self) -> Result<(), SimulateError> {
        let truth = [&mut self.dirty, &mut self.sold];
        self.logs
            .iter_mut()
            .chain(truth)
            .try_for_each(LineFile::flush)
    }

    /// Ends the files of a run that came to its end, with what it came to.
    pub fn finish(mut self, summary: &SimulationSummary) -> Result<(), SimulateError> {
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
        topic: SimTopic,
        partition: u32,
        _key: Option<&str>,
        _recorded_at_ms: i64,
        payload: &[u8],
    ) -> Result<(), SimulateError> {
        self.logs[topic.index() * self.partitions + partition as usize].line(payload)
    }

    fn dirty(&mut self, record: &DirtyRecord<'_>) -> Result<(), SimulateError> {
        self.dirty.json(record)
    }

    fn sold(&mut self, interval: &SoldInterval<'_>) -> Result<(), SimulateError> {
        self.sold.json(interval)
    }
}

/// A file of lines that names itself in errors.
struct LineFile {
    writer: BufWriter<File>,
    path: PathBuf,
}

impl LineFile {
    fn create(path: PathBuf) -> Result<Self, SimulateError> {
        let file = File::create(&path).map_err(|source| SimulateError::Write {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            writer: BufWriter::with_capacity(BUFFER_BYTES, file),
            path,
        })
    }

    fn line(&mut self, bytes: &[u8]) -> Result<(), SimulateError> {
        let written = self
            .writer
            .write_all(bytes)
            .and_then(|()| self.writer.write_all(b"\n"));
        written.map_err(|source| self.error(source))
    }

    fn json(&mut self, value: &impl Serialize) -> Result<(), SimulateError> {
        let written = serde_json::to_writer(&mut self.writer, value)
            .map_err(Into::into)
            .and_then(|()| self.writer.write_all(b"\n"));
        written.map_err(|source| self.error(source))
    }

    fn flush(&mut self) -> Result<(), SimulateError> {
        self.writer.flush().map_err(|source| self.error(source))
    }

    fn error(&self, source: std::io::Error) -> SimulateError {
        SimulateError::Write {
            path: self.path.clone(),
            source,
        }
    }
}

/// Makes sure that a folder exists and holds no event or truth file of a former run, which might have had more partitions.
fn create_empty(folder: &Path) -> Result<(), SimulateError> {
    let error = |source| SimulateError::Write {
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(error)?;
    for entry in fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "ndjson")
        {
            fs::remove_file(&path).map_err(error)?;
        }
    }
    Ok(())
}
