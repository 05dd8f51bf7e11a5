//! The example file against the defaults, the order of the layers, and the messages of errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::Config;
use super::environment::Environment;
use super::load::layered;
use crate::exit::CommandError;

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/vitrine.example.toml"
);

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(variables.iter().copied())
}

fn with(toml: &str, variables: &[(&str, &str)]) -> Result<Config, CommandError> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("vitrine.toml");
    fs::write(&file, toml).unwrap();
    layered(Some(&file), environment(variables))
}

fn refusal(toml: &str, variables: &[(&str, &str)]) -> String {
    with(toml, variables).unwrap_err().to_string()
}

/// The keys of a section, from the error about an unknown one.
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
fn the_webhook_in_the_comment_of_the_example_is_valid() {
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
    let message = refusal("[source]\nbroker = \"a:9092\"\n", &[]);
    assert!(message.contains("unknown key broker"), "{message}");
    assert!(message.contains("nearest known key: brokers"), "{message}");
    assert!(message.contains("vitrine.toml"), "{message}");

    let message = refusal("[time.orders]\nallowed_latenes = \"1d\"\n", &[]);
    assert!(message.contains("time.orders"), "{message}");
    assert!(
        message.contains("nearest known key: allowed_lateness"),
        "{message}"
    );

    let message = refusal("[alert]\nmax_age = \"1h\"\n", &[]);
    assert!(message.contains("nearest known key: alerts"), "{message}");
}

#[test]
fn the_environment_overrides_the_file_and_the_file_the_defaults() {
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
fn the_environment_sets_a_text_that_looks_like_a_number_a_flag_or_a_list() {
    let config = with(
        "",
        &[
            ("VITRINE__STORAGE__MODE", "0750"),
            ("VITRINE__SOURCE__GROUP", "2026"),
            ("VITRINE__SOURCE__DIR", "true"),
            ("VITRINE__REFERENCE__DIR", "2026"),
            ("VITRINE__TOPICS__ORDERS", "1.50"),
            ("VITRINE__TOPICS__VISITS", "'v'"),
            ("VITRINE__SOURCE__BROKERS", "[::1]"),
            ("VITRINE__SOURCE__PROPERTIES__ACKS", "-1"),
            ("VITRINE__LIMITS__MEMORY", "536870912"),
            ("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1"),
        ],
    );
    let config = config.unwrap();
    let mode = pipeline::log::StorageMode::new(0o750).unwrap();
    assert_eq!(config.storage.mode, mode);
    assert_eq!(config.source.group, "2026");
    assert_eq!(config.source.dir, Path::new("true"));
    assert_eq!(config.reference.dir, Path::new("2026"));
    assert_eq!(config.topics.inputs()[..2], ["1.50", "v"]);
    assert_eq!(config.source.brokers, "[::1]");
    assert_eq!(config.source.properties["acks"], "-1");
    assert_eq!(config.limits.memory, 512 << 20);
    let quoted = with("", &[("VITRINE__SOURCE__GROUP", "\"2026\"")]).unwrap();
    assert_eq!(quoted.source.group, "2026");
}

#[test]
fn a_variable_of_the_wrong_type_is_refused_in_the_words_of_its_key() {
    for (name, value, said) in [
        ("VITRINE__SOURCE__KIND", "1", "`files`"),
        ("VITRINE__SOURCE__PARTITIONER", "0", "`murmur2`"),
        ("VITRINE__SOURCE__ON_MISSING", "true", "unknown variant"),
        (
            "VITRINE__STORAGE__MODE",
            "0999",
            "not a mode of folders like",
        ),
        ("VITRINE__EPOCH__INTERVAL", "10", "is not a duration like"),
        (
            "VITRINE__TIME__ORDERS__IDLE_AFTER",
            "10",
            "is not a duration like",
        ),
        (
            "VITRINE__TOPICS__CREATE_TOPICS",
            "1",
            "found a whole number, expected a boolean",
        ),
        (
            "VITRINE__LIMITS__MAX_RECORD_BYTES",
            "many",
            "found a text, expected a whole number that is not negative",
        ),
        (
            "VITRINE__LIMITS__MAX_RECORD_BYTES",
            "-1",
            "found a whole number out of range, expected a whole number that is not negative",
        ),
        ("VITRINE__LIMITS__MEMORY", "lots", "is not a size like"),
        ("VITRINE__LIMITS__MEMORY", "true", "is not a size like"),
    ] {
        let message = refusal("", &[(name, value)]);
        assert!(
            message.contains(name) && message.contains(said),
            "{message}"
        );
    }
}

#[test]
fn input_topics_have_their_configured_names() {
    let config = with("[topics]\nvisits = \"field.v2\"\n", &[]).unwrap();
    let names = ["orders.v1", "field.v2", "complaints.v1", "prices.v1"];
    assert_eq!(config.topics.inputs(), names);
    for settings in config.topic_settings() {
        assert_eq!(config.topics.name(settings.topic), settings.name);
    }
}

#[test]
fn an_unknown_variable_is_refused_too() {
    let message = refusal("", &[("VITRINE__EPOCH__INTERVALL", "5s")]);
    assert!(message.contains("unknown key intervall"), "{message}");
    assert!(message.contains("VITRINE__EPOCH__INTERVALL"), "{message}");
    assert!(message.contains("nearest known key: interval"), "{message}");
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let value = OsString::from_vec(vec![0xff]);
    let environment = Environment::of([("VITRINE__SOURCE__BROKERS", value)]);
    let message = layered(None, environment).unwrap_err().to_string();
    assert!(
        message.contains("VITRINE__SOURCE__BROKERS is not UTF-8"),
        "{message}"
    );
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
        (
            "[limits]\nmemory = \"2 apples\"",
            "limits.memory",
            "is not a size like \"2GiB\", \"512MB\" or 1073741824 (bytes)",
        ),
        ("[source]\nkind = \"pulsar\"", "source.kind", "pulsar"),
    ] {
        let message = refusal(toml, &[]);
        assert!(message.contains(key), "{key} in {message}");
        assert!(message.contains(value), "{value} in {message}");
    }
}

