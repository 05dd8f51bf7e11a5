//! What the commands say of configurations that hold secrets and cannot be used.

use std::fs;

use tests::events::Topics;
use tests::kafka::{Broker, free_address};
use tests::project::Project;

use super::search::Search;

const SECRET: &str = "Hush48151623";
/// The same, where a whole number has slipped in.
const DIGITS: &str = "48151623";

/// In the place of the section `[source]`: wrong types, wrong syntax, properties that nobody knows or that are no good.
const SOURCES: [&str; 13] = [
    "properties = { \"sasl.password\" = 48151623 }",
    "properties = { \"sasl.password\" = [\"Hush48151623\"] }",
    "properties = { \"sasl.password\" = \"Hush48151623",
    "properties = { \"sasl.password\" = \"a\" } Hush48151623",
    "properties = { \"sasl.password\" = \"a\", \"sasl.password\" = \"Hush48151623\" }",
    "properties = \"sasl.password=Hush48151623\"",
    "properties = { \"sasl.pasword\" = \"Hush48151623\" }",
    "properties = { \"sasl.oauthbearer.method\" = \"Hush48151623\" }",
    "properties = { \"security.protocol\" = \"ssl\", \"ssl.key.pem\" = \"Hush48151623\" }",
    "properties = { \"ssl.keystore.password\" = \"Hush48151623\" }",
    "properties = { \"enable.auto.commit\" = \"Hush48151623\" }",
    "brokers = \"user:Hush48151623@127.0.0.1:9092\"",
    "brokers = \"sasl_ssl://user:Hush48151623@127.0.0.1:9092\"",
];

/// Entries of `[alerts] webhooks`.
const WEBHOOKS: [&str; 9] = [
    "{ name = \"a\", url = \"https://u:Hush48151623@127.0.0.1/\", secret_file = \"SECRETS\" }",
    "{ name = \"a\", url = \"Hush48151623\", secret_file = \"SECRETS\" }",
    "{ name = \"a\", url = 48151623, secret_file = \"SECRETS\" }",
    // The file holds something else than a secret of the right form.
    "{ name = \"a\", url = \"https://127.0.0.1/?token=Hush48151623\", secret_file = \"SECRETS\" }",
    "{ name = \"a\", url = \"https://127.0.0.1/Hush48151623\", secret_file = \"/nowhere\" }",
    // The secret itself in the place of its file.
    "{ name = \"a\", url = \"https://127.0.0.1/\", secret_file = \"whsec_Hush48151623\" }",
    "{ name = \"a\", url = \"https://127.0.0.1/\", secret = \"Hush48151623\" }",
    "{ name = \"a\", url = \"https://127.0.0.1/Hush48151623\", secret_file = \"SECRETS\", rules = \"A01\" }",
    "\"https://127.0.0.1/Hush48151623\"",
];

const URLS: [&str; 9] = [
    "s3://AKIA:Hush48151623@bucket/x",
    "s3://AKIA:Hush48151623/x@bucket/x",
    "s3://AKIA:Hush48151623?x@bucket/x",
    "AKIA:Hush48151623@bucket/x",
    "file://user:Hush48151623@host/x",
    "file:///nowhere/x?sig=Hush48151623",
    "file:///nowhere/x#Hush48151623",
    "abfs://host/x#sig=Hush48151623",
    "https://host/x?sig=Hush@48151623",
];

const VARIABLES: [(&str, &str); 5] = [
    ("VITRINE__SOURCE__PROPERTIES", "48151623"),
    ("VITRINE__SOURCE__PROPERTIES", "{sasl.password=48151623}"),
    ("VITRINE__SOURCE__PROPERTIES", "[Hush48151623]"),
    ("VITRINE__STORAGE__URL", "s3://AKIA:Hush48151623@bucket/x"),
    ("VITRINE__ALERTS__WEBHOOKS", "Hush48151623"),
];

