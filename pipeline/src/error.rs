//! One error for the whole engine: what happened, whose fault it is, and whether a later try may succeed.
//!
//! A message says what happened, to what (`key=value`), and what to do; it does not repeat its source. What an error means for
//! the process (its exit code) is for the command line to decide, from [`Error::kind`].

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::error::ArrowError;
use schemas::error::Fault;

/// Short for results of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of trouble it is: few kinds, so that a caller can decide without knowing the module it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Configuration, permissions, names of topics, or a query of the catalogue are wrong.
    Configuration,
    /// The storage was written by another version, with other inputs, or was drained.
    Incompatible,
    /// A query of a reader is wrong or not allowed.
    Query,
    /// Events are gone upstream: to go on would lose them silently.
    EventsMissing,
    /// Another owner stands, or may stand, in the log: this process has to end.
    Fenced,
    /// Stored bytes fail their check, or something is missing that must be there.
    Damaged,
    /// A broker, a store or a receiver does not answer or refuses for now.
    Unavailable,
    /// The dead-letter circuit breaker has opened: most records cannot be used.
    DeadLetters,
    /// A mistake in this program.
    Internal,
}

impl ErrorKind {
    pub fn fault(self) -> Fault {
        match self {
            Self::Configuration | Self::Incompatible | Self::Query | Self::DeadLetters => {
                Fault::User
            }
            Self::EventsMissing | Self::Fenced | Self::Damaged | Self::Unavailable => {
                Fault::External
            }
            Self::Internal => Fault::Internal,
        }
    }

    /// Whether the same call may succeed later, without anybody changing anything here.
    pub fn is_retryable(self) -> bool {
        self == Self::Unavailable
    }
}

/// Why something in the engine failed.
///
/// ```
/// use std::io;
///
/// use pipeline::error::{Error, ErrorKind};
/// use schemas::error::Fault;
///
/// let timed_out = io::Error::from(io::ErrorKind::TimedOut);
/// let away = Error::new(ErrorKind::Unavailable, "the store does not answer: path=shard-0")
///     .caused_by(timed_out);
/// assert_eq!(away.fault(), Fault::External);
/// assert!(away.is_retryable(), "the same call may succeed later");
///
/// // Context says where it arose; the kind stays, and so does what a caller may do.
/// let ended = away.context("shard=0 ended");
/// assert_eq!(ended.to_string(), "shard=0 ended");
/// assert_eq!(ended.kind(), ErrorKind::Unavailable);
///
/// let wrong = Error::new(ErrorKind::Configuration, "topic=orders.v2 does not exist: create it");
/// assert_eq!(wrong.fault(), Fault::User);
/// assert!(!wrong.is_retryable(), "a person has to act first");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    /// The same with what caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// For `map_err`: an error of this kind, caused by the one that is mapped.
    pub fn from_source<E: Into<Box<dyn StdError + Send + Sync>>>(
        kind: ErrorKind,
        message: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::new(kind, message).caused_by(source)
    }

    /// This error as the cause of one that says where it arose: the kind stays.
    #[must_use]
    pub fn context(self, message: impl Into<String>) -> Self {
        Self::new(self.kind(), message).caused_by(self)
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub fn fault(&self) -> Fault {
        self.kind().fault()
    }

    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }
}

/// Runs the body of a thread that somebody waits for: a panic is one more way to fail.
pub(crate) fn catch_panic<T>(what: &str, body: impl FnOnce() -> T) -> Result<T> {
    let ended = catch_unwind(AssertUnwindSafe(body));
    ended.map_err(|panic| broken_down(what, panic_text(panic.as_ref())))
}

/// A thread or task has ended although nobody asked it to.
pub fn broken_down(what: &str, said: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!(
            "{what} broke down ({said}): a mistake in this program; start it again, what was sealed is kept"
        ),
    )
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source:?}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

/// Columns that we build ourselves: where they do not fit, the program is wrong.
impl From<ArrowError> for Error {
    fn from(source: ArrowError) -> Self {
        Self::new(ErrorKind::Internal, "columns cannot be read or built").caused_by(source)
    }
}

/// State that we save and read ourselves. Its bytes have passed their check, so one that cannot be read was written by
/// another version; one that cannot be saved is a mistake of the program.
impl From<postcard::Error> for Error {
    fn from(source: postcard::Error) -> Self {
        use postcard::Error as Cause;
        let (kind, message) = match source {
            Cause::WontImplement
            | Cause::NotYetImplemented
            | Cause::SerializeBufferFull
            | Cause::SerializeSeqLengthUnknown
            | Cause::SerdeSerCustom
            | Cause::CollectStrError => (ErrorKind::Internal, "state cannot be saved"),
            _ => (
                ErrorKind::Damaged,
                "saved state cannot be read; was it written by another version?",
            ),
        };
        Self::new(kind, message).caused_by(source)
    }
}

/// What a panic said, in its own words.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_that_cannot_be_saved_is_our_mistake_and_state_that_cannot_be_read_is_damage() {
        let unread = postcard::from_bytes::<u64>(&[]).unwrap_err();
        assert_eq!(Error::from(unread).kind(), ErrorKind::Damaged);
        let unsaved = Error::from(postcard::Error::SerializeSeqLengthUnknown);
        assert_eq!(unsaved.kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_source_is_kept_and_not_repeated() {
        let source = ArrowError::ComputeError("too far".to_owned());
        let error: Error = source.into();
        assert_eq!(error.to_string(), "columns cannot be read or built");
        assert!(
            error
                .source()
                .is_some_and(|source| source.to_string().contains("too far"))
        );
        assert_eq!(
            (error.kind(), error.fault()),
            (ErrorKind::Internal, Fault::Internal)
        );
    }

    #[test]
    fn context_keeps_the_kind_and_the_cause() {
        let cause = Error::new(ErrorKind::EventsMissing, "events are missing upstream");
        let error = cause.context("shard=3 ended");
        assert_eq!(error.kind(), ErrorKind::EventsMissing);
        assert_eq!(error.to_string(), "shard=3 ended");
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some("events are missing upstream")
        );
    }

    #[test]
    fn only_what_is_away_is_worth_another_try() {
        let error = Error::new(ErrorKind::Unavailable, "broker is away");
        assert!(error.is_retryable() && error.fault() == Fault::External);
        for kind in [
            ErrorKind::Configuration,
            ErrorKind::Fenced,
            ErrorKind::Damaged,
        ] {
            assert!(!Error::new(kind, "").is_retryable(), "{kind:?}");
        }
    }

    #[test]
    fn a_panic_is_told_in_its_own_words() {
        let text = |panic: Box<dyn Any + Send>| panic_text(panic.as_ref()).to_owned();
        assert_eq!(text(Box::new("as it is")), "as it is");
        assert_eq!(text(Box::new("made up".to_owned())), "made up");
        assert_eq!(text(Box::new(7)), "no message");
    }
}