#[test]
fn unsupported_keys_are_refused_unless_at_their_default() {
    let message = refusal("[storage]\nurl = \"s3://bucket/vitrine\"\n", &[]);
    assert!(message.contains("[storage] url"), "{message}");
    assert!(message.contains("file:///"), "{message}");

    let message = refusal("", &[("VITRINE__HTTP__LISTEN", "0.0.0.0:80")]);
    assert!(message.contains("[http] listen"), "{message}");

    with("[http]\nlisten = \"127.0.0.1:8080\"\n", &[]).unwrap();
}

#[test]
fn names_that_no_topic_can_have_are_refused() {
    for (key, name, why) in [
        ("orders", "", "1 to 249"),
        ("visits", "..", "1 to 249"),
        ("complaints", "a/b", "1 to 249"),
        ("prices", "prices v1", "1 to 249"),
        ("alerts", "告警", "1 to 249"),
        (
            "prices",
            "orders.v1",
            "[topics] orders has this name already",
        ),
    ] {
        let message = refusal(&format!("[topics]\n{key} = {name:?}\n"), &[]);
        let expected = format!("[topics] {key} = {name:?}");
        assert!(
            message.contains(&expected) && message.contains(why),
            "{message}"
        );
    }
    let longest = "x".repeat(249);
    with(&format!("[topics]\norders = {longest:?}\n"), &[]).unwrap();
    refusal(&format!("[topics]\norders = \"{longest}x\"\n"), &[]);
}