/// A project whose file is changed by `change`.
fn project(
    reference: &std::path::Path,
    topics: &Topics,
    change: impl Fn(&str) -> String,
) -> Project {
    let broker = Broker::shared().unwrap();
    let project = Project::on_kafka(broker, topics, reference).unwrap();
    let file = fs::read_to_string(project.config()).unwrap();
    let secrets = project.beside("desk.secret");
    fs::write(&secrets, format!("whsec_{SECRET}\n")).unwrap();
    let file = change(&file).replace("SECRETS", secrets.to_str().unwrap());
    fs::write(project.config(), file).unwrap();
    project.set("VITRINE_LOG", "trace")
}

#[test]
fn f31_no_command_shows_a_secret_of_a_wrong_configuration() {
    let topics = Topics::create(Broker::shared().unwrap(), 1, &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let wrong = |change: &dyn Fn(&str) -> String| project(folder.path(), &topics, change);
    let mut cases: Vec<(String, Project)> = Vec::new();
    for source in SOURCES {
        let change = |file: &str| match source.starts_with("brokers") {
            true => {
                let lines = file.lines().map(|line| match line.starts_with("brokers") {
                    true => source,
                    false => line,
                });
                lines.collect::<Vec<_>>().join("\n") + "\n"
            }
            false => file.replacen("[source]\n", &format!("[source]\n{source}\n"), 1),
        };
        cases.push((source.to_owned(), wrong(&change)));
    }
    for hook in WEBHOOKS {
        let change = |file: &str| {
            format!("{file}\n[alerts]\nallow_private_addresses = true\nwebhooks = [{hook}]\n")
        };
        cases.push((hook.to_owned(), wrong(&change)));
    }
    let same = |file: &str| file.to_owned();
    for url in URLS {
        let project = wrong(&same).set("VITRINE__STORAGE__URL", url);
        cases.push((url.to_owned(), project));
    }
    for (name, value) in VARIABLES {
        cases.push((format!("{name}={value}"), wrong(&same).set(name, value)));
    }

    let mut search = Search::new([SECRET, DIGITS]);
    for (case, project) in &cases {
        commands(&mut search, case, project, folder.path());
    }
    search.assert_nothing_found(10_000);
}

/// Every command that reads a configuration. `check` finds the mistake, offline.
fn commands(search: &mut Search, case: &str, project: &Project, events: &std::path::Path) {
    let events = events.to_str().unwrap();
    let out = project.beside("simulated");
    let out = out.to_str().unwrap();
    for args in [
        &["check"][..],
        &["run", "--until-caught-up"],
        &["status"],
        &["sql", "SELECT 1"],
        &["audit"],
        &["publish", events],
        &["simulate", "--days", "1", "--customers", "3", "--out", out],
    ] {
        let ended = project.finish(args).unwrap();
        let place = format!("{} with {case:?}", args[0]);
        search.search(&format!("stdout of {place}"), ended.stdout.as_bytes());
        search.search(&format!("stderr of {place}"), ended.stderr.as_bytes());
        assert!(
            !ended.stderr.contains("panicked"),
            "{place}: {}",
            ended.stderr
        );
        if ["check", "run"].contains(&args[0]) {
            assert_eq!(ended.code(), Some(2), "{place}: {}", ended.stderr);
        }
    }
}

/// The client says all it knows about a broker that is not there, but not with what it would have signed in.
#[test]
fn f31_a_broker_that_is_not_there_hears_and_shows_no_secret() {
    let topics = Topics::create(Broker::shared().unwrap(), 1, &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let properties = format!(
        "[source]\nproperties = {{ \"security.protocol\" = \"sasl_plaintext\", \"sasl.mechanism\" = \"PLAIN\", \
         \"sasl.username\" = \"vitrine\", \"sasl.password\" = {SECRET:?}, debug = \"all\" }}\n"
    );
    let project = project(folder.path(), &topics, |file| {
        file.replacen("[source]\n", &properties, 1)
    });
    let project = project.set(
        "VITRINE__SOURCE__BROKERS",
        free_address().unwrap().to_string(),
    );
    let ended = project.finish(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    let mut search = Search::new([SECRET, DIGITS]);
    search.search("stdout", ended.stdout.as_bytes());
    search.search("stderr", ended.stderr.as_bytes());
    search.assert_nothing_found(1_000);
}
