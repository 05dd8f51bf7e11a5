//! F34: a signal while nothing is read yet, and a second one while the first is still being followed. F31: what a crash leaves.

use std::net::TcpListener;
use std::time::Duration;

use tests::project::Project;

use crate::proof::{Sample, assert_equal};

/// Well below the minute that an operator grants.
const SOON: Duration = Duration::from_secs(20);

/// SIGHUP ends a service too, unless it was started with that signal ignored, as under `nohup`: then these tests were too.
pub(crate) fn hang_up() -> &'static [&'static str] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
    if mask & 1 == 1 { &[] } else { &["HUP"] }
}

#[test]
fn f34_a_signal_ends_a_start_that_waits_for_brokers() {
    // A port that nobody listens on: taken and given back.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for signal in [&["TERM"], hang_up()].concat() {
        let project = Project::on_files(&Sample::three_weeks().events)
            .unwrap()
            .set("VITRINE__SOURCE__KIND", "kafka")
            .set("VITRINE__SOURCE__BROKERS", port.to_string());
        let mut running = project.start(&["run"]).unwrap();
        std::thread::sleep(Duration::from_secs(3));
        assert!(
            !running.has_ended().unwrap(),
            "{}",
            running.stderr().unwrap()
        );
        running.signal(signal).unwrap();
        let ended = running.wait(SOON).unwrap().success().unwrap();
        assert!(
            ended.stdout.contains("stopped before anything was read"),
            "{}",
            ended.stdout
        );
    }
}

#[test]
fn f34_a_second_signal_ends_at_once_and_the_next_run_goes_on() {
    let sample = Sample::three_weeks();
    // Takes every call and answers none: the last alerts are waited for.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let project = Project::on_files(&sample.events)
        .unwrap()
        .configure(&format!(
            "[alerts]\nallow_private_addresses = true\nmax_age = \"1000d\"\n\
             webhooks = [{{ name = \"desk\", url = \"http://{address}/\", secret_file = \"{}\" }}]\n",
            secret.path().display()
        ))
        .unwrap();
    let mut running = project.start(&["run"]).unwrap();
    project
        .until("there are alerts", |project| {
            Ok(project.number("SELECT count(*) FROM ops.alerts")? > 0)
        })
        .unwrap();
    running.signal("TERM").unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(!running.has_ended().unwrap(), "it waits for the receiver");
    running.signal("TERM").unwrap();
    let ended = running.wait(Duration::from_secs(5)).unwrap();
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("stopped at once by a second signal (SIGTERM)"),
        "{}",
        ended.stderr
    );
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(&project, &sample.expected);
}

/// A core file would hold the configuration's secrets and what people typed.
#[test]
fn f31_no_core_file_is_written() {
    let project = Project::on_files(&Sample::three_weeks().events).unwrap();
    let running = project.start(&["run"]).unwrap();
    let limits = || std::fs::read_to_string(format!("/proc/{}/limits", running.id()));
    project
        .until("no core file is allowed", |_| {
            let limits = limits()?;
            let line = limits
                .lines()
                .find(|line| line.starts_with("Max core file size"));
            let words = line.map(|line| line.split_whitespace().skip(4).collect::<Vec<_>>());
            Ok(words.is_some_and(|words| words.starts_with(&["0", "0"])))
        })
        .unwrap();
    running.kill().unwrap();
}
