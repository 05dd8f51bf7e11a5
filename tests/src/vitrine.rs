//! The binary `vitrine`, run as a user runs it.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use pipeline::time::wall;
use tempfile::TempDir;

use crate::{PATIENCE, cache};

/// Path of the binary, brought up to date by the first call.
///
/// `CARGO_BIN_EXE_vitrine` exists only for tests of the package that owns the binary, and `cargo test -p tests` does not
/// build another package's binaries. So it is built here, into the target folder this test binary lies in (a second or so
/// when nothing has changed). `VITRINE_BIN` names another one and skips that.
pub fn binary() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BINARY
        .get_or_init(|| find().map_err(|error| format!("{error:#}")))
        .as_deref()
        .map_err(|error| anyhow!("{error}"))
}

fn find() -> Result<PathBuf> {
    if let Some(path) = env::var_os("VITRINE_BIN") {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "VITRINE_BIN is no file: {}", path.display());
        return Ok(path);
    }
    // <target>/debug/deps/it-0123456789abcdef, or <target>/debug/bench
    let ours = env::current_exe()?;
    let profile = ours
        .ancestors()
        .skip(1)
        .find(|folder| !folder.ends_with("deps"))
        .context("no target folder")?;
    let target = profile.parent().context("no target folder")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // Cargo tells tests about their package by these; build scripts watch them, and would run and rebuild half the tree.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    cache::run(
        build
            .args(["build", "--quiet", "--workspace", "--bin", "vitrine"])
            .arg("--manifest-path")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
            .arg("--target-dir")
            .arg(target),
    )?;
    Ok(profile.join("vitrine"))
}

/// What a finished command left.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Exit code; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The finished command if it exited with 0, else an error that shows what it said.
    pub fn success(self) -> Result<Self> {
        ensure!(
            self.status.success(),
            "vitrine failed: {}\n{}\n{}",
            self.status,
            self.stdout,
            self.stderr
        );
        Ok(self)
    }
}

/// Of what a process said whose test failed.
const SHOWN_LINES: usize = 30;

/// A running `vitrine`; killed when dropped, which shows what it said last if its test failed.
pub struct Vitrine {
    child: Child,
    /// Files instead of pipes: nobody has to read for it to go on, and what a killed process said is still there.
    said: TempDir,
}

impl Vitrine {
    /// Starts `vitrine ARGS` with additional environment variables (`VITRINE__SECTION__KEY`).
    pub fn start<A: AsRef<OsStr>>(
        args: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let said = TempDir::new()?;
        let child = Command::new(binary()?)
            .args(args)
            .envs(environment.iter().copied())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(File::create(said.path().join("stdout"))?)
            .stderr(File::create(said.path().join("stderr"))?)
            .spawn()?;
        Ok(Self { child, said })
    }

    pub fn stdout(&self) -> Result<String> {
        self.read("stdout")
    }

    pub fn stderr(&self) -> Result<String> {
        self.read("stderr")
    }

    fn read(&self, name: &str) -> Result<String> {
        let bytes = fs::read(self.said.path().join(name))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Process id, for what has no method here.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name: TERM, INT, STOP, CONT.
    pub fn signal(&self, name: &str) -> Result<()> {
        cache::run(Command::new("kill").args(["-s", name, &self.child.id().to_string()]))
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// `kill -9`, by the child's handle.
    pub fn kill(mut self) -> Result<Finished> {
        self.child.kill()?;
        self.wait(PATIENCE)
    }

    /// Ends it as its operator would (SIGTERM), which has to be a good end.
    pub fn terminate(self, at_most: Duration) -> Result<Finished> {
        self.signal("TERM")?;
        self.wait(at_most)?.success()
    }

    /// Waits for its end; killed and an error if that takes longer than `at_most`.
    pub fn wait(mut self, at_most: Duration) -> Result<Finished> {
        let began = wall::monotonic();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(
                wall::monotonic().duration_since(began) < at_most,
                "vitrine still runs after {at_most:?}\n{}",
                self.stderr()?
            );
            thread::sleep(Duration::from_millis(20));
        };
        Ok(Finished {
            status,
            stdout: self.stdout()?,
            stderr: self.stderr()?,
        })
    }
}

impl Drop for Vitrine {
    fn drop(&mut self) {
        if thread::panicking()
            && let Ok(said) = self.stderr()
        {
            let lines: Vec<&str> = said.lines().collect();
            let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            eprintln!("vitrine {} said last:\n{}", self.id(), last.join("\n"));
        }
        // both fail only if it has ended
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `vitrine ARGS` to its end.
pub fn run<A: AsRef<OsStr>>(
    args: impl IntoIterator<Item = A>,
    environment: &[(&str, &str)],
    at_most: Duration,
) -> Result<Finished> {
    Vitrine::start(args, environment)?.wait(at_most)
}
