//! Against a real HTTP server on this machine, which records what it is sent and answers what the test says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use super::*;
use crate::alert::transition_fixture::transition;
use crate::time::fixture::{at, ms};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One request as it came in.
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Answers each connection with the next of `answers` (raw bytes), then ends.
pub(crate) fn serve(answers: Vec<&'static str>) -> (String, mpsc::Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/secret-path", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let request = read(&mut stream);
            // Answered before it is counted, so that a test which has the request also has the answer on its way.
            stream.write_all(answer.as_bytes()).unwrap();
            sender.send(request).unwrap();
        }
    });
    (url, requests)
}

fn read(stream: &mut TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let mut headers = HeaderMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let name: reqwest::header::HeaderName = name.parse().unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Request {
        path,
        headers,
        body,
    }
}

pub(crate) fn settings(url: &str, secret: &str) -> (WebhookSettings, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let secret_file = dir.path().join("secret");
    std::fs::write(&secret_file, secret).unwrap();
    let settings = WebhookSettings {
        name: "desk".to_owned(),
        url: url.to_owned(),
        secret_file,
        rules: vec!["A15".to_owned()],
    };
    (settings, dir)
}

fn open(url: &str) -> Webhook {
    let (settings, _dir) = settings(url, SECRET);
    Webhook::open(&settings, true, "test").unwrap()
}

#[tokio::test]
async fn a_receiver_can_verify_what_it_gets() {
    let (url, requests) = serve(vec!["HTTP/1.1 204 No Content\r\n\r\n"]);
    let now = crate::time::wall::now();
    let answer = open(&url).send(&transition(7), now).await;
    assert_eq!(answer, SendResult::Accepted { status: Some(204) });
    let request = requests.recv().unwrap();
    assert_eq!(request.path, "/hook/secret-path");
    assert_eq!(request.headers["webhook-id"], "A15-0-7-0");
    assert_eq!(
        request.headers["content-type"],
        "application/cloudevents+json"
    );
    assert_eq!(request.body, transition(7).cloud_event("test").unwrap());
    let receiver = standardwebhooks::Webhook::new(SECRET).unwrap();
    receiver.verify(&request.body, &request.headers).unwrap();
    let mut forged = request.body.clone();
    forged[10] ^= 1;
    assert!(receiver.verify(&forged, &request.headers).is_err());
}

#[tokio::test]
async fn every_kind_of_answer_is_understood() {
    let refused = |status: u16| SendResult::Refused {
        status: Some(status),
        error: format!("status={status}"),
    };
    let unavailable = |status: u16, retry_after| SendResult::Unavailable {
        status: Some(status),
        error: format!("status={status}"),
        retry_after,
    };
    for (raw, expected) in [
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
            refused(302),
        ),
        ("HTTP/1.1 404 Not Found\r\n\r\n", refused(404)),
        ("HTTP/1.1 410 Gone\r\n\r\n", SendResult::Gone),
        ("HTTP/1.1 500 Oops\r\n\r\n", unavailable(500, None)),
        (
            "HTTP/1.1 429 Slow\r\nRetry-After: 120\r\n\r\n",
            unavailable(429, Some(ms(120_000))),
        ),
        // The length is a lie and the connection closes early: the head is all that counts.
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx",
            SendResult::Accepted { status: Some(200) },
        ),
    ] {
        let (url, _requests) = serve(vec![raw]);
        assert_eq!(
            open(&url).send(&transition(1), at(0)).await,
            expected,
            "{raw}"
        );
    }
}

#[tokio::test]
async fn an_endless_body_is_not_read() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (written, total) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut bytes = 0_usize;
        while stream.write_all(&[b'x'; 65_536]).is_ok() {
            bytes += 65_536;
        }
        written.send(bytes).unwrap();
    });
    let answer = open(&url).send(&transition(1), at(0)).await;
    assert_eq!(answer, SendResult::Accepted { status: Some(200) });
    // The client closes the connection in the background: that takes time, not a blocked thread.
    let mut sent = None;
    for _ in 0..500 {
        sent = total.try_recv().ok();
        if sent.is_some() {
            break;
        }
        crate::time::wall::sleep(Duration::from_millis(10)).await;
    }
    let sent = sent.expect("the connection was kept open");
    assert!(sent < 64 << 20, "bytes={sent}");
}