/// Of every key that has bounds: what lies beyond them is refused with the key, by `check` too, and the bounds themselves are taken.
#[test]
fn f40_values_that_cannot_work_are_refused_with_their_key() {
    const REFUSED: [(&str, &str, &str); 36] = [
        ("source", "brokers", "\"\""),
        ("source", "brokers", "\"a:9092,\""),
        ("source", "brokers", "\"a:0\""),
        ("source", "brokers", "\"a:99999\""),
        ("source", "brokers", "\"a b:9092\""),
        ("source", "brokers", "\"user:48151623@a:9092\""),
        ("source", "group", "\" \""),
        ("topics", "visits", "\"\""),
        ("topics", "alerts", "\"\""),
        ("time", "max_future_skew", "\"2years\""),
        ("time", "max_jump", "\"0s\""),
        ("time", "max_jump", "\"1000y\""),
        ("time", "alignment", "\"0s\""),
        ("time.orders", "out_of_orderness", "\"2years\""),
        ("time.visits", "allowed_lateness", "\"1000y\""),
        ("time.prices", "idle_after", "\"2years\""),
        ("epoch", "interval", "\"0s\""),
        ("epoch", "interval", "\"2d\""),
        ("epoch", "interval", "\"1000000000y\""),
        ("epoch", "seal_every", "\"0s\""),
        ("epoch", "seal_every", "\"2h\""),
        ("epoch", "revise_every", "\"0s\""),
        ("epoch", "revise_every", "\"2years\""),
        ("storage", "url", "\"file://host/vitrine\""),
        ("storage", "url", "\"file:///vitrine?sig=48151623\""),
        ("storage", "url", "\"file:///vitrine#48151623\""),
        ("alerts", "max_age", "\"0s\""),
        ("alerts", "max_age", "\"1000y\""),
        ("feeds", "max_gap", "\"36h\""),
        ("feeds", "max_gap", "\"1000y\""),
        ("limits", "max_record_bytes", "0"),
        ("limits", "max_record_bytes", "1000000001"),
        ("limits", "memory", "1"),
        ("limits", "dead_letter_stop_ratio", "0.0"),
        ("limits", "dead_letter_stop_ratio", "1.5"),
        ("limits", "dead_letter_stop_ratio", "nan"),
    ];
    for (section, key, value) in REFUSED {
        let file = format!("[{section}]\n{key} = {value}\n");
        let expected = format!("[{section}] {key} = ");
        let message = refusal(&file, &[]);
        let (_, why) = message.split_once(&expected).unwrap_or_else(|| {
            panic!("{file} is refused without its key: {message}");
        });
        assert!(why.contains(": "), "{message} does not say what to do");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vitrine.toml");
        fs::write(&path, &file).unwrap();
        let (_, problems) = super::problems::problems_in(Some(&path), Environment::default());
        let found = problems
            .iter()
            .filter(|problem| problem.contains(&expected));
        assert_eq!(found.count(), 1, "{file}: {problems:?}");
        assert!(!problems.concat().contains("48151623"), "{problems:?}");
    }
    // Wrong from their type on: without a duration, a choice, a mode.
    for (section, key, value) in [
        ("time", "alignment", "\"-1h\""),
        ("epoch", "interval", "\"-5s\""),
        ("epoch", "seal_every", "\"\""),
        ("source", "on_missing", "\"skip\""),
        ("storage", "mode", "\"0050\""),
        ("storage", "mode", "\"7777\""),
        ("limits", "max_record_bytes", "-1"),
        ("limits", "memory", "-1"),
    ] {
        let message = refusal(&format!("[{section}]\n{key} = {value}\n"), &[]);
        assert!(message.contains(&format!("{section}.{key}")), "{message}");
    }
    for name in ["", " ", "topic alerts.v1"] {
        let hook = format!("{{ name = {name:?}, url = \"https://h/\", secret_file = \"f\" }}");
        let message = refusal(&format!("[alerts]\nwebhooks = [{hook}]\n"), &[]);
        assert!(message.contains("[alerts] webhooks name = "), "{message}");
    }
}

