//! A receiver of webhooks: an HTTP server that keeps what it is sent and answers as a test says.

use std::collections::VecDeque;
use std::future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use pipeline::time::wall;
use schemas::time::TimestampMs;
use tests::kafka::free_address;
use tokio::runtime::{Builder, Runtime};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answer {
    #[default]
    Taken,
    Failed,
    /// It was received and gets no answer: its sender waits until one of both is gone.
    Kept,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub received_at: TimestampMs,
    pub answer: Answer,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        let value = value.unwrap_or_else(|| panic!("no header {name}"));
        value.to_str().unwrap()
    }
}

#[derive(Default)]
struct Book {
    requests: Vec<Request>,
    /// Answers to the next requests, and to all after those.
    first: VecDeque<Answer>,
    then: Answer,
}

/// An address of 127.0.0.1, and once open the server behind it; gone when dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    server: Option<Runtime>,
}

impl Receiver {
    /// An address at which nobody listens.
    pub(crate) fn closed() -> Self {
        Self {
            address: free_address().unwrap(),
            book: Arc::default(),
            server: None,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Listens from now on.
    pub(crate) fn open(&mut self) {
        let server = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let hooks = Router::new()
            .route("/{hook}", post(receive))
            .with_state(self.book.clone());
        let listener = server
            .block_on(tokio::net::TcpListener::bind(self.address))
            .unwrap();
        server.spawn(async move { axum::serve(listener, hooks).await });
        self.server = Some(server);
    }

    /// Answers the next requests with `first`, one after the other, and all others with `then`.
    pub(crate) fn answer(&self, first: impl IntoIterator<Item = Answer>, then: Answer) {
        let mut book = lock(&self.book);
        book.first = first.into_iter().collect();
        book.then = then;
    }

    /// All requests so far, in their order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.book).requests.clone()
    }

    /// Whether some request has got this answer.
    pub(crate) fn has_answered(&self, answer: Answer) -> bool {
        let book = lock(&self.book);
        book.requests.iter().any(|r| r.answer == answer)
    }
}

async fn receive(
    State(shared): State<Arc<Mutex<Book>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let answer = {
        let mut book = lock(&shared);
        let answer = book.first.pop_front().unwrap_or(book.then);
        book.requests.push(Request {
            path: uri.path().to_owned(),
            headers,
            body,
            received_at: wall::now(),
            answer,
        });
        answer
    };
    match answer {
        Answer::Taken => StatusCode::NO_CONTENT,
        Answer::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        Answer::Kept => future::pending().await,
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
