//! One run over records that hold canaries in every field, and everything that came out of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;
use tests::events::Topics;
use tests::kafka::Broker;
use tests::project::Project;
use tests::vitrine::Finished;

use super::records::{
    MAIL, MAX_RECORD_BYTES, NAME, PARTITIONS, PHONE, REASONS, malformed, passed_over, rejected,
    typed, unanswered,
};
use super::search::Search;
use crate::proof::number;
use crate::reader::{Reader, settings, starts};
use crate::sinks::receiver::Receiver;
use crate::tree;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PASSWORD: &str = "Hush-password-48151623";
const TOKEN: &str = "Hush-token-42108642";

/// The only places of a storage that may hold what people typed: the table of dead letters, the logs of the shards, which hold them
/// until they are published, and those on their way to their topics. All but the table are the owner's alone (K48).
const PRIVATE: [&str; 4] = [
    "tables/ops/dead_letters/",
    "log/shard-",
    "log/sink-records/",
    "sinks/records/",
];

#[test]
fn f31_f32_k28_k29_k46_p7_no_output_shows_a_name_a_phone_or_a_secret() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, PARTITIONS as i32, &[]).unwrap();
    let accepted = produce(broker, &topics);
    let reference = tempfile::tempdir().unwrap();
    write_reference(reference.path());
    let mut receiver = Receiver::closed();
    receiver.open();
    let project = project(broker, &topics, reference.path(), &receiver);

    let mut search = Search::new([NAME, PHONE, MAIL, SECRET, &SECRET[6..], PASSWORD, TOKEN]);
    for args in [
        &["run", "--until-caught-up"][..],
        &["--log-format", "json", "run", "--drain"],
        &["check"],
        &["status"],
        &["status", "--json"],
        &["audit"],
    ] {
        let ended = project.run(args).unwrap();
        said(&mut search, &args.join(" "), &ended);
    }

    // What was to be searched for did come in, by every way there is.
    let counted = "SELECT sum(accepted_n) AS a, sum(duplicate_n) AS d, sum(too_late_n) AS l FROM ops.conservation";
    let counted = project.query(counted).unwrap();
    let counted = ["a", "d", "l"].map(|name| number(&counted[0][name]));
    let expected = [i64::try_from(accepted).unwrap(), 1, 1];
    assert_eq!(
        counted, expected,
        "some canary was not read as it was meant"
    );
    assert_found_in_dead_letters(&search, &project);

    tables(&mut search, &project);
    storage(&mut search, &project);
    written_topics(&mut search, broker, &topics);
    let requests = receiver.requests();
    assert!(!requests.is_empty(), "no alert has reached the receiver");
    for request in requests {
        search.search("body of a webhook", &request.body);
        search.search(
            "headers of a webhook",
            format!("{:?}", request.headers).as_bytes(),
        );
    }
    // Logs at trace level alone are more than this.
    search.assert_nothing_found(4 << 20);
}

/// Sends everything; how many records are to be accepted.
fn produce(broker: &Broker, topics: &Topics) -> usize {
    let mut accepted = 0;
    for (folder, name) in tests::events::TOPICS.into_iter().zip(topics.names()) {
        let messages = typed(folder);
        accepted += messages.len();
        broker.produce(name, messages).unwrap();
    }
    for name in &topics.names()[1..] {
        broker.produce(name, malformed()).unwrap();
    }
    broker.produce(topics.orders(), rejected()).unwrap();
    broker.produce(topics.orders(), passed_over()).unwrap();
    let case = unanswered();
    accepted += 1 + case.len();
    broker.produce(topics.complaints(), case).unwrap();
    accepted
}

/// Customers with a column, and a file, that nobody asked for.
fn write_reference(folder: &Path) {
    let customers = format!(
        "customer_id,customer_kind,class_id,territory_id,area_unit_id,region_code,valid_from,valid_to,owner_phone\n\
         C1,RETAILER,A,T1,U1,R1,2025-01-01T00:00:00Z,,{NAME} {PHONE} {MAIL}\n"
    );
    fs::write(folder.join("ref_customer.csv"), customers).unwrap();
    let contacts = format!("name,phone,mail\n{NAME},{PHONE},{MAIL}\n");
    fs::write(folder.join("contacts.csv"), contacts).unwrap();
}

