use thiserror::Error;

/// A question about a year that the calendar does not have (A54).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
#[error("no calendar for the year: year={year}; add its days off and make-up days to ref_calendar")]
pub struct MissingYear {
    pub year: i32,
}

/// A line of a calendar file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "bad calendar row: line={line} text={text:?}; write date,day_kind,name with day_kind WORKING, DAY_OFF or MAKE_UP"
)]
pub struct BadCalendarRow {
    pub line: usize,
    pub text: String,
}
