#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chrono::{NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

use super::*;
use crate::time::{DurationMs, TimestampMs};

fn calendar() -> Calendar {
    Calendar::built_in(Tz::Asia__Shanghai)
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A local minute in Shanghai as an instant.
fn local(text: &str) -> TimestampMs {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    TimestampMs::from_datetime(local.and_utc()) - DurationMs::from_hours(8)
}

fn utc(text: &str) -> TimestampMs {
    let at = chrono::DateTime::parse_from_rfc3339(text).unwrap();
    TimestampMs::from_datetime(at.to_utc())
}

#[test]
fn every_built_in_row_is_read() {
    let lines = include_str!("../../../data/calendar.csv").lines().count() - 1;
    assert_eq!(rows::built_in().len(), lines);
    assert_eq!(calendar().rows().count(), lines);
    for row in calendar()
        .rows()
        .filter(|row| row.day_kind == DayKind::MakeUp)
    {
        let weekday = row.date.weekday();
        assert!(
            matches!(weekday, Weekday::Sat | Weekday::Sun),
            "{} is a {weekday}",
            row.date
        );
    }
}

#[test]
fn every_month_has_the_working_days_of_the_table() {
    let table = [
        (2024, [22, 18, 21, 22, 21, 19, 23, 22, 21, 19, 21, 22], 251),
        (2025, [19, 19, 21, 22, 19, 20, 23, 21, 23, 18, 20, 23], 248),
        (2026, [21, 16, 22, 21, 19, 21, 23, 21, 22, 18, 21, 23], 248),
    ];
    for (year, expected, sum) in table {
        let found = std::array::from_fn(|month| {
            let month = u32::try_from(month).unwrap() + 1;
            calendar()
                .working_days(NaiveDate::from_ymd_opt(year, month, 15).unwrap())
                .unwrap()
        });
        assert_eq!(found, expected, "{year}");
        assert_eq!(found.iter().sum::<u32>(), sum, "{year}");
    }
}

#[test]
fn every_month_ends_with_the_last_working_day_of_the_table() {
    let table = [
        (2024, [31, 29, 29, 30, 31, 28, 31, 30, 30, 31, 29, 31]),
        (2025, [27, 28, 31, 30, 30, 30, 31, 29, 30, 31, 28, 31]),
        (2026, [30, 28, 31, 30, 29, 30, 31, 31, 30, 30, 30, 31]),
    ];
    for (year, expected) in table {
        for (month, day) in (1..).zip(expected) {
            let month = NaiveDate::from_ymd_opt(year, month, 3).unwrap();
            let last = calendar().last_working_day(month).unwrap();
            assert_eq!((last.month(), last.day()), (month.month(), day), "{year}");
        }
    }
}

#[test]
fn add_wd_agrees_with_the_domain_table() {
    let table = [
        ("2026-11-20 16:00", "2026-11-23 16:00"),
        ("2026-11-20 20:00", "2026-11-24 08:00"),
        ("2026-11-21 10:00", "2026-11-24 08:00"),
        ("2026-09-30 16:00", "2026-10-08 16:00"),
        ("2026-10-03 09:00", "2026-10-09 08:00"),
        ("2026-02-14 10:00", "2026-02-24 10:00"),
        ("2026-02-14 18:10", "2026-02-25 08:00"),
        ("2026-01-04 07:15", "2026-01-05 08:00"),
        ("2026-05-08 17:29", "2026-05-09 17:29"),
        ("2026-09-24 17:30", "2026-09-29 08:00"),
        ("2025-09-30 09:30", "2025-10-09 09:30"),
    ];
    for (asked, deadline) in table {
        assert_eq!(
            calendar().add_wd(local(asked), 1),
            Ok(local(deadline)),
            "{asked}"
        );
    }
    let missing = calendar().add_wd(local("2026-12-31 15:00"), 1).unwrap_err();
    assert_eq!(missing, Error::MissingYear { year: 2027 });
    assert!(missing.to_string().contains("year=2027"), "{missing}");
}

#[test]
fn clamp_keeps_working_hours_and_moves_other_instants_to_the_next_opening() {
    let table = [
        ("2026-11-20 08:00", "2026-11-20 08:00"),
        ("2026-11-20 17:29", "2026-11-20 17:29"),
        ("2026-11-20 17:30", "2026-11-23 08:00"),
        ("2026-11-20 07:59", "2026-11-20 08:00"),
        ("2026-11-21 12:00", "2026-11-23 08:00"),
    ];
    for (at, expected) in table {
        assert_eq!(calendar().clamp(local(at)), Ok(local(expected)), "{at}");
    }
    let all_day = WorkingHours {
        open: NaiveTime::MIN,
        close: NaiveTime::from_hms_opt(23, 59, 59).unwrap(),
    };
    let at = local("2026-11-20 20:00");
    let calendar = Calendar {
        hours: all_day,
        ..calendar()
    };
    assert_eq!(calendar.clamp(at), Ok(at));
}

#[test]
fn working_time_is_the_overlap_with_office_hours() {
    const HOUR: DurationMs = DurationMs::HOUR;
    let table = [
        ("2026-11-20 16:00", "2026-11-20 17:00", HOUR),
        ("2026-11-20 16:30", "2026-11-23 09:00", HOUR * 2),
        ("2026-11-21 00:00", "2026-11-23 00:00", DurationMs::ZERO),
        (
            "2026-11-20 00:00",
            "2026-11-21 00:00",
            DurationMs::from_minutes(570),
        ),
        ("2026-11-20 17:00", "2026-11-20 16:00", DurationMs::ZERO),
    ];
    for (from, to, expected) in table {
        assert_eq!(
            calendar().working_time(local(from), local(to)),
            Ok(expected),
            "{from} to {to}"
        );
    }
}

#[test]
fn a_plan_is_due_at_the_end_of_the_last_working_day_of_the_month_before() {
    let deadline = |month| calendar().plan_deadline(date(month)).unwrap();
    assert_eq!(
        deadline("2026-03-01"),
        local("2026-03-01 00:00"),
        "28 February is a working Saturday"
    );
    assert_eq!(
        deadline("2025-02-14"),
        local("2025-01-28 00:00"),
        "27 January"
    );
    assert!(local("2026-02-28 23:00") < deadline("2026-03-31"));
}

#[test]
fn prices_are_due_before_thursday_unless_no_working_day_precedes_it() {
    let deadline = |monday| calendar().price_deadline(date(monday)).unwrap();
    assert_eq!(deadline("2026-11-16"), local("2026-11-19 00:00"));
    // National holiday to Wednesday 8 October 2025: the first working day is Thursday, until its end.
    assert_eq!(deadline("2025-10-06"), local("2025-10-10 00:00"));
    // Spring Festival 2026 fills the whole week; the next working day is Tuesday 24 February.
    assert_eq!(deadline("2026-02-16"), local("2026-02-25 00:00"));
    // 28 January 2025 is a Tuesday: Monday is worked, so Thursday stays although it is a holiday.
    assert_eq!(deadline("2025-01-27"), local("2025-01-30 00:00"));
}

#[test]
fn k20_holidays_are_the_listed_days_off_and_not_weekends() {
    let is_holiday = |day| calendar().is_holiday(date(day)).unwrap();
    assert!(is_holiday("2026-10-03"));
    assert!(!is_holiday("2026-11-21"), "a plain Saturday");
    assert!(!is_holiday("2026-10-10"), "a make-up day");
    assert_eq!(calendar().days_to_holiday(date("2026-09-25")), Ok(0));
    assert_eq!(calendar().days_to_holiday(date("2026-09-28")), Ok(3));
    assert_eq!(calendar().days_to_holiday(date("2025-12-31")), Ok(1));
    assert_eq!(
        calendar().days_to_holiday(date("2026-10-08")),
        Err(Error::MissingYear { year: 2027 })
    );
}

#[test]
fn k20_a_year_without_data_fails_working_days_and_nothing_else() {
    assert_eq!(
        calendar().is_working_day(date("2023-05-04")),
        Err(Error::MissingYear { year: 2023 })
    );
    // Everything that needs working days fails; nothing takes the year for one without holidays.
    let (missing, at) = (Error::MissingYear { year: 2031 }, local("2031-05-04 10:00"));
    let (date_of, month) = (date("2031-05-04"), date("2031-05-01"));
    assert_eq!(calendar().is_holiday(date_of), Err(missing));
    assert_eq!(calendar().days_to_holiday(date_of), Err(missing));
    assert_eq!(calendar().working_days(month), Err(missing));
    assert_eq!(calendar().last_working_day(month), Err(missing));
    assert_eq!(calendar().next_working_day(date_of), Err(missing));
    assert_eq!(calendar().price_deadline(date("2031-05-05")), Err(missing));
    assert_eq!(calendar().plan_deadline(date("2031-06-01")), Err(missing));
    assert_eq!(calendar().clamp(at), Err(missing));
    assert_eq!(calendar().add_wd(at, 1), Err(missing));
    let a_moment_later = at + DurationMs::from_ms(1);
    assert_eq!(calendar().working_time(at, a_moment_later), Err(missing));
    // Windows work for any year.
    let zone = calendar().zone();
    assert_eq!(zone.day_start(at), local("2031-05-04 00:00"));
    assert_eq!(zone.week_start(at), local("2031-04-28 00:00"));
    let row = CalendarRow {
        date: date("2027-01-01"),
        day_kind: DayKind::DayOff,
        name: "元旦".to_owned(),
    };
    let extended = calendar().with_rows([row]);
    assert_eq!(extended.is_working_day(date("2027-01-01")), Ok(false));
    assert_eq!(
        extended.add_wd(local("2026-12-31 15:00"), 1),
        Ok(local("2027-01-04 15:00"))
    );
}

#[test]
fn rows_of_a_file_replace_the_built_in_ones() {
    let rows =
        CalendarRow::parse_csv("date,day_kind,name\n2026-10-05,WORKING,\n\n2026-11-21,MAKE_UP,x\n")
            .unwrap();
    let replaced = calendar().with_rows(rows);
    assert_eq!(replaced.is_working_day(date("2026-10-05")), Ok(true));
    assert_eq!(replaced.is_holiday(date("2026-10-05")), Ok(false));
    assert_eq!(replaced.is_working_day(date("2026-11-21")), Ok(true));
    let bad = CalendarRow::parse_csv("date,day_kind,name\n2026-10-05,FREE,\n").unwrap_err();
    assert_eq!(bad, 2);
}

#[test]
fn a_week_begins_on_monday_in_shanghai() {
    let zone = calendar().zone();
    assert_eq!(
        zone.week_start(utc("2026-11-22T15:59:59Z")),
        local("2026-11-16 00:00")
    );
    assert_eq!(
        zone.week_start(utc("2026-11-22T16:00:00Z")),
        local("2026-11-23 00:00")
    );
    for at in [0, 1_234_567_890_123, 1_785_000_000_000].map(TimestampMs::from_ms) {
        let seconds = at.as_ms() / 1_000;
        assert_eq!(
            zone.week_start(at).as_ms() / 1_000,
            seconds - (seconds - 316_800).rem_euclid(604_800)
        );
        assert_eq!(
            zone.day_start(at).as_ms() / 1_000,
            seconds - (seconds + 28_800).rem_euclid(86_400)
        );
    }
    assert_eq!(
        zone.month_start(utc("2026-02-28T16:00:00Z")),
        local("2026-03-01 00:00")
    );
}

#[test]
fn zones_with_summer_time_have_days_of_23_and_25_hours() {
    let berlin = CalendarZone(Tz::Europe__Berlin);
    assert_eq!(
        berlin.start_of(date("2026-03-30")) - berlin.start_of(date("2026-03-29")),
        DurationMs::from_hours(23)
    );
    assert_eq!(
        berlin.start_of(date("2026-10-26")) - berlin.start_of(date("2026-10-25")),
        DurationMs::from_hours(25)
    );
    // Clocks in Santiago skip midnight: the day begins at 01:00, the instant of the jump.
    let santiago = CalendarZone(Tz::America__Santiago);
    assert_eq!(
        santiago.start_of(date("2026-09-06")),
        utc("2026-09-06T04:00:00Z")
    );
    assert_eq!(
        santiago.local_date(utc("2026-09-06T04:00:00Z")),
        date("2026-09-06")
    );
}
