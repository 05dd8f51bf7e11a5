//! `vitrine demo`, as somebody meets it who has nothing installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use pipeline::time::wall;
use tempfile::TempDir;
use tests::PATIENCE;
use tests::vitrine::{self, Vitrine};

use crate::tree;

/// The commands at the end of a demo's output: everything after "To try:", apart by empty lines.
fn commands(stdout: &str) -> Vec<&str> {
    let (_, to_try) = stdout.split_once("\nTo try:\n").expect("commands to try");
    to_try
        .split("\n\n")
        .map(str::trim)
        .filter(|command| !command.is_empty())
        .collect()
}

#[test]
fn a_demo_shows_rows_and_alerts_and_its_commands_can_be_pasted() {
    let folder = TempDir::new().unwrap();
    // a name that a shell would take apart
    let dir = folder.path().join("my demo");
    let dir_text = dir.to_str().unwrap();
    let args = [
        "demo",
        "--once",
        "--days",
        "3",
        "--customers",
        "60",
        "--dir",
        dir_text,
    ];
    let demo = vitrine::run(args, &[], PATIENCE)
        .unwrap()
        .success()
        .unwrap();

    assert!(
        demo.stderr.contains("broker: in-process"),
        "{}",
        demo.stderr
    );
    for expected in [
        "dead letters 0",
        "requested_qty",
        "kept_percent",
        "Alerts A15",
        "metrics.demand_orders: ",
    ] {
        assert!(
            demo.stdout.contains(expected),
            "{expected}\n{}",
            demo.stdout
        );
    }
    assert!(!demo.stdout.contains("DIFFERS"), "{}", demo.stdout);
    let before_commands = demo.stdout.split("\nTo try:\n").next().unwrap();
    for line in before_commands.lines() {
        assert!(line.chars().count() <= 80, "too wide: {line}");
    }

    let commands = commands(&demo.stdout);
    assert_eq!(
        commands.len(),
        5,
        "four queries and the prompt: {commands:?}"
    );
    for command in &commands {
        // the prompt reads statements from what is no terminal: none
        let output = Command::new("sh")
            .args(["-c", command])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}\n{said}");
        assert!(
            !output.stdout.is_empty() || !command.contains('"'),
            "{command}"
        );
    }

    // a few files a table: compaction keeps up with the epochs
    let tables = tree::files(&dir.join("storage/tables"));
    let is_parquet = |path: &&PathBuf| path.extension().is_some_and(|end| end == "parquet");
    let files = tables.iter().filter(is_parquet).count();
    assert!((10..200).contains(&files), "{files} Parquet files");

    let events = fs::read_to_string(dir.join("events/truth/summary.json")).unwrap();
    let records = serde_json::from_str::<serde_json::Value>(&events).unwrap()["records"].clone();
    let config = dir.join("vitrine.toml");
    let again = ["--config", config.to_str().unwrap(), "run", "--drain"];
    let again = vitrine::run(again, &[], PATIENCE)
        .unwrap()
        .success()
        .unwrap();
    assert!(
        again
            .stdout
            .contains(&format!("read {records} = accepted {records} ")),
        "the files hold what came through the broker, at the same offsets: {}",
        again.stdout
    );

    let refused = vitrine::run(args, &[], PATIENCE).unwrap();
    assert_eq!(refused.code(), Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("--dir"), "{}", refused.stderr);
}

fn wait_for(demo: &Vitrine, text: &str) {
    let began = wall::monotonic();
    loop {
        let said = demo.stderr().unwrap();
        if said.contains(text) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "never said {text:?}:\n{said}");
        thread::sleep(Duration::from_millis(200));
    }
}

fn succeed(config: &Path, command: &[&str]) -> String {
    let args = ["--config", config.to_str().unwrap()];
    let finished = vitrine::run(args.iter().chain(command), &[], PATIENCE).unwrap();
    finished.success().unwrap().stdout
}

#[test]
fn a_live_demo_catches_up_goes_on_and_ends_in_order() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("live");
    let dir_text = dir.to_str().unwrap();
    let args = [
        "demo",
        "--days",
        "2",
        "--customers",
        "40",
        "--dir",
        dir_text,
    ];
    let demo = Vitrine::start(args, &[]).unwrap();
    wait_for(&demo, "caught up with the clock");
    wait_for(&demo, "  epoch ");
    demo.signal("INT").unwrap();
    let ended = demo.wait(PATIENCE).unwrap().success().unwrap();
    assert!(
        ended.stdout.starts_with("stopped after"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("dead letters 0"), "{}", ended.stdout);

    // what was sent and not read before the end is read from the files
    let config = dir.join("vitrine.toml");
    succeed(&config, &["run", "--until-caught-up"]);
    let audit = succeed(&config, &["audit"]);
    assert!(!audit.contains("DIFFERS"), "{audit}");
}
