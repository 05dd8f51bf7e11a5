//! `kill -9` at random moments: the same tables, and no revision twice (P1, F2).

use std::path::Path;
use std::thread;
use std::time::Duration;

use pipeline::time::wall;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tests::PATIENCE;
use tests::events::{TOPICS, Topics};
use tests::kafka::Broker;
use tests::project::Project;
use tests::vitrine::Vitrine;

use crate::proof::{Sample, assert_equal, assert_verdicts, seed};
use crate::tree;

/// How often a run is killed before one may end.
const KILLS: usize = 5;

#[test]
fn five_kills_on_files() {
    let sample = Sample::four_weeks();
    let project = hurried(Project::on_files(&sample.events).unwrap());
    kill_until_done(&project, sample, TOPICS);
}

#[test]
fn five_kills_on_kafka() {
    let sample = Sample::four_weeks();
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 4, &[("max.message.bytes", "20000000")]).unwrap();
    sample.events.send(broker, &topics).unwrap();
    let reference = sample.events.reference();
    let project = hurried(Project::on_kafka(broker, &topics, &reference).unwrap());
    kill_until_done(
        &project,
        sample,
        topics.names().each_ref().map(String::as_str),
    );
}

/// Many small seals and epochs, so that there is more to be killed in.
pub(crate) fn hurried(project: Project) -> Project {
    project
        .set("VITRINE__EPOCH__SEAL_EVERY", "200ms")
        .set("VITRINE__EPOCH__INTERVAL", "1s")
        .set("VITRINE__EPOCH__REVISE_EVERY", "2s")
}

fn kill_until_done(project: &Project, sample: &Sample, names: [&str; 4]) {
    let seed = seed();
    println!("seed={seed} storage={}", project.storage().display());
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut killed = 0;
    while killed < KILLS {
        let running = project.start(&["run", "--drain"]).unwrap();
        // by what it has written, not by the clock: machines differ
        let more = random.random_range(1..=120);
        let pause = Duration::from_millis(random.random_range(0..400));
        let Some(running) = wait_for_files(running, &project.storage(), more) else {
            break;
        };
        thread::sleep(pause);
        let ended = running.kill().unwrap();
        println!("killed after {more} files and {pause:?}: {}", ended.status);
        killed += usize::from(ended.code().is_none());
        if ended.code() == Some(0) {
            break;
        }
    }
    assert_eq!(
        killed, KILLS,
        "it ended before it was killed often enough, choose other moments"
    );
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(project, &sample.expected);
    assert_verdicts(project, &sample.events, names);
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(project, &sample.expected);
}

/// Waits until the storage has `more` files in addition; `None` if the run ended meanwhile, which has to be a good end.
fn wait_for_files(running: Vitrine, storage: &Path, more: usize) -> Option<Vitrine> {
    let files = || tree::files(storage).len();
    let before = files();
    let began = wall::monotonic();
    let mut running = running;
    while files() < before + more {
        assert!(began.elapsed() < PATIENCE, "nothing is written");
        if running.has_ended().unwrap() {
            running.wait(Duration::ZERO).unwrap().success().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Some(running)
}
