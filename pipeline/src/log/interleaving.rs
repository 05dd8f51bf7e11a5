//! Owners that run at the same time over a store with faults: whatever the interleaving, one chain results and nobody
//! writes after the claim of another.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::join_all;
use object_store::ObjectStore;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::faulty::{Fault, FaultyStore};
use super::objects::Objects;
use super::{Log, LogFolder, LogReader, RecordKind};
use crate::error::ErrorKind;
use crate::time::Backoff;

const LAYOUT: u16 = 1;

fn objects(store: &Arc<dyn ObjectStore>) -> Objects {
    let backoff = Backoff {
        limit: Duration::from_secs(5),
        ..Backoff::doubling_from(Duration::ZERO)
    };
    Objects {
        backoff,
        ..Objects::new(Arc::clone(store), "shard-0", LAYOUT)
    }
}

/// What one owner believes at its end.
#[derive(Debug)]
struct Story {
    appended: Vec<String>,
    recovered: Vec<String>,
    fenced: bool,
}

/// An owner claims (after a while) and appends until it is done or fenced.
async fn live(
    store: Arc<dyn ObjectStore>,
    owner: usize,
    starts_after: u8,
    records: usize,
) -> Story {
    for _ in 0..starts_after {
        tokio::task::yield_now().await;
    }
    let (mut log, recovered) = Log::claim_in(objects(&store), &format!("owner-{owner}"))
        .await
        .expect("claims");
    let text = |(_, payload): &(u64, Bytes)| String::from_utf8_lossy(payload).into_owned();
    let mut story = Story {
        appended: Vec::new(),
        recovered: recovered.records.iter().map(text).collect(),
        fenced: false,
    };
    for index in 0..records {
        let payload = format!("{owner}.{index}");
        match log.append(payload.clone().into()).await {
            Ok(_) => story.appended.push(payload),
            Err(error) if error.kind() == ErrorKind::Fenced => {
                story.fenced = true;
                break;
            }
            Err(other) => panic!("owner {owner}: {other}"),
        }
        if index == 2 {
            let _ = log
                .write_checkpoint(format!("checkpoint of {owner}").into())
                .await;
        }
    }
    story
}

fn fault() -> impl Strategy<Value = (Fault, u8)> {
    let kind = prop_oneof![10 => Just(Fault::None), 2 => Just(Fault::WithoutEffect), 2 => Just(Fault::AfterSuccess), 1 => Just(Fault::ExistsAfterSuccess), 1 => Just(Fault::ConditionAfterSuccess)];
    (kind, any::<u8>())
}

/// What happens to the puts, and of each owner: when it starts and how many records it appends.
type Case = (Vec<(Fault, u8)>, Vec<(u8, usize)>);

fn cases() -> impl Strategy<Value = Case> {
    let script = proptest::collection::vec(fault(), 0..80);
    let owners = proptest::collection::vec((0u8..40, 1usize..8), 2..4);
    (script, owners)
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("runtime")
}

/// Lets all owners of a case live; what they believe at their ends, in their order.
async fn live_all(store: &Arc<dyn ObjectStore>, owners: &[(u8, usize)]) -> Vec<Story> {
    let lives = owners
        .iter()
        .enumerate()
        .map(|(owner, (after, records))| live(Arc::clone(store), owner, *after, *records));
    join_all(lives).await
}

