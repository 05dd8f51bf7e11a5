//! The child: draws cases, tries them, counts.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use pipeline::time::wall;

use crate::finding::Finding;
use crate::mutate::random_of;
use crate::state::{State, case_file, findings_folder};
use crate::target::{Input, Outcome, Target};

const SAVE_EVERY: Duration = Duration::from_secs(3);

/// The first panic since it was asked for, on any thread and whoever catches it.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Tries cases until so many seconds are spent, from where the state in a file ends.
pub(crate) fn work(seconds: u64, path: &Path) -> Result<()> {
    let mut state = State::load(path)?;
    let mut target = state.target.open()?;
    let running = File::create(case_file(path))?;
    panic::set_hook(Box::new(|info| {
        let mut first = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| info.to_string());
    }));
    let (began, before) = (wall::monotonic(), state.spent());
    let mut saved = began;
    while !state.is_done(seconds) {
        let case = state.next_case;
        running.write_all_at(&case.to_le_bytes(), 0)?;
        let input = target.draw(&mut random_of(state.seed, case))?;
        let outcome = tried(target.as_mut(), &input)?;
        let now = wall::monotonic();
        let spent = before + now.duration_since(began);
        state.spent_ms = u64::try_from(spent.as_millis())?;
        state.next_case += 1;
        let mut is_news = now.duration_since(saved) >= SAVE_EVERY;
        match outcome {
            Outcome::Accepted => state.accepted += 1,
            Outcome::Refused => state.refused += 1,
            Outcome::Broken(problem) => {
                let finding = Finding {
                    target: state.target,
                    seed: state.seed,
                    case,
                    problem,
                    input,
                };
                state.findings.push(finding.save(findings_folder(path))?);
                is_news = true;
            }
        }
        if is_news {
            state.save(path)?;
            saved = now;
        }
    }
    state.save(path)
}

/// One case, with what panicked meanwhile.
fn tried(target: &mut dyn Target, input: &Input) -> Result<Outcome> {
    let outcome = catch_unwind(AssertUnwindSafe(|| target.check(input)));
    let panic = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (outcome, panic) {
        (Ok(outcome), None) => outcome,
        (Ok(outcome), Some(_)) if target.may_catch_panics() => outcome,
        (_, Some(panic)) => Ok(Outcome::Broken(panic)),
        (Err(_), None) => Ok(Outcome::Broken("a panic without a message".to_owned())),
    }
}
