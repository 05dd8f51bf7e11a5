//! What an error means for the process: its exit code (contract 1).

use pipeline::error::{Error, ErrorKind};

use super::Usage;
use super::audit::Differences;
use super::config::ConfigError;

/// The exit code of a command that ended with this error.
pub fn code(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() || error.is::<Usage>() {
        return 2;
    }
    if error.is::<Differences>() {
        return 3;
    }
    match error.downcast_ref::<Error>() {
        Some(error) => of_kind(error.kind()),
        None => 1,
    }
}

fn of_kind(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Configuration | ErrorKind::Incompatible | ErrorKind::Query => 2,
        ErrorKind::Fenced => 4,
        ErrorKind::EventsMissing => 5,
        ErrorKind::Damaged
        | ErrorKind::Unavailable
        | ErrorKind::DeadLetters
        | ErrorKind::Internal => 1,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn exit_codes_tell_whose_turn_it_is() {
        for (kind, want) in [
            (ErrorKind::Configuration, 2),
            (ErrorKind::Incompatible, 2),
            (ErrorKind::Query, 2),
            (ErrorKind::EventsMissing, 5),
            (ErrorKind::Fenced, 4),
            (ErrorKind::Damaged, 1),
            (ErrorKind::Unavailable, 1),
            (ErrorKind::DeadLetters, 1),
            (ErrorKind::Internal, 1),
        ] {
            let error = || Error::new(kind, "what happened");
            assert_eq!(code(&error().into()), want, "{kind:?}");
            let ended = error().context("shard=3 ended");
            assert_eq!(code(&ended.into()), want, "{kind:?} of a shard");
            let opened = anyhow::Error::from(error()).context("inputs cannot be opened");
            assert_eq!(code(&opened), want, "{kind:?} with context");
        }
        assert_eq!(code(&Usage("no such day".to_owned()).into()), 2);
        assert_eq!(code(&Differences(1).into()), 3);
        assert_eq!(code(&anyhow!("nothing has been published yet")), 1);
    }
}
