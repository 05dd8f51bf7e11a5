//! Signed POST to one receiver: CloudEvents body, Standard Webhooks headers.
//!
//! What a receiver says reaches nobody: its body is not read, redirects are not followed, its address is checked
//! (`address`). Secrets come from a file and stand in no message; of the URL only the host does, for paths hold tokens.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use schemas::time::{DurationMs, TimestampMs};
use serde::Deserialize;

use super::address::Guard;
use super::alert_sink::AlertSink;
use super::outbox::Route;
use super::schedule::SendResult;
use crate::alert::Transition;
use crate::error::{Error, ErrorKind, Result};

/// From connecting to the head of the answer.
const TIME_OUT: Duration = Duration::from_secs(10);

/// One entry of `alerts.webhooks` in the configuration.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Names the destination in `ops.deliveries`.
    pub name: String,
    pub url: String,
    /// Holds a Standard Webhooks secret: `whsec_` and base64.
    pub secret_file: PathBuf,
    /// Rule ids to send; empty: all.
    #[serde(default)]
    pub rules: Vec<String>,
}

/// No URL, whose path and query may hold a token.
impl fmt::Debug for WebhookSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WebhookSettings")
            .field("name", &self.name)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl WebhookSettings {
    /// Where alerts of which rules go.
    pub fn route(&self) -> Route {
        Route {
            destination: self.name.as_str().into(),
            rules: self.rules.iter().cloned().collect(),
        }
    }
}

impl WebhookSettings {
    /// Why the webhook cannot be set up: all that can go wrong are faults of the configuration.
    fn wrong(&self, what: impl fmt::Display) -> Error {
        Error::new(
            ErrorKind::Configuration,
            format!("webhook={}: {what}", self.name),
        )
    }
}

/// A receiver, ready to be sent to.
pub struct Webhook {
    name: Arc<str>,
    url: Url,
    signer: standardwebhooks::Webhook,
    client: Client,
    source: String,
}

/// Neither the secret nor the URL, whose path may hold a token.
impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Webhook")
            .field("name", &self.name)
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// Reads the secret and prepares the client; `source` is the last part of the CloudEvents source.
    pub fn open(
        settings: &WebhookSettings,
        allow_private_addresses: bool,
        source: &str,
    ) -> Result<Self> {
        let guard = Guard {
            allow_private_addresses,
        };
        let url = checked_url(settings)?;
        guard
            .check_literal(url.host_str().unwrap_or_default())
            .map_err(|error| settings.wrong(error))?;
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIME_OUT)
            // A proxy would connect in our place, past the guard.
            .no_proxy()
            .dns_resolver(Arc::new(guard))
            .user_agent(concat!("vitrine/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| {
                let error = settings.wrong("cannot set up the HTTP client");
                error.caused_by(source)
            })?;
        Ok(Self {
            name: settings.name.as_str().into(),
            url,
            signer: read_secret(settings)?,
            client,
            source: source.to_owned(),
        })
    }

    async fn post(
        &self,
        id: &str,
        body: Vec<u8>,
        wall_time: TimestampMs,
    ) -> Result<SendResult, Failure> {
        let timestamp = wall_time.as_ms().div_euclid(DurationMs::SECOND.as_ms());
        let signature = self
            .signer
            .sign(id, timestamp, &body)
            .map_err(|_| Failure::Body)?;
        let response = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .header(standardwebhooks::HEADER_WEBHOOK_ID, id)
            .header(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, timestamp)
            .header(standardwebhooks::HEADER_WEBHOOK_SIGNATURE, signature)
            .body(body)
            .send()
            .await?;
        Ok(classify(response.status(), response.headers(), wall_time))
    }
}

/// Why there was no answer.
enum Failure {
    /// A body that cannot be signed is a fault of ours that no repetition mends.
    Body,
    Transport(reqwest::Error),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error.without_url())
    }
}

