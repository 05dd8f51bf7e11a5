//! F27: batches of Kafka that unpack to far more than was sent. What the client bounds, and what it takes where it does not.

use schemas::partition::partition_of;
use tests::events::Topics;
use tests::kafka::{Broker, Message};
use tests::project::Project;

use crate::bad_input::{NOON_MS, order};
use crate::memory::{MEMORY_MIB, count, finish, least_peak, run_within};

/// What one batch unpacks to: a fourth of what gzip makes of the default of `max.message.bytes`.
const BOMB_MIB: u64 = 256;
const BOMB_BYTES: usize = (BOMB_MIB as usize) << 20;

/// Below the bound of a record, so that it is kept whole.
const RECORD_BYTES: usize = 900_000;

/// Topics whose orders hold batches of zeros in every partition, an order in front of them and one behind, and a project that reads
/// them.
fn project(codec: &str, partitions: u32, batches: &[&[usize]]) -> (tempfile::TempDir, Project) {
    let broker = Broker::shared().unwrap();
    // snappy packs to a twentieth only
    let config = [("max.message.bytes", "20000000")];
    let topics = Topics::create(broker, partitions as i32, &config).unwrap();
    let good = |id: &str| {
        let partition = partition_of(b"C1", partitions) as i32;
        Message::new(partition, order(id, NOON_MS).to_string()).key("C1")
    };
    broker.produce(topics.orders(), [good("before")]).unwrap();
    for partition in 0..partitions as i32 {
        for records in batches {
            let zeros = records
                .iter()
                .map(|bytes| Message::new(partition, vec![0; *bytes]));
            broker.produce_batch(topics.orders(), codec, zeros).unwrap();
        }
    }
    broker.produce(topics.orders(), [good("behind")]).unwrap();
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path())
        .unwrap()
        .set("VITRINE__LIMITS__MEMORY", format!("{MEMORY_MIB}MiB"))
        // Nearly all is refused here.
        .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1.0");
    (reference, project)
}

fn orders(project: &Project) -> i64 {
    project
        .number("SELECT count(*) FROM events.orders")
        .unwrap()
}

/// gzip and snappy have no bound: it takes what the batch unpacks to, once for each partition, and no multiple of it.
#[test]
fn f27_a_batch_that_unpacks_to_much_takes_that_much_memory_once_a_partition() {
    // the broker's heap holds all that a batch of snappy unpacks to
    for (codec, partitions, mib) in [("gzip", 2, BOMB_MIB), ("snappy", 1, 64)] {
        let bytes = (mib as usize) << 20;
        let (_reference, project) = project(codec, partitions, &[&[bytes]]);
        run_within(&project, u64::from(partitions) * mib + MEMORY_MIB / 2);
        let sizes = "SELECT DISTINCT value_bytes FROM ops.dead_letters";
        assert_eq!(project.number(sizes).unwrap(), bytes as i64, "{codec}");
        assert_eq!(count(&project, "too_large"), i64::from(partitions));
        assert_eq!(orders(&project), 2, "{codec}");
    }
}

/// A fetch asks for less than two of these: so one is unpacked and handed over before the next is asked for.
#[test]
fn f27_batches_of_one_partition_are_unpacked_one_after_the_other() {
    let (_reference, project) = project("gzip", 1, &[&[BOMB_BYTES][..]; 4]);
    run_within(&project, BOMB_MIB + MEMORY_MIB / 2);
    assert_eq!(count(&project, "too_large"), 4);
    assert_eq!(orders(&project), 2);
}

/// Its records are refused one by one and kept. That takes three to four times what the batch unpacks to, as measured: the client's copy
/// stays until its last record is taken, beside what is kept of them.
#[test]
fn f27_a_batch_of_many_records_that_unpacks_to_much_is_kept_record_by_record() {
    let records = [RECORD_BYTES; BOMB_BYTES / RECORD_BYTES];
    let (_reference, project) = project("lz4", 1, &[&records]);
    run_within(&project, 5 * BOMB_MIB);
    assert_eq!(count(&project, "malformed_json"), records.len() as i64);
    let bytes = "SELECT sum(value_bytes) FROM ops.dead_letters";
    let sent = records.len() * RECORD_BYTES;
    assert_eq!(project.number(bytes).unwrap(), sent as i64);
    assert_eq!(orders(&project), 2);
}

/// Of zstd the client unpacks no more than it takes as one answer; it says so, and nothing is passed over.
#[test]
fn f27_a_zstd_batch_beyond_the_bound_stops_it_and_is_read_once_the_bound_is_raised() {
    let (_reference, project) = project("zstd", 1, &[&[BOMB_BYTES]]);
    let (stopped, peak) = finish(&project, &["run", "--until-caught-up"]);
    assert_eq!(stopped.code(), Some(1), "{}", stopped.stderr);
    assert!(
        stopped.stderr.contains("receive.message.max.bytes") && stopped.stderr.contains("offset=1"),
        "{}",
        stopped.stderr
    );
    eprintln!("zstd: peak={peak} MiB");
    assert!(peak <= least_peak() + MEMORY_MIB / 4, "{peak} MiB");
    let raised = "[source.properties]\n\"receive.message.max.bytes\" = \"1000000000\"";
    let project = project.configure(raised).unwrap();
    // what is unpacked is tried at three times the size until it fits
    run_within(&project, 3 * BOMB_MIB + MEMORY_MIB / 4);
    assert_eq!(count(&project, "too_large"), 1);
    assert_eq!(orders(&project), 2);
}
