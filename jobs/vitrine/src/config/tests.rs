//! The example file against the defaults, the layers over one another, and what a mistake is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::environment::Environment;
use super::load::layered;
use super::{Config, ConfigError};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/vitrine.example.toml"
);

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
}

fn with(toml: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("vitrine.toml");
    fs::write(&file, toml).unwrap();
    layered(Some(&file), environment(variables))
}

fn refusal(toml: &str, variables: &[(&str, &str)]) -> String {
    with(toml, variables).unwrap_err().to_string()
}

/// The keys that the code knows in a section, from what it says about one that it does not.
fn known_keys(section: &[&str]) -> Vec<String> {
    let path = [section, &["no_such_key"]].concat().join(".");
    let error = figment::Figment::from((path.as_str(), 1))
        .extract::<Config>()
        .unwrap_err();
    match &error.kind {
        figment::error::Kind::UnknownField(_, known) => {
            known.iter().map(|&name| name.to_owned()).collect()
        }
        other => panic!("{path}: {other}"),
    }
}

#[test]
fn the_example_holds_the_defaults() {
    let example = layered(Some(Path::new(EXAMPLE)), environment(&[])).unwrap();
    assert_eq!(format!("{example:#?}"), format!("{:#?}", Config::default()));
}

#[test]
fn the_example_holds_every_key_with_a_comment() {
    let text = fs::read_to_string(EXAMPLE).unwrap();
    let example: toml::Table = text.parse().unwrap();
    for section in known_keys(&[]) {
        let table = example[&section].as_table().unwrap();
        for key in known_keys(&[&section]) {
            assert!(table.contains_key(&key), "[{section}] {key} is missing");
            if let Some(nested) = table[&key].as_table().filter(|_| section == "time") {
                for inner in known_keys(&[&section, &key]) {
                    assert!(nested.contains_key(&inner), "[{section}.{key}] {inner}");
                }
            }
        }
    }
    for line in text.lines().filter(|line| line.contains(" = ")) {
        assert!(line.contains('#'), "no comment: {line}");
    }
}

#[test]
fn the_receiver_in_the_examples_comment_is_one() {
    let text = fs::read_to_string(EXAMPLE).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("# webhooks = "))
        .unwrap();
    let config = with(&format!("[alerts]\nwebhooks = {line}\n"), &[]).unwrap();
    assert_eq!(config.alerts.webhooks.len(), 1);
    assert_eq!(config.alerts.webhooks[0].name, "desk");
}

#[test]
fn an_unknown_key_is_refused_naming_the_nearest() {
    let said = refusal("[source]\nbroker = \"a:9092\"\n", &[]);
    assert!(said.contains("unknown key broker"), "{said}");
    assert!(said.contains("nearest known key: brokers"), "{said}");
    assert!(said.contains("vitrine.toml"), "{said}");

    let said = refusal("[time.orders]\nallowed_latenes = \"1d\"\n", &[]);
    assert!(said.contains("time.orders"), "{said}");
    assert!(
        said.contains("nearest known key: allowed_lateness"),
        "{said}"
    );

    let said = refusal("[alert]\nmax_age = \"1h\"\n", &[]);
    assert!(said.contains("nearest known key: alerts"), "{said}");
}

#[test]
fn the_environment_is_above_the_file_and_the_file_above_the_defaults() {
    let file = "[source]\nbrokers = \"file:9092\"\ngroup = \"of-file\"\n";
    let config = with(
        file,
        &[
            ("VITRINE__SOURCE__BROKERS", "one:9092,two:9092"),
            ("VITRINE__TIME__ORDERS__ALLOWED_LATENESS", "3d"),
            ("VITRINE__LIMITS__MAX_RECORD_BYTES", "2048"),
            ("VITRINE__FEEDS__DEMAND", "false"),
            ("VITRINE_CONFIG", "a variable of another purpose"),
            ("HOME", "/"),
        ],
    )
    .unwrap();
    assert_eq!(config.source.brokers, "one:9092,two:9092");
    assert_eq!(config.source.group, "of-file");
    assert_eq!(config.limits.max_record_bytes, 2048);
    assert!(!config.feeds.demand);
    let orders = config.time.orders;
    assert_eq!(orders.allowed_lateness, Duration::from_secs(3 * 86_400));
    assert_eq!(orders.out_of_orderness, Duration::from_secs(60));
}

#[test]
fn an_unknown_variable_is_refused_too() {
    let said = refusal("", &[("VITRINE__EPOCH__INTERVALL", "5s")]);
    assert!(said.contains("unknown key intervall"), "{said}");
    assert!(said.contains("VITRINE__EPOCH__INTERVALL"), "{said}");
    assert!(said.contains("nearest known key: interval"), "{said}");
}

#[test]
fn a_wrong_value_is_named_with_its_key() {
    for (toml, key, value) in [
        (
            "[time]\nmax_future_skew = \"5 parsecs\"",
            "time.max_future_skew",
            "5 parsecs",
        ),
        (
            "[time.visits]\nidle_after = \"soon\"",
            "time.visits",
            "soon",
        ),
        (
            "[time]\nzone = \"Asia/Atlantis\"",
            "time.zone",
            "Asia/Atlantis",
        ),
        ("[limits]\nmemory = \"2 apples\"", "limits.memory", "apples"),
        ("[source]\nkind = \"pulsar\"", "source.kind", "pulsar"),
    ] {
        let said = refusal(toml, &[]);
        assert!(said.contains(key), "{key} in {said}");
        assert!(said.contains(value), "{value} in {said}");
    }
}

#[test]
fn what_is_not_wired_yet_is_refused_unless_at_its_default() {
    let said = refusal("[storage]\nurl = \"s3://bucket/vitrine\"\n", &[]);
    assert!(said.contains("[storage] url"), "{said}");
    assert!(said.contains("file:///"), "{said}");

    let said = refusal("", &[("VITRINE__HTTP__LISTEN", "0.0.0.0:80")]);
    assert!(said.contains("[http] listen"), "{said}");

    with("[http]\nlisten = \"127.0.0.1:8080\"\n", &[]).unwrap();
}

#[test]
fn a_missing_file_is_named() {
    let said = layered(Some(Path::new("/no/such.toml")), environment(&[]))
        .unwrap_err()
        .to_string();
    assert!(said.contains("/no/such.toml"), "{said}");
}
