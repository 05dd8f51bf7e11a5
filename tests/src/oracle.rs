//! The oracle: expected tables from raw events, by a program that shares nothing with the product (`tests/oracle`).

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Result, anyhow, bail};
use serde_json::Value;

use crate::cache;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle")
}

/// What comparing found.
pub struct Comparison {
    pub equal: bool,
    /// A line per table: rows expected, rows actual, differing, first difference.
    pub report: String,
}

/// Computes the expected tables of `events` into `out`; `more` are further arguments (`--drain-to`, `--config`, ...).
pub fn compute(events: &Path, reference: &Path, out: &Path, more: &[&str]) -> Result<()> {
    let args: [&OsStr; 7] = [
        "compute".as_ref(),
        "--events".as_ref(),
        events.as_ref(),
        "--ref".as_ref(),
        reference.as_ref(),
        "--out".as_ref(),
        out.as_ref(),
    ];
    let output = run(&args, more)?;
    if !output.status.success() {
        bail!("the oracle failed: {}", said(&output));
    }
    Ok(())
}

/// Compares what [`compute`] left in `expected` with a storage folder: the latest revisions of its Delta tables.
pub fn compare(expected: &Path, storage: &Path) -> Result<Comparison> {
    let args: [&OsStr; 5] = [
        "compare".as_ref(),
        "--expected".as_ref(),
        expected.as_ref(),
        "--delta".as_ref(),
        storage.as_ref(),
    ];
    let output = run(&args, &[])?;
    let equal = match output.status.code() {
        Some(0) => true,
        Some(3) => false,
        _ => bail!("the oracle failed: {}", said(&output)),
    };
    Ok(Comparison {
        equal,
        report: String::from_utf8_lossy(&output.stdout).into_owned(),
    })
}

/// Rows and sums of columns of a Delta table as deltalake-Python and DuckDB read it (`sums.py`).
pub fn sums(table: &Path, columns: &[&str]) -> Result<Value> {
    let output = Command::new(python()?)
        .arg(folder().join("sums.py"))
        .arg(table)
        .args(columns)
        .output()?;
    if !output.status.success() {
        bail!("the tables cannot be read: {}", said(&output));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn run(args: &[&OsStr], more: &[&str]) -> Result<Output> {
    Ok(Command::new(python()?)
        .arg(folder().join("oracle.py"))
        .args(args)
        .args(more)
        .output()?)
}

fn said(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The Python of a virtual environment that has what `requirements.txt` pins; made or brought up to date by the first call.
fn python() -> Result<&'static Path> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PYTHON
        .get_or_init(|| make_environment().map_err(|error| format!("{error:#}")))
        .as_deref()
        .map_err(|error| anyhow!("{error}"))
}

fn make_environment() -> Result<PathBuf> {
    let environment = cache::folder("vitrine-venv")?;
    let _held = cache::lock(&environment)?;
    let python = environment.join("bin/python");
    let requirements = folder().join("requirements.txt");
    let wanted = fs::read(&requirements)?;
    // written last: says that everything in it is installed
    let installed = environment.join("installed.txt");
    if fs::read(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    cache::run(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment),
    )?;
    cache::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(&requirements),
    )?;
    fs::write(&installed, &wanted)?;
    Ok(python)
}
