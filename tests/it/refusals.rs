//! Wrong configuration, and a world that does not play along: the exit code and one clear line that says what to do.

use std::fs;
use std::net::TcpListener;

use tests::events::Topics;
use tests::kafka::{Broker, free_address};
use tests::project::Project;
use tests::vitrine::Finished;

/// Runs to the bad end; what [`bad_end`] finds there.
pub(crate) fn refused(project: &Project, args: &[&str], code: i32) -> String {
    bad_end(&project.finish(args).unwrap(), code)
}

/// The one line that begins with `vitrine:`, of a command that ended with this exit code and no panic.
pub(crate) fn bad_end(ended: &Finished, code: i32) -> String {
    assert_eq!(ended.code(), Some(code), "{}", ended.stderr);
    let lines: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with("vitrine: "))
        .collect();
    assert_eq!(lines.len(), 1, "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    println!("{}", lines[0]);
    lines[0].to_owned()
}

fn on_kafka() -> (tempfile::TempDir, Project) {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 2, &[]).unwrap();
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path()).unwrap();
    (reference, project)
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest() {
    let (_reference, project) = on_kafka();
    let line = refused(&project.set("VITRINE__TIME__ZONES", "UTC"), &["run"], 2);
    assert!(line.contains("zones") && line.contains("zone"), "{line}");

    let (_reference, project) = on_kafka();
    fs::write(project.config(), "[soruce]\nkind = \"files\"\n").unwrap();
    let line = refused(&project, &["run"], 2);
    assert!(line.contains("soruce") && line.contains("source"), "{line}");
}

#[test]
fn a_value_that_cannot_be_is_refused_with_its_key() {
    let (_reference, project) = on_kafka();
    let line = refused(
        &project.set("VITRINE__EPOCH__INTERVAL", "soon"),
        &["run"],
        2,
    );
    assert!(line.contains("interval") && line.contains("soon"), "{line}");

    let (_reference, project) = on_kafka();
    fs::write(project.config(), "[source\n").unwrap();
    refused(&project, &["run"], 2);
    fs::remove_file(project.config()).unwrap();
    let line = refused(&project, &["run"], 2);
    assert!(line.contains("vitrine.toml"), "{line}");
}

#[test]
fn a_missing_topic_is_named_and_not_made() {
    for _ in 0..2 {
        let (_reference, project) = on_kafka();
        let line = refused(
            &project.set("VITRINE__TOPICS__VISITS", "nowhere.v1"),
            &["run"],
            2,
        );
        assert!(line.contains("nowhere.v1"), "{line}");
    }
}

#[test]
fn a_missing_output_topic_is_named_where_none_may_be_made() {
    let (_reference, project) = on_kafka();
    let project = project
        .set("VITRINE__TOPICS__CREATE_TOPICS", "false")
        .set("VITRINE__TOPICS__DEMAND", "nowhere.demand.v1");
    let line = refused(&project, &["run"], 2);
    assert!(line.contains("create_topics"), "{line}");
}

#[test]
fn topics_that_are_not_partitioned_alike_are_refused() {
    let broker = Broker::shared().unwrap();
    let other = broker.topic("visits.v1", 3, &[]).unwrap();
    let (_reference, project) = on_kafka();
    let line = refused(&project.set("VITRINE__TOPICS__VISITS", other), &["run"], 2);
    assert!(line.contains("same number of partitions"), "{line}");
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let free = free_address().unwrap();
    let (_reference, project) = on_kafka();
    let project = project.set("VITRINE__SOURCE__BROKERS", free.to_string());
    let line = refused(&project, &["run"], 1);
    assert!(line.contains(&free.to_string()), "{line}");
}

#[test]
fn a_storage_that_cannot_be_written_is_named() {
    // a file where a folder has to be: refused to root too
    let (reference, project) = on_kafka();
    let file = reference.path().join("file");
    fs::write(&file, "").unwrap();
    let url = format!("file://{}/storage", file.display());
    let line = refused(&project.set("VITRINE__STORAGE__URL", &url), &["run"], 1);
    assert!(line.contains("file"), "{line}");

    let (_reference, project) = on_kafka();
    let line = refused(
        &project.set("VITRINE__STORAGE__URL", "ftp://host/x"),
        &["run"],
        2,
    );
    assert!(line.contains("ftp://host/x"), "{line}");
}

