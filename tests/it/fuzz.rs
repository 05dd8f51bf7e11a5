//! Every target of the fuzzer for a few seconds, with one seed; and that it notices what it looks for.
//!
//! `tests/fuzz/run` runs longer.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tests::vitrine::binary;

const SECONDS: &str = "10";

/// Runs a target, with a state of its own in a folder.
fn fuzz(target: &str, folder: &Path, args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_fuzz"))
        .arg(target)
        .arg("--state")
        .arg(folder.join("state.json"))
        .args(args)
        .env("VITRINE_BIN", binary().unwrap())
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    output
}

fn state(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("state.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Nothing is found, and of what is tried some is accepted and some refused.
fn finds_nothing(target: &str) {
    let folder = tempfile::tempdir().unwrap();
    let ended = fuzz(target, folder.path(), &["--seconds", SECONDS]);
    if ended.status.code() != Some(0) {
        let said = [ended.stdout, ended.stderr].concat();
        let kept = folder.keep();
        panic!("{} {}", kept.display(), String::from_utf8_lossy(&said));
    }
    let state = state(folder.path());
    for outcome in ["accepted", "refused"] {
        assert!(state[outcome].as_u64() > Some(0), "{state}");
    }
}

#[test]
fn f19_f28_fuzzed_events_are_accepted_or_rejected() {
    finds_nothing("decode");
}

#[test]
fn k01_fuzzed_event_files_give_one_sequence_however_they_are_read() {
    finds_nothing("event-files");
}

#[test]
fn k48_fuzzed_reference_tables_are_read_or_named() {
    finds_nothing("reference");
}

#[test]
fn f31_fuzzed_configurations_are_checked_and_repeat_no_secret() {
    finds_nothing("config");
}

#[test]
fn f25_f26_fuzzed_queries_are_answered_or_refused_and_change_nothing() {
    finds_nothing("sql");
}

#[test]
fn panics_aborts_and_hangs_are_found_and_a_run_resumes_behind_them() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--case-seconds", "1", "--seconds"];
    let first = fuzz("control", folder.path(), &[&args[..], &["1"]].concat());
    let first_state = state(folder.path());
    assert_eq!(first.status.code(), Some(1), "{first_state}");
    // A second run goes on until there are enough findings; none of the first is lost.
    let ended = fuzz("control", folder.path(), &[&args[..], &["600"]].concat());
    assert_eq!(ended.status.code(), Some(1));
    let state = state(folder.path());
    assert!(state["next_case"].as_u64() > first_state["next_case"].as_u64());
    let findings = state["findings"].as_array().unwrap();
    let before = first_state["findings"].as_array().unwrap();
    assert!(!before.is_empty() && findings.starts_with(before));
    assert_eq!(findings.len(), 20);

    // Each is what was tried, and what came of it.
    for finding in findings {
        let path = Path::new(finding.as_str().unwrap());
        let finding: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let problem = finding["problem"].as_str().unwrap();
        let expected = match finding["input"][0]["text"].as_str().unwrap() {
            "panic" | "caught" => "panicked at",
            "broken" => "on purpose",
            "abort" => "signal: 6",
            "hang" => "ran longer than 1s",
            other => panic!("{other}: {problem}"),
        };
        assert!(problem.contains(expected), "{finding}");
    }
    let report = String::from_utf8(ended.stdout).unwrap();
    assert!(report.starts_with("control: cases="), "{report}");

    // The same seed comes to the same cases.
    let again = tempfile::tempdir().unwrap();
    fuzz("control", again.path(), &[&args[..], &["600"]].concat());
    let cases = |state: &Value| state["next_case"].clone();
    assert_eq!(cases(&self::state(again.path())), cases(&state));
}
