use chrono::NaiveDate;

use super::BadCalendarRow;

/// What the State Council, or a file, says about a date.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum DayKind {
    /// Worked, whatever the weekday.
    Working,
    /// A holiday.
    DayOff,
    /// A Saturday or Sunday worked in exchange for a holiday.
    MakeUp,
}

impl DayKind {
    /// The text in `ref_calendar.day_kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            DayKind::Working => "WORKING",
            DayKind::DayOff => "DAY_OFF",
            DayKind::MakeUp => "MAKE_UP",
        }
    }

    pub fn from_name(name: &str) -> Option<DayKind> {
        [DayKind::Working, DayKind::DayOff, DayKind::MakeUp]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A row of `ref_calendar`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarRow {
    pub date: NaiveDate,
    pub day_kind: DayKind,
    /// Name of the holiday that the day belongs to, or empty.
    pub name: String,
}

const BUILT_IN: &str = include_str!("../../data/calendar.csv");

impl CalendarRow {
    /// Reads `date,day_kind,name` lines under a header. Names have no commas, so no quoting is needed.
    pub fn parse_csv(text: &str) -> Result<Vec<CalendarRow>, BadCalendarRow> {
        let lines = text
            .lines()
            .zip(1..)
            .skip(1)
            .filter(|(line, _)| !line.trim().is_empty());
        lines
            .map(|(line, number)| {
                CalendarRow::parse(line).ok_or_else(|| BadCalendarRow {
                    line: number,
                    text: line.to_owned(),
                })
            })
            .collect()
    }

    fn parse(line: &str) -> Option<CalendarRow> {
        let mut columns = line.splitn(3, ',').map(str::trim);
        Some(CalendarRow {
            date: columns.next()?.parse().ok()?,
            day_kind: DayKind::from_name(columns.next()?)?,
            name: columns.next().unwrap_or_default().to_owned(),
        })
    }
}

/// The years that are built in. A test holds that every line parses; without it a year would be missing, which is an error, not a
/// year without holidays.
pub(super) fn built_in() -> Vec<CalendarRow> {
    CalendarRow::parse_csv(BUILT_IN).unwrap_or_default()
}
