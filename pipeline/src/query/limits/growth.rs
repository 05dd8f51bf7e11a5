//! How many bytes a function makes of a row's arguments: never too few by much, sometimes too many.

use super::argument::Argument;

/// Bytes of the result in one row.
pub(super) type Growth = fn(&[Argument], usize) -> u128;

/// Bytes of a number in a list.
const ITEM: u128 = 16;

/// The growth of a function that can make much of little; `None` for the others.
pub(super) fn growth_of(function: &str) -> Option<Growth> {
    Some(match function {
        "repeat" => {
            |arguments, row| bytes(arguments, 0, row).saturating_mul(count(arguments, 1, row))
        }
        // A character takes four bytes at most.
        "lpad" | "rpad" => |arguments, row| count(arguments, 1, row).saturating_mul(4),
        "replace" => |arguments, row| {
            let text = bytes(arguments, 0, row);
            let places = text / bytes(arguments, 1, row).max(1) + 1;
            text + places * bytes(arguments, 2, row)
        },
        "regexp_replace" => |arguments, row| {
            let text = bytes(arguments, 0, row);
            let Some(by) = arguments.get(2).map(|by| by.text(row)) else {
                return text;
            };
            // Each reference to a group may stand for the whole text.
            let references = by.matches(['$', '\\']).count() as u128;
            text + (text + 1) * (by.len() as u128 + references * text)
        },
        "concat" | "concat_ws" | "array_concat" | "make_array" | "overlay" => |arguments, row| {
            let separators = bytes(arguments, 0, row) * arguments.len() as u128;
            let parts = (0..arguments.len()).map(|part| bytes(arguments, part, row));
            separators + parts.sum::<u128>()
        },
        "array_to_string" => |arguments, row| {
            let items = bytes(arguments, 0, row);
            items + items * bytes(arguments, 1, row).max(bytes(arguments, 2, row))
        },
        "array_repeat" => {
            |arguments, row| bytes(arguments, 0, row).max(ITEM) * count(arguments, 1, row)
        }
        "array_resize" => {
            |arguments, row| bytes(arguments, 2, row).max(ITEM) * count(arguments, 1, row)
        }
        "range" | "generate_series" => items_of_series,
        _ => return None,
    })
}

fn bytes(arguments: &[Argument], place: usize, row: usize) -> u128 {
    arguments
        .get(place)
        .map_or(0, |argument| argument.bytes(row))
}

fn count(arguments: &[Argument], place: usize, row: usize) -> u128 {
    let count = arguments
        .get(place)
        .map_or(0, |argument| argument.integer(row));
    count.max(0).unsigned_abs()
}

/// From a start to a stop by a step; with one argument, from 0.
fn items_of_series(arguments: &[Argument], row: usize) -> u128 {
    let position = |place: usize| arguments.get(place).map(|argument| argument.position(row));
    let (start, stop) = match (position(0), position(1)) {
        (Some(stop), None) => (0, stop),
        (start, stop) => (start.unwrap_or(0), stop.unwrap_or(0)),
    };
    let step = position(2).unwrap_or(1);
    let leads_there = (stop > start) == (step > 0);
    // A step of 0 is the function's to refuse.
    if step == 0 || !leads_there {
        return 0;
    }
    ITEM * ((stop - start) / step).unsigned_abs()
}