#[test]
fn what_is_not_wired_yet_is_refused_unless_at_its_default() {
    for (key, name, value) in [
        ("VITRINE__HTTP__LISTEN", "[http] listen", "127.0.0.1:9090"),
        ("VITRINE__STORAGE__URL", "[storage] url", "s3://bucket/x"),
    ] {
        let (_reference, project) = on_kafka();
        let line = refused(&project.set(key, value), &["run"], 2);
        assert!(line.contains(name) && line.contains(value), "{line}");
    }
    // no port is opened yet, so one that is taken (by us, or by somebody before us) disturbs nobody
    let _taken = TcpListener::bind("127.0.0.1:8080");
    let (_reference, project) = on_kafka();
    project.run(&["run", "--until-caught-up"]).unwrap();
}

#[test]
fn arguments_that_exclude_each_other_are_refused() {
    let (_reference, project) = on_kafka();
    for args in [
        &["run", "--drain", "--until-caught-up"][..],
        &["run", "--drain-to", "2026-01-08T00:00:00Z", "--drain"],
        &["run", "--drain-to", "tomorrow"],
    ] {
        let ended = project.finish(args).unwrap();
        assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains("--drain"), "{}", ended.stderr);
    }
    assert!(!project.storage().exists(), "nothing has been claimed");
}

#[test]
fn f40_webhooks_that_check_refuses_are_refused_by_run() {
    let (_reference, project) = on_kafka();
    let secret = project.beside("desk.secret");
    fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let hook = |rule: &str| {
        format!(
            "{{ name = \"desk\", url = \"https://example.com\", secret_file = {secret:?}, rules = [{rule:?}] }}"
        )
    };
    let section = format!("[alerts]\nwebhooks = [{}, {}]\n", hook("A15"), hook("A99"));
    let project = project.configure(&section).unwrap();
    let line = refused(&project, &["run"], 2);
    let checked = project.finish(&["check"]).unwrap();
    assert_eq!(checked.code(), Some(2), "{}", checked.stderr);
    for problem in [
        "[alerts] webhooks name=desk: another webhook has this name",
        "[alerts] webhooks name=desk: there is no rule=A99",
    ] {
        assert!(line.contains(problem), "{line}");
        assert!(checked.stdout.contains(problem), "{}", checked.stdout);
    }
}

#[test]
fn reference_data_that_cannot_be_read_are_refused_with_their_line() {
    let (reference, project) = on_kafka();
    let rows = "customer_id,valid_from\nC1,2026-01-05T00:00:00Z\nC2,yesterday\n";
    fs::write(reference.path().join("ref_customer.csv"), rows).unwrap();
    let line = refused(&project, &["run"], 2);
    assert!(
        line.contains("ref_customer.csv:3: column=valid_from: `yesterday`"),
        "{line}"
    );
}

#[test]
fn event_files_that_are_not_there_are_named() {
    let (reference, project) = on_kafka();
    let nowhere = reference.path().join("nowhere");
    let project = project
        .set("VITRINE__SOURCE__KIND", "files")
        .set("VITRINE__SOURCE__DIR", nowhere.to_str().unwrap());
    let line = refused(&project, &["run"], 2);
    assert!(line.contains("nowhere"), "{line}");
}

#[test]
fn a_wrong_query_names_the_nearest() {
    let (_reference, project) = on_kafka();
    fs::create_dir_all(project.storage().join("log")).unwrap();
    let line = refused(&project, &["sql", "SELECT 1"], 1);
    assert!(line.contains("nothing has been published"), "{line}");
    project.run(&["run", "--until-caught-up"]).unwrap();
    let line = refused(&project, &["sql", "SELECT * FROM demand_ordres"], 2);
    assert!(line.contains("demand_orders"), "{line}");
    let line = refused(
        &project,
        &["sql", "SELECT requested_qy FROM demand_orders"],
        2,
    );
    assert!(line.contains("requested_qty"), "{line}");
}