/// Everything is logged, and every secret is set: a password that this broker does not ask for, a token in the receiver's URL.
fn project(broker: &Broker, topics: &Topics, reference: &Path, receiver: &Receiver) -> Project {
    let project = Project::on_kafka(broker, topics, reference).unwrap();
    let file = fs::read_to_string(project.config()).unwrap();
    let properties = format!(
        "[source]\nproperties = {{ \"security.protocol\" = \"plaintext\", \"sasl.username\" = \"vitrine\", \
         \"sasl.password\" = {PASSWORD:?}, debug = \"all\" }}\n"
    );
    let file = file.replacen("[source]\n", &properties, 1);
    fs::write(project.config(), file).unwrap();
    let secret_file = project.beside("desk.secret");
    fs::write(&secret_file, format!("{SECRET}\n")).unwrap();
    let url = receiver.url(&format!("/desk?token={TOKEN}"));
    // The events are old: at its default the limit would keep their alerts from the receiver.
    let alerts = format!(
        "[alerts]\nallow_private_addresses = true\nmax_age = \"36525d\"\n\
         webhooks = [{{ name = \"desk\", url = {url:?}, secret_file = {secret_file:?} }}]"
    );
    project
        .configure(&alerts)
        .unwrap()
        .set("VITRINE_LOG", "trace")
        .set("VITRINE__FEEDS__DEMAND", "true")
        .set(
            "VITRINE__LIMITS__MAX_RECORD_BYTES",
            MAX_RECORD_BYTES.to_string(),
        )
        .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1.0")
}

fn said(search: &mut Search, command: &str, ended: &Finished) {
    search.search(&format!("stdout of {command}"), ended.stdout.as_bytes());
    search.search(&format!("stderr of {command}"), ended.stderr.as_bytes());
}

/// The control: where the canaries may stand they are found, for every reason.
fn assert_found_in_dead_letters(search: &Search, project: &Project) {
    let query = r#"SELECT reason, "key", value, headers FROM ops.dead_letters"#;
    let rows = project.query(query).unwrap();
    for reason in REASONS {
        let mut of_reason = rows.iter().filter(|row| row["reason"] == reason);
        let is_found = |row: &Value| search.texts_in(row.to_string().as_bytes()).contains(&PHONE);
        assert!(of_reason.any(is_found), "no canary in a {reason}");
    }
}

/// The rows of every table and view of every schema, and what is said while they are read.
fn tables(search: &mut Search, project: &Project) {
    let query = "SELECT table_schema, table_name FROM information_schema.tables";
    let names = project.query(query).unwrap();
    assert!(names.len() > 50, "{names:?}");
    for row in &names {
        let name = format!("{}.{}", row["table_schema"], row["table_name"]);
        let all = format!("SELECT * FROM {name}");
        let ended = project.run(&["sql", "--format", "ndjson", &all]).unwrap();
        if name == "\"ops\".\"dead_letters\"" {
            assert!(search.texts_in(ended.stdout.as_bytes()).contains(&PHONE));
            search.search("stderr of reading dead letters", ended.stderr.as_bytes());
            continue;
        }
        said(search, &all, &ended);
    }
}

/// The bytes of every file that is not private, with its name.
fn storage(search: &mut Search, project: &Project) {
    let root = project.storage();
    let mut searched = 0;
    for file in tree::files(&root) {
        let below = file
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if PRIVATE.iter().any(|private| below.starts_with(private)) {
            continue;
        }
        searched += 1;
        search.search("the names of files", below.as_bytes());
        search.search(&below, &fs::read(&file).unwrap());
    }
    assert!(searched > 50, "only {searched} files");
}

/// The records of every topic that vitrine has made; those of rejected records are the control.
fn written_topics(search: &mut Search, broker: &Broker, topics: &Topics) {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.address())
        .create()
        .unwrap();
    let metadata = client
        .fetch_metadata(None, Duration::from_secs(30))
        .unwrap();
    let written = metadata.topics().iter().filter(|found| {
        let of = |input: &String| found.name().starts_with(&format!("{input}."));
        topics.names().iter().any(of)
    });
    let mut names = Vec::new();
    for topic in written {
        let offsets = vec![0; topic.partitions().len()];
        let mut reader = Reader::open(&settings(broker), &starts(topic.name(), &offsets));
        reader.read_to_ends();
        let mut bytes = Vec::new();
        for record in reader.records.values().flatten() {
            bytes.extend(record.key.iter().chain(&record.payload).flatten());
            for (name, value) in &record.headers {
                bytes.extend(name.iter().chain(value.iter().flatten()));
            }
            bytes.push(b'\n');
        }
        if topic.name().ends_with(".dlq") {
            let found = search.texts_in(&bytes);
            assert!(found.contains(&PHONE), "{} holds no canary", topic.name());
        } else {
            assert!(!bytes.is_empty(), "{} is empty", topic.name());
            search.search(topic.name(), &bytes);
        }
        names.push(topic.name().to_owned());
    }
    let expected = [topics.alerts(), topics.demand()];
    assert!(
        expected.iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    assert_eq!(
        names.len(),
        expected.len() + topics.names().len(),
        "{names:?}"
    );
}