/// Zeros that say something, the ends of what is allowed, and keys that files have no use for.
#[test]
fn f40_values_at_the_bounds_are_taken() {
    for file in [
        "[source]\nbrokers = \"kafka, [::1]:9092, PLAINTEXT://a:1\"",
        "[source]\nkind = \"files\"\nbrokers = \"\"\ngroup = \"\"",
        "[time]\nmax_future_skew = \"0s\"\nmax_jump = \"1s\"\nalignment = \"1s\"",
        "[time.orders]\nout_of_orderness = \"0s\"\nallowed_lateness = \"0s\"\nidle_after = \"0s\"",
        "[time.orders]\nallowed_lateness = \"36525d\"",
        "[epoch]\ninterval = \"10ms\"\nseal_every = \"10ms\"\nrevise_every = \"10ms\"",
        "[epoch]\ninterval = \"1d\"\nseal_every = \"1h\"\nrevise_every = \"366d\"",
        "[feeds]\nmax_gap = \"0s\"",
        "[limits]\nmax_record_bytes = 1024\nmemory = \"64MiB\"\ndead_letter_stop_ratio = 1.0",
    ] {
        let taken = with(&format!("{file}\n"), &[]);
        assert!(taken.is_ok(), "{file}: {}", taken.unwrap_err());
    }
}

#[test]
fn a_missing_file_is_named() {
    let message = layered(Some(Path::new("/no/such.toml")), environment(&[]))
        .unwrap_err()
        .to_string();
    assert!(message.contains("/no/such.toml"), "{message}");
}

/// Every way in which a wrong value may come: its type, its syntax, a place where it does not belong; from a file and the environment.
#[test]
fn f31_no_message_shows_a_secret() {
    const SECRET: &str = "48151623";
    let files = [
        "[source]\nproperties = { \"sasl.password\" = 48151623 }",
        "[source]\nproperties = { \"sasl.password\" = 48151623.5 }",
        "[source]\nproperties = { \"sasl.password\" = [48151623] }",
        "[source]\nproperties = \"sasl.password=48151623\"",
        "[source]\nproperties = { \"sasl.password\" = \"48151623",
        "[source]\nproperties = { sasl.password = 48151623 } trailing",
        "[source]\nproperties.sasl = \"a\"\nproperties.sasl = \"48151623\"",
        "[storage]\nurl = \"s3://AKIAEXAMPLE:48151623@bucket/prefix\"",
        "[storage]\nurl = \"https://host/container?sig=48151623\"",
        "[storage]\nurl = 48151623",
        "[alerts]\nwebhooks = [{ name = \"a\", url = 48151623, secret_file = \"f\" }]",
        "[alerts]\nwebhooks = [{ name = \"a\", url = \"https://u:48151623@h/\", secret_file = 1 }]",
        "[alerts]\nwebhooks = \"48151623\"",
    ];
    for file in files {
        let message = refusal(file, &[]);
        assert!(!message.contains(SECRET), "{file}\n{message}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vitrine.toml");
        fs::write(&path, file).unwrap();
        let (_, problems) = super::problems::problems_in(Some(&path), Environment::default());
        assert!(
            !problems.is_empty() && !problems.concat().contains(SECRET),
            "{file}\n{problems:?}"
        );
    }
    for (name, value) in [
        ("VITRINE__SOURCE__PROPERTIES", "48151623"),
        ("VITRINE__SOURCE__PROPERTIES", "{sasl.password=48151623}"),
        ("VITRINE__SOURCE__PROPERTIES", "[48151623]"),
        (
            "VITRINE__STORAGE__URL",
            "s3://AKIAEXAMPLE:48151623@bucket/prefix",
        ),
        ("VITRINE__ALERTS__WEBHOOKS", "48151623"),
        (
            "VITRINE__ALERTS__WEBHOOKS",
            "[{name=a, url=48151623, secret_file=f}]",
        ),
        ("VITRINE__LIMITS__MEMORY", "48151623x"),
    ] {
        let message = refusal("", &[(name, value)]);
        assert!(!message.contains(SECRET), "{name}={value}\n{message}");
    }
}