/// The property below says something because owners do meet, in the middle of faults.
#[test]
fn the_cases_that_are_drawn_make_owners_meet() {
    let mut runner = TestRunner::deterministic();
    let (mut fenced, mut recovered, mut ended_within_faults) = (0, 0, 0);
    for _ in 0..100 {
        let (script, owners) = cases().new_tree(&mut runner).expect("a case").current();
        let faulty = FaultyStore::new(script);
        let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
        let stories = runtime().block_on(live_all(&store, &owners));
        fenced += usize::from(stories.iter().any(|story| story.fenced));
        recovered += usize::from(stories.iter().any(|story| !story.recovered.is_empty()));
        ended_within_faults += usize::from(faulty.faults_left() > 0);
    }
    println!("fenced={fenced} recovered={recovered} ended_within_faults={ended_within_faults}");
    assert!(fenced >= 25 && recovered >= 25, "{fenced} {recovered}");
    assert!(ended_within_faults >= 25, "{ended_within_faults}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn one_chain_whatever_the_interleaving((script, owners) in cases()) {
        runtime().block_on(async {
            let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(script));
            let stories = live_all(&store, &owners).await;

            let reader = LogReader::new(Arc::clone(&store), "shard-0", LAYOUT);
            let newest = reader.last_number().await.expect("lists").expect("claims stand");
            let mut entries: Vec<_> = reader.read_back(newest).try_collect().await.expect("reads");
            entries.reverse();
            assert_eq!(entries.len() as u64, newest, "contiguous from 1");

            // Between two claims there are only records of the first one's holder.
            let mut standing = None;
            let mut data = Vec::new();
            for entry in &entries {
                match entry.kind {
                    RecordKind::Claim => standing = Some(entry.claim),
                    _ => {
                        assert_eq!(Some(entry.claim), standing, "a record after another's claim");
                        data.push(String::from_utf8_lossy(&entry.payload).into_owned());
                    }
                }
            }
            // What was acknowledged stands exactly once and in order; nothing else stands.
            assert_eq!(data.iter().collect::<BTreeSet<_>>().len(), data.len(), "a payload twice: {data:?}");
            for (owner, story) in stories.iter().enumerate() {
                let mine: Vec<_> = data.iter().filter(|payload| payload.starts_with(&format!("{owner}."))).cloned().collect();
                assert_eq!(mine, story.appended, "owner {owner}");
                let past = &story.recovered;
                assert!(
                    past.is_empty() || data.windows(past.len()).any(|part| part == past),
                    "owner {owner} recovered what does not stand: {past:?}"
                );
            }
            let last_owner = entries.iter().rev().find(|entry| entry.kind == RecordKind::Claim).expect("a claim").payload.clone();
            for (owner, (story, (_, records))) in stories.iter().zip(&owners).enumerate() {
                let holds_the_log = last_owner == format!("owner-{owner}");
                assert!(!(holds_the_log && story.fenced), "the last owner is never fenced");
                assert!(story.fenced || story.appended.len() == *records);
            }
            // A later owner finds everything: the newest checkpoint that stands, and every record behind it.
            let checkpoints = objects(&store).list(&LogFolder::new("shard-0").checkpoints()).await.expect("lists");
            let (_, recovered) = Log::claim_in(objects(&store), "later").await.expect("claims");
            let covered = recovered.checkpoint.as_ref().map(|(position, _)| position.number);
            assert_eq!(covered, checkpoints.last().map(|(number, _)| *number));
            let behind: Vec<_> = entries
                .iter()
                .filter(|entry| entry.kind == RecordKind::Data && Some(entry.number) > covered)
                .map(|entry| (entry.number, entry.payload.clone()))
                .collect();
            assert_eq!(recovered.records, behind);
        });
    }
}

/// A put that has begun and not arrived yet, for as long as its future is not polled.
const HANGING: (Fault, u8) = (Fault::None, 1);

/// A second owner comes while the first one's put hangs: the first must not believe its record stands.
#[tokio::test]
async fn a_zombies_late_put_loses() {
    let faulty = FaultyStore::new([(Fault::None, 0), (Fault::None, 0), HANGING]);
    let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
    let (mut zombie, _) = Log::claim_in(objects(&store), "zombie")
        .await
        .expect("claims");
    zombie
        .append(Bytes::from_static(b"one"))
        .await
        .expect("owns");
    {
        let mut late = pin!(zombie.append(Bytes::from_static(b"late")));
        assert!(futures::poll!(&mut late).is_pending());
        assert_eq!(faulty.faults_left(), 0, "the put has begun");

        let (mut heir, recovered) = Log::claim_in(objects(&store), "heir")
            .await
            .expect("claims");
        assert_eq!(recovered.records, [(2, Bytes::from_static(b"one"))]);
        let two = Bytes::from_static(b"two");
        assert_eq!(heir.append(two).await.expect("owns"), 4);

        let error = late.await.expect_err("fenced");
        assert_eq!(error.kind(), ErrorKind::Fenced);
        assert!(
            error.to_string().contains("number=3 owner=heir:"),
            "{error}"
        );
    }
    let again = zombie.append(Bytes::new()).await.expect_err("stays out");
    assert!(
        again.to_string().contains("has no known outcome"),
        "{again}"
    );
    assert_eq!(
        payloads(&store, 4).await,
        ["two", "heir", "one", "zombie"],
        "the late put left nothing"
    );
}

/// The same, but the put has arrived and only its answer is late: the record stands, for both of them.
#[tokio::test]
async fn a_late_answer_to_a_put_that_arrived_costs_nothing() {
    // Four is one pause after the effect.
    let faulty = FaultyStore::new([(Fault::None, 0), (Fault::AfterSuccess, 4)]);
    let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
    let (mut zombie, _) = Log::claim_in(objects(&store), "zombie")
        .await
        .expect("claims");
    let mut late = pin!(zombie.append(Bytes::from_static(b"one")));
    assert!(futures::poll!(&mut late).is_pending());

    let (_, recovered) = Log::claim_in(objects(&store), "heir")
        .await
        .expect("claims");
    assert_eq!(recovered.records, [(2, Bytes::from_static(b"one"))]);
    assert_eq!(late.await.expect("it stands"), 2);
    assert_eq!(payloads(&store, 3).await, ["heir", "one", "zombie"]);
}

/// All payloads from a number down to the first.
async fn payloads(store: &Arc<dyn ObjectStore>, from: u64) -> Vec<Bytes> {
    let reader = LogReader::new(Arc::clone(store), "shard-0", LAYOUT);
    assert_eq!(reader.last_number().await.expect("lists"), Some(from));
    let entries = reader.read_back(from).map_ok(|entry| entry.payload);
    entries.try_collect().await.expect("reads")
}
