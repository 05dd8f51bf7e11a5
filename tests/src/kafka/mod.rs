//! A real Kafka broker for tests, and the few things tests do with one.
//!
//! ```no_run
//! use schemas::time::TimestampMs;
//! use tests::kafka::{Broker, Message};
//!
//! # fn main() -> anyhow::Result<()> {
//! let broker = Broker::shared()?;
//! let topic = broker.topic("orders", 4, &[])?;
//! let new_year = TimestampMs::from_ms(1_735_689_600_000);
//! broker.produce(&topic, [Message::new(0, "{}").key("K1").at(new_year)])?;
//! # Ok(())
//! # }
//! ```
//!
//! Tests that kill or freeze the broker start one of their own with [`Broker::start`]. A broker dies with the process
//! that started it, whatever happens to that.

mod clients;
mod jars;
mod process;

use std::ffi::OsString;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use pipeline::time::wall;
use tempfile::TempDir;

use self::clients::Clients;
pub use self::clients::{Message, OpenTransaction};
use self::process::Process;
pub use self::process::free_address;
use crate::PATIENCE;

/// A broker on 127.0.0.1.
pub struct Broker {
    address: String,
    class_path: OsString,
    clients: Clients,
    process: Mutex<Option<Process>>,
    /// After `process`: the broker goes before its storage.
    folder: TempDir,
}

impl Broker {
    /// The broker of this test run, started at the first call. Use topics of your own ([`topic`](Self::topic)).
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Broker, String>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start().map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow!("{error}"))
    }

    /// Starts a broker of one's own, and stops it when dropped.
    pub fn start() -> Result<Self> {
        let class_path = jars::class_path()?;
        let folder = tempfile::Builder::new()
            .prefix("vitrine-kafka-")
            .tempdir()?;
        let address = process::prepare(&class_path, folder.path())?;
        let broker = Self {
            clients: Clients::new(&address)?,
            address,
            class_path,
            process: Mutex::new(None),
            folder,
        };
        broker.start_again()?;
        Ok(broker)
    }

    /// `host:port`, for `[source] brokers`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Kills the broker (SIGKILL). Its address and storage stay.
    pub fn kill(&self) -> Result<()> {
        let mut held = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let process = held.as_mut().context("the broker is not running")?;
        process.signal("KILL")?;
        process.wait()?;
        // only now: dropping a process removes its storage if it is still there to be guarded
        *held = None;
        Ok(())
    }

    /// Freezes the broker: it keeps its connections and answers nothing.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP")?;
        // the signal is passed on by another process
        let began = wall::monotonic();
        while self.clients.check().is_ok() {
            ensure!(began.elapsed() < PATIENCE, "the broker still answers");
        }
        Ok(())
    }

    /// Lets a frozen broker go on.
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// Starts a broker that does not run and waits until it answers.
    pub fn start_again(&self) -> Result<()> {
        let mut process = Process::start(&self.class_path, self.folder.path())?;
        let began = wall::monotonic();
        while let Err(error) = self.clients.check() {
            if process.has_ended()? || wall::monotonic().duration_since(began) > PATIENCE {
                let log = fs::read_to_string(self.folder.path().join("broker.log"));
                bail!(
                    "the broker does not come up: {error:#}\n{}",
                    log.unwrap_or_default()
                );
            }
            thread::sleep(Duration::from_millis(50));
        }
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        Ok(())
    }

    fn signal(&self, name: &str) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process
            .as_mut()
            .context("the broker is not running")?
            .signal(name)
    }

    /// Makes a topic of a name that begins with `name` and is used nowhere else; returns the name.
    pub fn topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{name}.{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.create_topic(&name, partitions, config)?;
        Ok(name)
    }

    /// Makes a topic and waits until it can be used.
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> Result<()> {
        self.clients.create_topic(name, partitions, config)
    }

    /// Deletes a topic and waits until it is gone.
    pub fn delete_topic(&self, name: &str) -> Result<()> {
        self.clients.delete_topic(name)
    }

    /// Gives a topic as many partitions as this and waits until they can be used.
    pub fn add_partitions(&self, name: &str, partitions: usize) -> Result<()> {
        self.clients.add_partitions(name, partitions)
    }

    /// Deletes the records of a partition below an offset, as retention would.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<()> {
        self.clients.delete_records(topic, partition, before)
    }

    /// Writes records and waits until all are acknowledged; those of a partition keep their order.
    pub fn produce(&self, topic: &str, messages: impl IntoIterator<Item = Message>) -> Result<()> {
        self.clients.produce(topic, messages)
    }

    /// Writes records as one batch, packed by a codec, and waits until it is acknowledged: up to 1 GB before it is packed.
    pub fn produce_batch(
        &self,
        topic: &str,
        codec: &str,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<()> {
        self.clients.produce_batch(topic, codec, messages)
    }

    /// Writes records in one transaction and commits or aborts it. Either way a marker takes the next offset of each
    /// partition written to.
    pub fn transaction(
        &self,
        topic: &str,
        messages: impl IntoIterator<Item = Message>,
        commit: bool,
    ) -> Result<()> {
        self.clients.transaction(topic, messages, commit)
    }

    /// Writes records in a transaction of the producer `id` and leaves it open.
    pub fn open_transaction(
        &self,
        id: &str,
        topic: &str,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<OpenTransaction> {
        self.clients.open_transaction(id, topic, messages)
    }
}
