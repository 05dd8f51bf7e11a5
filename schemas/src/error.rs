//! One error for the crate: what is missing, whose fault it is, and whether a later try may succeed.
//!
//! A record that cannot be accepted is not an error but a verdict, with its [`Rejection`](crate::event::Rejection).

use thiserror::Error;

/// Who has to act on an error.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Whoever configured, asked or produced.
    User,
    /// Something outside this process.
    External,
    /// This program.
    Internal,
}

/// Why a question to this crate has no answer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Error)]
pub enum Error {
    /// The calendar has no row for the year in question (K20, A54).
    #[error(
        "no calendar for the year: year={year}; add its days off and make-up days to ref_calendar"
    )]
    MissingYear { year: i32 },
}

impl Error {
    pub fn fault(&self) -> Fault {
        match self {
            Self::MissingYear { .. } => Fault::User,
        }
    }

    /// Whether the same call may succeed later, without anybody changing anything here.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::MissingYear { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_year_is_for_the_user_to_add() {
        let error = Error::MissingYear { year: 2027 };
        assert_eq!((error.fault(), error.is_retryable()), (Fault::User, false));
        assert!(error.to_string().contains("year=2027"), "{error}");
    }
}