#[tokio::test]
async fn a_receiver_that_is_down_is_unavailable_and_the_error_keeps_the_url_to_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/secret-path", listener.local_addr().unwrap());
    drop(listener);
    let SendResult::Unavailable {
        status: None,
        error,
        retry_after: None,
    } = open(&url).send(&transition(1), at(0)).await
    else {
        panic!("a closed port took an alert");
    };
    assert!(
        !error.contains("secret-path") && error.contains("refused"),
        "{error}"
    );
}

#[tokio::test]
async fn private_addresses_are_refused_by_literal_and_by_name() {
    let (literal, _dir) = settings("http://127.0.0.1:9/", SECRET);
    let refused = Webhook::open(&literal, false, "test").unwrap_err();
    assert!(
        refused.to_string().contains("allow_private_addresses"),
        "{refused}"
    );
    // A number that the URL parser turns into the same address.
    let (number, _dir) = settings("http://2130706433/", SECRET);
    assert!(Webhook::open(&number, false, "test").is_err());

    let (named, _dir) = settings("http://localhost:9/", SECRET);
    let webhook = Webhook::open(&named, false, "test").unwrap();
    let SendResult::Unavailable { error, .. } = webhook.send(&transition(1), at(0)).await else {
        panic!("localhost was reached");
    };
    assert!(error.contains("allow_private_addresses"), "{error}");
}

#[test]
fn retry_after_is_read_in_seconds_and_as_a_date() {
    let asked = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers, at(784_111_777_000 - 5_000))
    };
    assert_eq!(asked("7"), Some(ms(7_000)));
    assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(ms(5_000)));
    assert_eq!(asked("Sun, 06 Nov 1994 08:49:30 GMT"), Some(ms(0)));
    assert_eq!(asked("soon"), None);
    assert_eq!(retry_after(&HeaderMap::new(), at(0)), None);
}

#[test]
fn f17_a_date_to_retry_after_counts_from_the_answers_own_date() {
    let mut headers = HeaderMap::new();
    let value = |text: &str| text.parse().unwrap();
    headers.insert(RETRY_AFTER, value("Sun, 06 Nov 1994 08:49:37 GMT"));
    headers.insert(DATE, value("Sun, 06 Nov 1994 08:49:30 GMT"));
    // whatever our clock shows: 1970, 2038
    for wall_time in [at(0), at(2_147_483_648_000)] {
        assert_eq!(retry_after(&headers, wall_time), Some(ms(7_000)));
    }
    headers.insert(DATE, value("today"));
    let our_clock = at(784_111_777_000 - 5_000);
    assert_eq!(retry_after(&headers, our_clock), Some(ms(5_000)));
}

#[test]
fn faults_of_the_configuration_are_named_and_secrets_are_not() {
    let error = |url: &str, secret: &str| {
        let (settings, _dir) = settings(url, secret);
        Webhook::open(&settings, true, "test")
            .unwrap_err()
            .to_string()
    };
    assert!(error("ftp://x.example/", SECRET).contains("scheme"));
    assert!(error("https://me:pw@x.example/", SECRET).contains("password"));
    assert!(error("nonsense", SECRET).contains("webhook=desk"));
    for secret in ["", "whsec_", "whsec_c2hvcnQ=", "not base64 at all!"] {
        let text = error("https://x.example/", secret);
        assert!(text.contains("whsec_<base64"), "{text}");
        assert!(secret.len() < 7 || !text.contains(secret), "{text}");
    }
    let (mut missing, _dir) = settings("https://x.example/", SECRET);
    missing.secret_file = "/nonexistent/secret".into();
    let text = Webhook::open(&missing, true, "test")
        .unwrap_err()
        .to_string();
    assert!(text.contains("/nonexistent/secret"), "{text}");
    let shown = format!("{:?}", open("https://x.example/token/abc"));
    assert!(
        shown.contains("x.example") && !shown.contains("abc") && !shown.contains("MfKQ"),
        "{shown}"
    );
}

#[test]
fn settings_refuse_unknown_keys() {
    let known = r#"{"name":"desk","url":"https://x.example","secret_file":"s","rules":["A01"]}"#;
    let settings: WebhookSettings = serde_json::from_str(known).unwrap();
    assert_eq!(settings.route().rules, ["A01".to_owned()].into());
    let unknown = known.replace("rules", "ruels");
    assert!(serde_json::from_str::<WebhookSettings>(&unknown).is_err());
}
