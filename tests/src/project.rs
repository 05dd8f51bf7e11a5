//! A configuration and a storage of a test's own, and what the commands make of them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pipeline::time::wall;
use serde_json::Value;
use tempfile::TempDir;

use crate::PATIENCE;
use crate::events::{Events, Topics};
use crate::kafka::Broker;
use crate::vitrine::{Finished, Vitrine};

/// A folder with `vitrine.toml` and `storage/`; kept, and named on stderr, if its test fails.
pub struct Project {
    folder: Option<TempDir>,
    path: PathBuf,
    environment: Vec<(String, String)>,
}

impl Project {
    /// Reads event files.
    pub fn on_files(events: &Events) -> Result<Self> {
        let source = format!("kind = \"files\"\ndir = {:?}", events.dir());
        Self::new(&source, "", &events.reference())
    }

    /// Reads topics of a broker.
    pub fn on_kafka(broker: &Broker, topics: &Topics, reference: &Path) -> Result<Self> {
        let source = format!("kind = \"kafka\"\nbrokers = {:?}", broker.address());
        let [orders, visits, complaints, prices] = topics.names();
        let names = format!(
            "orders = {orders:?}\nvisits = {visits:?}\ncomplaints = {complaints:?}\nprices = {prices:?}\n\
             alerts = {:?}\ndemand = {:?}",
            topics.alerts(),
            topics.demand(),
        );
        Self::new(&source, &names, reference)
    }

    fn new(source: &str, topics: &str, reference: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vitrine-test-").tempdir()?;
        let path = folder.path().to_owned();
        let url = format!("file://{}", path.join("storage").display());
        let config = format!(
            "[source]\n{source}\n[topics]\n{topics}\n[storage]\nurl = {url:?}\n[reference]\ndir = {reference:?}\n"
        );
        fs::write(path.join("vitrine.toml"), config)?;
        Ok(Self {
            folder: Some(folder),
            path,
            environment: Vec::new(),
        })
    }

    /// Adds sections to `vitrine.toml`.
    pub fn configure(self, sections: &str) -> Result<Self> {
        let mut file = OpenOptions::new().append(true).open(self.config())?;
        writeln!(file, "{sections}")?;
        Ok(self)
    }

    /// Sets a configuration key, `VITRINE__SECTION__KEY`, for all commands from here on.
    pub fn set(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.environment.push((variable.to_owned(), value.into()));
        self
    }

    /// The storage folder.
    pub fn storage(&self) -> PathBuf {
        self.path.join("storage")
    }

    /// A file or folder beside the storage.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path.join("vitrine.toml")
    }

    /// Starts `vitrine ARGS`.
    pub fn start(&self, args: &[&str]) -> Result<Vitrine> {
        let config = self.config();
        let config = config.to_str().context("the folder's name is not UTF-8")?;
        let environment: Vec<(&str, &str)> = self
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Vitrine::start([&["--config", config], args].concat(), &environment)
    }

    /// Runs `vitrine ARGS` to its end, which may be a bad one.
    pub fn finish(&self, args: &[&str]) -> Result<Finished> {
        self.start(args)?.wait(PATIENCE)
    }

    /// Runs `vitrine ARGS` to its good end.
    pub fn run(&self, args: &[&str]) -> Result<Finished> {
        self.finish(args)?.success()
    }

    /// The rows that answer a query, as JSON objects.
    pub fn query(&self, query: &str) -> Result<Vec<Value>> {
        let answer = self.run(&["sql", "--format", "ndjson", query])?;
        answer
            .stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).with_context(|| format!("query={query} line={line}"))
            })
            .collect()
    }

    /// The one value that answers a query.
    pub fn value(&self, query: &str) -> Result<Value> {
        let rows = self.query(query)?;
        let row = rows.first().with_context(|| format!("no row: {query}"))?;
        let value = row.as_object().and_then(|columns| columns.values().next());
        value
            .cloned()
            .with_context(|| format!("no column: {query}"))
    }

    /// The whole number that answers a query; NULL, as from a sum over no rows, is 0.
    pub fn number(&self, query: &str) -> Result<i64> {
        let value = self.value(query)?;
        let number = match &value {
            Value::Null => Some(0),
            Value::String(text) => text.parse().ok(),
            value => value.as_i64(),
        };
        number.with_context(|| format!("not a whole number: {value} answers {query}"))
    }

    /// The answer of `vitrine status --json`.
    pub fn status(&self) -> Result<Value> {
        let answer = self.run(&["status", "--json"])?;
        Ok(serde_json::from_str(&answer.stdout)?)
    }

    /// Asks until `done` says yes; before the first epoch its error means no.
    pub fn until(&self, what: &str, done: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let began = wall::monotonic();
        loop {
            match done(self) {
                Ok(true) => return Ok(()),
                result if began.elapsed() > PATIENCE => {
                    return result.and_then(|_| bail!("waited in vain until {what}"));
                }
                _ => thread::sleep(Duration::from_millis(200)),
            }
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("kept for a look: {}", folder.keep().display());
        }
    }
}
