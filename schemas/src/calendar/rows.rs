use chrono::NaiveDate;

/// What the State Council or a file says about a date.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum DayKind {
    /// A working day, whatever the weekday.
    Working,
    /// A holiday.
    DayOff,
    /// A Saturday or Sunday worked in exchange for a day off.
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
    /// Name of the holiday that the day belongs to; may be empty.
    pub name: String,
}

const BUILT_IN: &str = include_str!("../../data/calendar.csv");

impl CalendarRow {
    /// Reads `date,day_kind,name` lines below a header. Names contain no commas, so nothing is quoted.
    ///
    /// # Errors
    /// The number of the first line that is no such row.
    pub(super) fn parse_csv(text: &str) -> Result<Vec<CalendarRow>, usize> {
        let lines = text
            .lines()
            .zip(1..)
            .skip(1)
            .filter(|(line, _)| !line.trim().is_empty());
        lines
            .map(|(line, number)| CalendarRow::parse(line).ok_or(number))
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

/// The built-in years. Should the file not parse, no year is known and every question fails; a test checks that it parses.
pub(super) fn built_in() -> Vec<CalendarRow> {
    CalendarRow::parse_csv(BUILT_IN).unwrap_or_default()
}
