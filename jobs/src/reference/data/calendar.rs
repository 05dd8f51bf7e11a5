//! Days that a file adds to the built-in calendar, or replaces in it.

use arrow::array::AsArray;
use arrow::datatypes::Date32Type;
use pipeline::columns::Columns;
use schemas::calendar::{CalendarRow, DayKind};

use super::LoadedTable;
use super::problem::Problem;

/// The rows of `ref_calendar`; a row of an unknown kind is a problem.
pub fn rows(loaded: &LoadedTable, problems: &mut Vec<Problem>) -> Vec<CalendarRow> {
    let columns = Columns::of(&loaded.batch);
    let (kinds, names) = match (columns.text("day_kind"), columns.text("name")) {
        (Ok(kinds), Ok(names)) => (kinds, names),
        (Err(error), _) | (_, Err(error)) => {
            problems.push(Problem::of_file(&loaded.file, error.to_string()));
            return Vec::new();
        }
    };
    let mut rows = Vec::new();
    for (row, days) in loaded.batch["date"]
        .as_primitive::<Date32Type>()
        .iter()
        .enumerate()
    {
        let kind = kinds.get(row).unwrap_or_default();
        match (
            days.and_then(Date32Type::to_naive_date_opt),
            DayKind::from_name(kind),
        ) {
            (Some(date), Some(day_kind)) => rows.push(CalendarRow {
                date,
                day_kind,
                name: names.get(row).unwrap_or_default().to_owned(),
            }),
            _ => problems.push(Problem {
                file: loaded.file.clone(),
                line: Some(loaded.lines[row]),
                column: Some("day_kind"),
                message: format!("`{kind}` is none of WORKING, DAY_OFF, MAKE_UP"),
            }),
        }
    }
    rows
}