#[async_trait]
impl AlertSink for Webhook {
    async fn send(&self, transition: &Transition, wall_time: TimestampMs) -> SendResult {
        let posted = match transition.cloud_event(&self.source) {
            Ok(body) => self.post(&transition.id, body, wall_time).await,
            Err(_) => Err(Failure::Body),
        };
        posted.unwrap_or_else(|failure| match failure {
            Failure::Body => SendResult::Undeliverable {
                error: "the body cannot be written".to_owned(),
            },
            Failure::Transport(error) => SendResult::Unavailable {
                status: None,
                error: causes(&error),
                retry_after: None,
            },
        })
    }
}

fn checked_url(settings: &WebhookSettings) -> Result<Url> {
    let wrong = |reason: &str| {
        settings.wrong(format_args!(
            "url is not an http or https address without user and password: {reason}"
        ))
    };
    let url = Url::parse(&settings.url).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("another scheme"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "it holds a user or a password; receivers check the signature",
        ));
    }
    Ok(url)
}

fn read_secret(settings: &WebhookSettings) -> Result<standardwebhooks::Webhook> {
    let file = settings.secret_file.display();
    if file.to_string().starts_with("whsec_") {
        return Err(settings.wrong(
            "secret_file holds a secret itself: write the secret into a file, and the path of that file here",
        ));
    }
    let text = std::fs::read_to_string(&settings.secret_file).map_err(|source| {
        let error = settings.wrong(format_args!("cannot read secret_file={file}"));
        error.caused_by(source)
    })?;
    let wrong = || {
        settings.wrong(format_args!(
            "secret_file={file} holds no secret of the form whsec_<base64 of 24 to 64 bytes>"
        ))
    };
    use base64::Engine;
    let encoded = text.trim();
    let key = base64::engine::general_purpose::STANDARD
        .decode(encoded.strip_prefix("whsec_").unwrap_or(encoded))
        .map_err(|_| wrong())?;
    // The lengths that Standard Webhooks allows; an empty file would sign with a key that everybody knows.
    if !(24..=64).contains(&key.len()) {
        return Err(wrong());
    }
    standardwebhooks::Webhook::from_bytes(key).map_err(|_| wrong())
}

/// What a status means for us.
fn classify(status: StatusCode, headers: &HeaderMap, wall_time: TimestampMs) -> SendResult {
    let code = status.as_u16();
    match code {
        200..=299 => SendResult::Accepted { status: Some(code) },
        410 => SendResult::Gone,
        408 | 425 | 429 | 500.. => SendResult::Unavailable {
            status: Some(code),
            error: format!("status={code}"),
            retry_after: retry_after(headers, wall_time),
        },
        _ => SendResult::Refused {
            status: Some(code),
            error: format!("status={code}"),
        },
    }
}

/// `Retry-After`, in seconds or as a date of HTTP; a date counts from the answer's own `Date` where it has one, as our clock
/// need not agree with the receiver's.
fn retry_after(headers: &HeaderMap, wall_time: TimestampMs) -> Option<DurationMs> {
    let value = headers.get(RETRY_AFTER)?;
    let asked = match value.to_str().ok()?.trim().parse::<u32>() {
        Ok(seconds) => DurationMs::from_secs(i64::from(seconds)),
        Err(_) => {
            let answered_at = headers.get(DATE).and_then(http_date);
            http_date(value)? - answered_at.unwrap_or(wall_time)
        }
    };
    Some(asked.max(DurationMs::ZERO))
}

fn http_date(value: &HeaderValue) -> Option<TimestampMs> {
    let date = chrono::DateTime::parse_from_rfc2822(value.to_str().ok()?.trim()).ok()?;
    Some(TimestampMs::from_datetime(date.to_utc()))
}

/// An error with its causes; the outermost alone says only that a request failed.
fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        format!("no answer within seconds={}", TIME_OUT.as_secs())
    } else {
        error.to_string()
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
pub(crate) mod tests;
