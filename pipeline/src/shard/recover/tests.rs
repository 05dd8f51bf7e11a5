#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use schemas::event::Limits;
use schemas::time::TimestampMs;

use super::*;
use crate::alert::transition_fixture::change;
use crate::alert::{AlertChange, MAX_PER_SEAL};
use crate::decode::Partitioner;
use crate::history::RemovedEvent;
use crate::time::Zone;
use crate::time::fixture::at;

/// There is no reference data here.
struct NoReference;

impl ReferenceState for NoReference {
    fn apply(
        &mut self,
        _topic: Topic,
        _batch: &RecordBatch,
        _skip: &[bool],
        _removed: &[RemovedEvent],
    ) -> Result<Vec<Arc<str>>> {
        Ok(Vec::new())
    }

    fn as_of(&self, _instant: TimestampMs) -> Result<Vec<(&'static str, RecordBatch)>> {
        Ok(Vec::new())
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn load(&mut self, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }
}

#[async_trait::async_trait]
impl ReferenceStore<NoReference> for NoReference {
    async fn reference(&self, _version: &str) -> Result<NoReference> {
        Ok(NoReference)
    }
}

async fn machine(checkpoint: Option<ShardCheckpoint>) -> ShardMachine<NoReference> {
    let settings = ShardSettings {
        shard: 0,
        shards: 1,
        global_partitions: 0,
        topics: Vec::new(),
        limits: Limits::default(),
        partitioner: Partitioner::Any,
        seal_every: Duration::from_secs(1),
        seal_records: 1_000,
        seal_bytes: 1_000,
        heartbeat: Duration::from_secs(60),
        checkpoint_every: 1,
        checkpoint_dead_letter_bytes: usize::MAX,
        dead_letter_stop_ratio: 1.0,
    };
    let metrics = Arc::new(Vec::new());
    let zone = Zone(chrono_tz::UTC);
    let state = ShardState::new(zone, NoReference, Vec::new(), metrics, Vec::new()).await;
    ShardMachine::restore(settings, state.unwrap(), checkpoint, None, "r".to_owned())
        .await
        .unwrap()
}

/// So many alerts, told apart by their keys.
fn alerts(count: usize) -> Vec<AlertChange> {
    (0..count)
        .map(|number| change(&format!("A15|{number}")))
        .collect()
}

/// Seals until nothing is left to seal; the keys of each seal's alerts.
async fn seal_all(machine: &mut ShardMachine<NoReference>) -> Vec<Vec<String>> {
    let now: Instant = wall::monotonic();
    let mut seals = Vec::new();
    while machine.has_unsealed() {
        assert!(machine.is_seal_due(now), "alerts wait for no interval");
        let seal = machine.seal(now, at(0)).await.unwrap();
        let keys = seal.alerts.iter();
        seals.push(keys.map(|alert| alert.dedupe_key.to_string()).collect());
    }
    seals
}

#[tokio::test]
async fn alerts_beyond_what_a_seal_can_number_outlive_a_checkpoint_in_their_order() {
    let mut first = machine(None).await;
    first.alerts = alerts(2 * MAX_PER_SEAL + 2);
    let whole = first.checkpoint(wall::monotonic()).unwrap();
    let seal = first.seal(wall::monotonic(), at(0)).await.unwrap();
    let after_one = first.checkpoint(wall::monotonic()).unwrap();
    let rest = seal_all(&mut first).await;
    assert_eq!(
        rest.iter().map(Vec::len).collect::<Vec<_>>(),
        [MAX_PER_SEAL, 2]
    );
    assert_eq!(rest[1][1], format!("A15|{}", 2 * MAX_PER_SEAL + 1));

    // A start from the checkpoint behind the first seal, and one from the checkpoint before it that replays that seal.
    let mut restored = machine(Some(after_one)).await;
    assert_eq!(seal_all(&mut restored).await, rest);
    let mut replayed = machine(Some(whole)).await;
    let payload = crate::shard::seal::encode(&seal).unwrap();
    replayed.replay(&payload, &NoReference).await.unwrap();
    assert_eq!(seal_all(&mut replayed).await, rest);
}

#[test]
fn what_was_sealed_leaves_whichever_rules_run_now() {
    let of = |keys: &[&str]| -> Vec<AlertChange> { keys.iter().map(|key| change(key)).collect() };
    for (alerts, sealed, expected) in [
        (of(&["a", "b"]), of(&["a", "b"]), of(&[])),
        // A new rule speaks first, and nobody has heard it.
        (of(&["new", "a"]), of(&["a"]), of(&["new"])),
        // A rule is gone: what it had said takes nothing else with it.
        (of(&["a", "b"]), of(&["gone", "a"]), of(&["b"])),
        (of(&["a", "a"]), of(&["a"]), of(&["a"])),
    ] {
        let mut left = alerts;
        remove_sealed(&mut left, &sealed);
        assert_eq!(left, expected);
    }
}

#[tokio::test]
async fn k41_a_shard_believes_what_others_show_until_it_ends() {
    let mut first = machine(None).await;
    let believed = async |machine: &mut ShardMachine<NoReference>| {
        let seal = machine.seal(wall::monotonic(), at(0)).await.unwrap();
        seal.believed_until
    };
    assert_eq!(believed(&mut first).await, None);
    first.believe(at(9));
    assert!(first.has_unsealed());
    assert_eq!(believed(&mut first).await, Some(at(9)));
    first.believe(at(7));
    assert_eq!(believed(&mut first).await, Some(at(9)), "never less");
    // A start knows its own inputs alone, and is told again.
    let mut next = machine(Some(first.checkpoint(wall::monotonic()).unwrap())).await;
    assert_eq!(believed(&mut next).await, None);
}

/// Files at their end, or brokers that are away: nothing is sealed for hours.
#[test]
fn a_quiet_shard_looks_whether_its_log_is_still_its_own() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store: Arc<dyn object_store::ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let claim = |owner: &'static str| {
        let claiming = Log::claim(store.clone(), "shard-0", 1, owner);
        runtime.block_on(claiming).unwrap().0
    };
    let mut shard = Shard {
        machine: runtime.block_on(machine(None)),
        log: claim("first"),
        checkpoints: CheckpointSchedule::new(1, 0),
        dead_letter_bytes: 0,
        looked_at: wall::monotonic(),
        references: Arc::new(NoReference),
        runtime: runtime.handle().clone(),
    };
    std::thread::sleep(Duration::from_millis(5));
    let before = shard.log.unconfirmed_for();
    shard.confirm_while_quiet(Duration::from_secs(60)).unwrap();
    assert!(shard.log.unconfirmed_for() >= before, "not yet");
    shard.confirm_while_quiet(Duration::from_millis(1)).unwrap();
    assert!(
        shard.log.unconfirmed_for() < before,
        "it is still the owner"
    );

    claim("second");
    std::thread::sleep(Duration::from_millis(5));
    let fenced = shard.confirm_while_quiet(Duration::from_millis(1));
    assert_eq!(fenced.unwrap_err().kind(), ErrorKind::Fenced);
}
