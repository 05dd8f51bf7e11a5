//! The broker as a process that cannot outlive us.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result};

use crate::cache;

/// Small and quick to start rather than quick to serve.
const JVM: [&str; 4] = [
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
];

/// Runs `"$@"`, passes on the signals named on its standard input, and when that ends (we closed it, or died, by `kill -9`
/// even) kills the broker and removes its folder. In a process group of its own: a Ctrl-C at the terminal is ours to handle.
const GUARD: &str = r#"
folder=$1; shift
exec 3<&0
"$@" </dev/null 3<&- >"$folder/broker.log" 2>&1 &
broker=$!
{
  while read -r signal <&3; do kill -s "$signal" "$broker"; done
  trap '' TERM
  kill -s KILL "$broker"
  rm -rf "$folder"
} &
guard=$!
exec 3<&-
wait "$broker"
kill "$guard"
"#;

/// A running broker.
pub(super) struct Process {
    guard: Child,
    signals: Option<ChildStdin>,
}

impl Process {
    /// Starts the broker whose storage and `server.properties` lie in `folder`.
    pub(super) fn start(class_path: &OsStr, folder: &Path) -> Result<Self> {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(folder)
            .arg("java")
            .args(JVM)
            .arg("-cp")
            .arg(class_path)
            .arg("kafka.Kafka")
            .arg(folder.join("server.properties"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("starting sh")?;
        let signals = guard.stdin.take();
        Ok(Self { guard, signals })
    }

    /// Sends a signal by its name: KILL, STOP, CONT.
    pub(super) fn signal(&mut self, name: &str) -> Result<()> {
        let signals = self.signals.as_mut().context("the broker is gone")?;
        writeln!(signals, "{name}").context("the broker is gone")
    }

    /// Whether the broker has ended.
    pub(super) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.guard.try_wait()?.is_some())
    }

    pub(super) fn wait(&mut self) -> Result<()> {
        self.guard.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signals = None;
        // nothing to be done about a failure, and nobody to report it to
        let _ = self.guard.wait();
    }
}

/// Writes `server.properties` for a broker that is its own controller, and formats its storage; returns its address.
pub(super) fn prepare(class_path: &OsStr, folder: &Path) -> Result<String> {
    let [broker, controller] = free_ports()?;
    let properties = format!(
        "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
# a missing input topic has to stay missing
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# simulated events are old by their timestamps; retention would take them at once
log.retention.hours=-1
log.retention.bytes=-1
# after a kill -9 the former registration has to expire before a restart is let in
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=300
",
        data = folder.join("data").display(),
    );
    let file = folder.join("server.properties");
    fs::write(&file, properties)?;
    cache::run(
        Command::new("java")
            .args(JVM)
            .arg("-cp")
            .arg(class_path)
            // any 16 bytes name a cluster that lives as long as a test
            .args([
                "kafka.tools.StorageTool",
                "format",
                "-t",
                "dml0cmluZS10ZXN0LTAwMQ",
                "-c",
            ])
            .arg(&file),
    )?;
    Ok(format!("127.0.0.1:{broker}"))
}

/// An address of 127.0.0.1 at which nobody listened a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Two ports nobody listens on; held together so that they differ.
fn free_ports() -> Result<[u16; 2]> {
    let held = [
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    ];
    Ok([held[0].local_addr()?.port(), held[1].local_addr()?.port()])
}
