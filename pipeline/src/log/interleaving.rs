//! Owners that run at the same time over a store with faults: whatever the interleaving, one chain results and nobody
//! writes after the claim of another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use proptest::prelude::*;

use super::faulty::{Fault, FaultyStore};
use super::objects::Objects;
use super::{Log, LogReader, RecordKind};
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
    let kind = prop_oneof![5 => Just(Fault::None), 1 => Just(Fault::WithoutEffect), 1 => Just(Fault::AfterSuccess)];
    (kind, any::<u8>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn one_chain_whatever_the_interleaving(
        script in proptest::collection::vec(fault(), 0..80),
        owners in proptest::collection::vec((0u8..40, 1usize..8), 2..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime");
        runtime.block_on(async {
            let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(script));
            let lives = owners.iter().enumerate().map(|(owner, (after, records))| live(Arc::clone(&store), owner, *after, *records));
            let stories = join_all(lives).await;

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
            // A later owner finds everything, from a checkpoint or from the beginning.
            let (_, recovered) = Log::claim_in(objects(&store), "later").await.expect("claims");
            let tail: Vec<_> = recovered.records.iter().map(|(_, payload)| String::from_utf8_lossy(payload).into_owned()).collect();
            assert!(data.ends_with(&tail), "{tail:?} is not the end of {data:?}");
            assert!(recovered.checkpoint.is_some() || tail == data);
        });
    }
}

/// A second owner comes while the first one's put hangs: the first must not believe its record stands.
#[tokio::test]
async fn a_zombies_late_put_loses() {
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new([]));
    let (mut zombie, _) = Log::claim_in(objects(&store), "zombie")
        .await
        .expect("claims");
    zombie
        .append(Bytes::from_static(b"one"))
        .await
        .expect("owns");
    let (mut heir, recovered) = Log::claim_in(objects(&store), "heir")
        .await
        .expect("claims");
    assert_eq!(recovered.records, [(2, Bytes::from_static(b"one"))]);

    let error = zombie
        .append(Bytes::from_static(b"late"))
        .await
        .expect_err("fenced");
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(
        error.to_string().contains("number=3 owner=heir:"),
        "{error}"
    );
    let again = zombie.append(Bytes::new()).await.expect_err("stays out");
    assert!(
        again.to_string().contains("has no known outcome"),
        "{again}"
    );
    assert_eq!(
        heir.append(Bytes::from_static(b"two")).await.expect("owns"),
        4
    );

    let reader = LogReader::new(store, "shard-0", LAYOUT);
    let payloads: Vec<_> = reader
        .read_back(4)
        .map_ok(|entry| entry.payload)
        .try_collect()
        .await
        .expect("reads");
    assert_eq!(
        payloads,
        ["two", "heir", "one", "zombie"].map(|text| Bytes::from(text.to_owned()))
    );
    assert_eq!(reader.read_back(2).count().await, 2);
}
