//! The parent: starts the child, watches it, reports.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pipeline::time::wall;
use tempfile::TempDir;

use crate::Options;
use crate::finding::Finding;
use crate::mutate::random_of;
use crate::state::{State, case_file, findings_folder};

/// For what the cases of a target share, before the first one.
const PREPARATION: Duration = Duration::from_secs(900);

/// How a child ended.
enum Ended {
    ByItself(ExitStatus),
    /// Killed in a case that took too long.
    Hung,
}

/// Runs a target to its end; whether nothing was found.
pub(crate) fn supervise(options: &Options) -> Result<bool> {
    let folder = TempDir::new()?;
    let path = match &options.state {
        Some(path) => path.clone(),
        None => folder.path().join("state.json"),
    };
    let mut state = State::open(&path, options.target, options.seed)?;
    while !state.is_done(options.seconds) {
        state.save(&path)?;
        state = round(options, &path, &state)?;
    }
    println!("{}", state.report());
    for finding in &state.findings {
        let problem = Finding::load(finding)?.problem;
        let short: String = problem.chars().take(400).collect();
        println!("  {}: {short}", finding.display());
    }
    if !state.findings.is_empty() && options.state.is_none() {
        println!("kept: {}", folder.keep().display());
    }
    Ok(state.findings.is_empty())
}

/// One child, from its start to its end; the state after it.
fn round(options: &Options, path: &Path, before: &State) -> Result<State> {
    let case_file = case_file(path);
    match fs::remove_file(&case_file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let began = wall::monotonic();
    let mut child = Command::new(env::current_exe()?)
        .arg(options.target.as_str())
        .args(["--child", "--seconds", &options.seconds.to_string()])
        .arg("--state")
        .arg(path)
        .spawn()?;
    let limit = Duration::from_secs(options.case_seconds);
    let ended = watch(&mut child, &case_file, limit);
    if ended.is_err() {
        // It may have ended meanwhile.
        let _ = child.kill();
    }
    let problem = match ended? {
        Ended::ByItself(status) if status.success() => return State::load(path),
        // What it says of itself stands on stderr.
        Ended::ByItself(status) if status.code() == Some(2) => bail!("no case could be tried"),
        Ended::ByItself(status) => format!("the process ended: {status}"),
        Ended::Hung => format!("the case ran longer than {limit:?}"),
    };
    let Some(case) = case_of(&case_file) else {
        bail!("before the first case, {problem}");
    };
    let mut state = State::load(path)?;
    let target = state.target.open()?;
    let finding = Finding {
        target: state.target,
        seed: state.seed,
        case,
        problem,
        input: target.draw(&mut random_of(state.seed, case))?,
    };
    state.findings.push(finding.save(findings_folder(path))?);
    state.next_case = case + 1;
    let spent = before.spent() + began.elapsed();
    state.spent_ms = u64::try_from(spent.as_millis())?;
    state.save(path)?;
    Ok(state)
}

fn watch(child: &mut Child, case_file: &Path, limit: Duration) -> Result<Ended> {
    let mut since = wall::monotonic();
    let mut last = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::ByItself(status));
        }
        let case = case_of(case_file);
        if case != last {
            (last, since) = (case, wall::monotonic());
        }
        let limit = if case.is_some() { limit } else { PREPARATION };
        if since.elapsed() > limit {
            child.kill().context("a child that hangs stays")?;
            child.wait()?;
            return Ok(Ended::Hung);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The case that is being tried; `None` before the first one.
fn case_of(file: &Path) -> Option<u64> {
    let bytes = fs::read(file).ok()?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}
