#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use arrow::array::{Array, AsArray};
use pipeline::columns::Columns;
use schemas::time::{DurationMs, TimestampMs};

use super::schema::{CALENDAR, TABLES};
use super::*;
use crate::error::Problem;
use crate::reference::fixture;

/// The beginning of the day this many days after 1 January 1970, UTC.
fn day(days: i64) -> TimestampMs {
    TimestampMs::from_ms(0) + days * DurationMs::DAY
}

fn broken(files: &[(&str, &str)]) -> Vec<String> {
    let error = fixture::load(files).err().unwrap();
    error.problems().iter().map(Problem::to_string).collect()
}

const CUSTOMERS: &str = "\u{feff}customer_id,customer_kind,class_id,territory_id,region_code,is_sample,order_weekdays,valid_from,valid_to
C1,RETAILER,A,T1,310000,true,1|3,1970-01-01T00:00:00Z,1970-01-02T08:00:00+08:00
C1,RETAILER,B,T2,310000,false,,1970-01-03T00:00:00Z,
C2,RETAILER,,,,,,,
";

#[test]
fn k08_the_version_in_force_counts_and_without_one_all_is_unknown() {
    let reference = fixture::reference_data(&[("ref_customer.csv", CUSTOMERS)]);
    let one_ms = DurationMs::from_ms(1);
    let class = |customer: &str, at| reference.customer(customer, at).class_id.to_string();
    assert_eq!(class("C1", day(0) - one_ms), UNKNOWN);
    assert_eq!(class("C1", day(0)), "A");
    assert_eq!(class("C1", day(1) - one_ms), "A");
    assert_eq!(class("C1", day(1)), UNKNOWN);
    assert_eq!(class("C1", day(2)), "B");
    assert_eq!(class("C1", day(1_000)), "B");
    let first = reference.customer("C1", day(0));
    assert!(first.is_known && first.is_sample && *first.area_unit_id == *UNKNOWN);
    let open = reference.customer("C2", day(-1_000));
    assert!(open.is_known && !open.is_sample && *open.territory_id == *UNKNOWN);
    assert!(!reference.customer("C3", day(0)).is_known);
}

#[test]
fn that_no_event_finds_its_customer_is_noticed() {
    let reference = fixture::reference_data(&[("ref_customer.csv", CUSTOMERS)]);
    assert!(!reference.finds_no_customer(), "nobody has asked");
    reference.customer("C1.0", day(0));
    assert!(reference.finds_no_customer());
    reference.customer("C1", day(0));
    assert!(!reference.finds_no_customer());
    let none = ReferenceData::empty();
    none.customer("C1", day(0));
    assert!(!none.finds_no_customer(), "there is no customer to find");
}

#[test]
fn k48_what_is_no_table_is_not_opened_and_a_table_has_to_be_a_regular_file() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str| folder.path().join(name);
    fs::write(in_folder("ref_sku.csv"), "sku_id\nS1\n").unwrap();
    // Opening this one would wait for ever, opening that one would fail.
    let made = std::process::Command::new("mkfifo")
        .arg(in_folder("key.pem"))
        .status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("/nowhere", in_folder("contacts.xlsx")).unwrap();
    let reference = ReferenceData::load(folder.path()).unwrap();
    assert_eq!(reference.tables().count(), 1);
    let warned: Vec<_> = reference
        .warnings()
        .iter()
        .map(Problem::to_string)
        .collect();
    assert!(
        matches!(&warned[..], [only] if only.starts_with("key.pem: ")),
        "{warned:?}"
    );

    for (name, make) in [("ref_unit.csv", "mkfifo"), ("ref_staff.parquet", "mkdir")] {
        let made = std::process::Command::new(make)
            .arg(in_folder(name))
            .status();
        assert!(made.unwrap().success());
        let error = ReferenceData::load(folder.path()).err().unwrap();
        assert!(
            error.to_string().contains(name) && error.to_string().contains("no regular file"),
            "{error}"
        );
        if make == "mkfifo" {
            fs::remove_file(in_folder(name)).unwrap();
        } else {
            fs::remove_dir(in_folder(name)).unwrap();
        }
    }
}

#[test]
fn k48_only_the_columns_of_the_contract_are_kept() {
    let with = "sku_id,owner_phone,brand_id\nS1,13800000000,B1\n";
    let without = "brand_id,sku_id\nB1,S1\n";
    let [with, without] =
        [with, without].map(|text| fixture::reference_data(&[("ref_sku.csv", text)]));
    assert_eq!(with.version(), without.version());
    let (_, rows) = with.tables().next().unwrap();
    assert!(rows.column_by_name("owner_phone").is_none());
}

#[test]
fn what_cannot_be_read_is_listed_up_to_a_limit_and_counted_beyond() {
    let rows: String = (0..20_000).map(|row| format!("S{row},perhaps\n")).collect();
    let file = format!("sku_id,is_key_brand\n{rows}");
    let found = broken(&[("ref_sku.csv", &file)]);
    assert_eq!(found.len(), 101);
    assert_eq!(
        found[0],
        "ref_sku.csv:2: column=is_key_brand: `perhaps` is neither true nor false"
    );
    assert_eq!(
        found[100],
        "ref_sku.csv: and 19900 more values that cannot be read"
    );

    let endless = "x".repeat(2 << 20);
    let found = broken(&[("ref_sku.csv", &endless)]);
    assert!(found[0].starts_with("ref_sku.csv:1: "), "{found:?}");
    assert!(found[0].contains("a record is longer than"), "{found:?}");
    let twice = broken(&[("ref_sku.csv", "sku_id,sku_id\nS1,S2\n")]);
    assert_eq!(twice, ["ref_sku.csv: has the column `sku_id` twice"]);
}

#[test]
fn an_open_quotation_mark_is_refused_before_it_fills_the_memory() {
    let rows = |from: u32, to: u32| -> String {
        let rows = from..to;
        rows.map(|row| format!("S{row},\"B{row}\",\n")).collect()
    };
    // a record of three lines, whose note nobody reads
    let begin = format!(
        "sku_id,brand_id,note\n{}S,B,\"a\nb\nc\"\n",
        rows(0, 100_000)
    );
    let whole = format!("{begin}{}", rows(100_000, 300_000));
    let loaded = fixture::load(&[("ref_sku.csv", &whole)]).unwrap();
    let (_, table) = loaded.tables().next().unwrap();
    assert_eq!(table.num_rows(), 300_001);
    // 3 MiB behind the line with the open mark
    let open = format!("{begin}T,\"B\n{}", rows(100_000, 300_000).replace('"', ""));
    let found = broken(&[("ref_sku.csv", &open)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("ref_sku.csv:100005: "), "{found:?}");
    assert!(found[0].contains("a record is longer than"), "{found:?}");
    // a few lines, which would be one cell
    let short = "sku_id,brand_id\nS1,B1\nS2,\"B2\nS3,B3\nS4,B4\n";
    assert_eq!(
        broken(&[("ref_sku.csv", short)]),
        ["ref_sku.csv:3: column=brand_id: holds a line end; is a quotation mark left open?"]
    );
}

#[test]
fn as_of_tables_have_one_row_per_subject_and_no_null_text() {
    let reference = fixture::reference_data(&[("ref_customer.csv", CUSTOMERS)]);
    let tables = reference.as_of(day(2)).unwrap();
    let names: Vec<_> = tables.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        ["customer", "sku", "territory", "unit", "sample_basket"]
    );
    let customers = &tables[0].1;
    let columns = Columns::of(customers);
    let class = columns.text("class_id").unwrap();
    assert_eq!(customers.num_rows(), 2);
    assert_eq!((class.get(0), class.get(1)), (Some("B"), Some(UNKNOWN)));
    assert!(columns.instant("valid_from").is_err());
    assert_eq!(tables[1].1.num_rows(), 0);
}

#[test]
fn columns_are_typed_and_empty_cells_are_null() {
    let reference = fixture::reference_data(&[("ref_customer.csv", CUSTOMERS)]);
    let (name, batch) = reference.tables().next().unwrap();
    assert_eq!(name, "ref_customer");
    let weekdays = batch["order_weekdays"].as_list::<i32>();
    assert_eq!(weekdays.value(0).len(), 2);
    assert!(weekdays.is_null(1) && batch["scale"].is_null(0));
}

#[test]
fn every_unreadable_cell_is_reported_with_file_line_and_column() {
    let found = broken(&[
        (
            "ref_customer.csv",
            "customer_id,is_sample,valid_from\nC1,yes,2026-01-01\n,true,\n",
        ),
        ("ref_sku.csv", "brand_id\nB1\n"),
        ("ref_unit.csv", "unit_id,unit_kind\nU1\n"),
        ("ref_unit.parquet", "no parquet"),
    ]);
    let expected = [
        "ref_customer.csv:3: column=customer_id: must not be empty",
        "ref_customer.csv:2: column=is_sample: `yes` is neither true nor false",
        "ref_customer.csv:2: column=valid_from: `2026-01-01` is not an instant like 2026-01-05T00:00:00Z",
        "ref_sku.csv: column=sku_id: the file lacks this column, which is required",
    ];
    assert_eq!(found[..4], expected);
    assert!(found[4].starts_with("ref_unit.csv:2: "), "{}", found[4]);
    assert!(found[5].starts_with("ref_unit.parquet: "), "{}", found[5]);
    assert_eq!(found.len(), 6);
}

#[test]
fn overlapping_versions_and_dangling_ids_are_inconsistencies() {
    let reference = fixture::reference_data(&[
        (
            "ref_customer.csv",
            "customer_id,territory_id,valid_from,valid_to\n\
             C1,T1,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z\n\
             C1,T9,2026-01-31T00:00:00Z,\n",
        ),
        ("ref_territory.csv", "territory_id,area_unit_id\nT1,U1\n"),
        (
            "ref_sample_basket.csv",
            "territory_id,sku_id\nALL,S1\nT8,S1\n",
        ),
    ]);
    let found: Vec<_> = reference
        .inconsistencies()
        .iter()
        .map(Problem::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "ref_customer.csv:3: column=territory_id: `T9` is not in ref_territory.csv",
            "ref_customer.csv:3: column=valid_from: begins while the version of line 2 is in force; end that one first",
            "ref_sample_basket.csv:3: column=territory_id: `T8` is not in ref_territory.csv",
        ]
    );
    // Of two in force at once, the one that began last decides.
    let february = TimestampMs::from_ms(1_769_990_400_000);
    assert_eq!(*reference.customer("C1", february).territory_id, *"T9");
}

#[test]
fn k27_a_plan_that_cannot_be_meant_is_refused_with_its_line() {
    let plan = |row: &str| {
        let good = "S1,A,U1,AP-1,0,100000000,,";
        let file = format!(
            "sku_id,class_id,area_unit_id,plan_id,cap_qty,supply_qty,valid_from,valid_to\n{good}\n{row}\n"
        );
        broken(&[("ref_allocation_plan.csv", &file)])
    };
    let quantity = "is not a whole quantity from 0 to 100000000";
    for (row, column, message) in [
        (",A,U1,AP-1,1,,,", "sku_id", "must not be empty".to_owned()),
        (
            "S1,,U1,AP-1,1,,,",
            "class_id",
            "must not be empty".to_owned(),
        ),
        (
            "S1,A,,AP-1,1,,,",
            "area_unit_id",
            "must not be empty".to_owned(),
        ),
        ("S1,A,U1,AP-1,-1,,,", "cap_qty", format!("`-1` {quantity}")),
        (
            "S1,A,U1,AP-1,1.5,,,",
            "cap_qty",
            format!("`1.5` {quantity}"),
        ),
        (
            "S1,A,U1,AP-1,many,,,",
            "cap_qty",
            format!("`many` {quantity}"),
        ),
        (
            "S1,A,U1,AP-1,,100000001,,",
            "supply_qty",
            format!("`100000001` {quantity}"),
        ),
    ] {
        let expected = format!("ref_allocation_plan.csv:3: column={column}: {message}");
        assert_eq!(plan(row), [expected]);
    }
    let lacks = broken(&[(
        "ref_allocation_plan.csv",
        "sku_id,class_id,cap_qty\nS1,A,1\n",
    )]);
    assert_eq!(
        lacks,
        [
            "ref_allocation_plan.csv: column=area_unit_id: the file lacks this column, which is required"
        ]
    );
    let plans = "sku_id,class_id,area_unit_id,cap_qty,quota\nS1,A,U1,1,2\nS9,A,ALL,1,2\n";
    let reference = fixture::reference_data(&[
        ("ref_allocation_plan.csv", plans),
        ("ref_sku.csv", "sku_id\nS1\n"),
        ("ref_unit.csv", "unit_id\nU2\n"),
    ]);
    let told = |problems: &[Problem]| problems.iter().map(Problem::to_string).collect::<Vec<_>>();
    assert_eq!(
        told(reference.warnings()),
        ["ref_allocation_plan.csv: column `quota` is not read"]
    );
    assert_eq!(
        told(&reference.inconsistencies()),
        [
            "ref_allocation_plan.csv:2: column=area_unit_id: `U1` is not in ref_unit.csv",
            "ref_allocation_plan.csv:3: column=sku_id: `S9` is not in ref_sku.csv",
        ]
    );
}

#[test]
fn unused_files_and_columns_are_warnings_and_the_version_is_the_content() {
    let named = |files: &[(&str, &str)]| fixture::reference_data(files).version().to_owned();
    let one = named(&[("ref_sku.csv", "sku_id\nS1\n")]);
    assert_eq!(one.len(), 64);
    assert_eq!(
        one,
        named(&[("ref_sku.csv", "sku_id\nS1\n"), ("notes.txt", "x")])
    );
    assert_ne!(one, named(&[("ref_sku.csv", "sku_id\nS2\n")]));
    let reference = fixture::reference_data(&[
        ("ref_customers.csv", "x\n"),
        ("ref_forecast.csv", "month\n"),
        ("ref_sku.csv", "sku_id,colour\nS1,red\n"),
    ]);
    let found: Vec<_> = reference
        .warnings()
        .iter()
        .map(Problem::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "ref_customers.csv: no reference table has this file name; it is ignored (nearest: ref_customer.csv)",
            "ref_forecast.csv: no metric reads this table yet; it is ignored",
            "ref_sku.csv: column `colour` is not read",
        ]
    );
}

#[test]
fn a_version_that_ends_before_it_begins_is_an_inconsistency_and_hides_none() {
    let reference = fixture::reference_data(&[(
        "ref_customer.csv",
        "customer_id,class_id,valid_from,valid_to\n\
         C1,A,2026-01-01T00:00:00Z,2026-06-01T00:00:00Z\n\
         C1,B,2026-02-01T00:00:00Z,2026-02-01T00:00:00Z\n\
         C1,C,2026-03-01T00:00:00Z,2026-02-01T00:00:00Z\n\
         C1,D,2026-06-01T00:00:00Z,2026-07-01T00:00:00Z\n\
         C2,A,2026-01-01T00:00:00Z,\n\
         C2,B,2026-02-01T00:00:00Z,2026-03-01T00:00:00Z\n\
         C2,C,2026-04-01T00:00:00Z,\n",
    )]);
    let found: Vec<_> = reference
        .inconsistencies()
        .iter()
        .map(Problem::to_string)
        .collect();
    let never = "column=valid_to: is not after valid_from: the version is never in force; correct or remove it";
    let overlaps =
        "column=valid_from: begins while the version of line 6 is in force; end that one first";
    assert_eq!(
        found,
        [
            format!("ref_customer.csv:3: {never}"),
            format!("ref_customer.csv:4: {never}"),
            format!("ref_customer.csv:7: {overlaps}"),
            format!("ref_customer.csv:8: {overlaps}"),
        ]
    );
    let march = TimestampMs::from_ms(1_772_323_200_000);
    assert_eq!(*reference.customer("C1", march).class_id, *"A");
}

#[test]
fn parquet_and_csv_give_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let csv = fixture::reference_data(&[("ref_customer.csv", CUSTOMERS)]);
    let (_, batch) = csv.tables().next().unwrap();
    let file = fs::File::create(folder.path().join("ref_customer.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    let parquet = ReferenceData::load(folder.path()).unwrap();
    assert_eq!(parquet.tables().next().unwrap().1, batch);
    assert_eq!(parquet.customer("C1", day(0)), csv.customer("C1", day(0)));
}

/// Written by DuckDB.
const STAFF: &[u8] = include_bytes!("tests/ref_staff.parquet");

#[test]
fn f4_a_parquet_file_at_which_its_reader_panics_is_named() {
    let staff = fixture::load(&[("ref_staff.parquet", STAFF)]).unwrap();
    assert_eq!(staff.tables().next().unwrap().1.num_rows(), 17);
    let mut damaged = STAFF.to_vec();
    damaged[372] = 0;
    let error = fixture::load(&[("ref_staff.parquet", damaged)])
        .err()
        .unwrap();
    let problems: Vec<String> = error.problems().iter().map(Problem::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let begin = "ref_staff.parquet: is damaged, reading it broke down (";
    assert!(problems[0].starts_with(begin), "{problems:?}");
}

#[test]
fn f4_a_parquet_file_with_a_wrong_byte_anywhere_is_read_or_named() {
    let skus = "sku_id,brand_id,is_key_brand,launch_date\nS1,B1,true,2026-01-05\nS2,B1,false,\n";
    let csv = fixture::reference_data(&[("ref_sku.csv", skus)]);
    let (_, batch) = csv.tables().next().unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    let mut named = 0;
    for at in 0..bytes.len() {
        for wrong in [0x00, 0x01, 0x7f, bytes[at] ^ 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] = wrong;
            if let Err(error) = fixture::load(&[("ref_sku.parquet", damaged)]) {
                let of_file = |problem: &Problem| problem.file == "ref_sku.parquet";
                let problems = error.problems();
                assert!(
                    !problems.is_empty() && problems.iter().all(of_file),
                    "byte={at} value={wrong}: {error}"
                );
                named += 1;
            }
        }
    }
    assert!(named > bytes.len() / 4, "{named} of {}", bytes.len());
}

#[test]
fn a_missing_folder_is_an_error_and_without_files_every_dimension_is_unknown() {
    let error = ReferenceData::load(Path::new("/nowhere/ref"))
        .err()
        .unwrap();
    assert!(error.to_string().contains("/nowhere/ref"), "{error}");
    assert!(!ReferenceData::empty().customer("C1", day(0)).is_known);
    assert_eq!(ReferenceData::empty().as_of(day(0)).unwrap().len(), 5);
}

#[test]
fn calendar_days_are_read_and_their_kinds_are_checked() {
    let days = "date,day_kind,name\n2027-10-01,DAY_OFF,National Day\n2027-10-09,MAKE_UP,\n";
    let reference = fixture::reference_data(&[("ref_calendar.csv", days)]);
    let rows = reference.calendar_rows();
    assert_eq!(rows.len(), 2);
    let calendar = schemas::calendar::Calendar::empty(chrono_tz::Asia::Shanghai)
        .with_rows(rows.iter().cloned());
    assert!(calendar.is_holiday(rows[0].date).unwrap());
    assert!(calendar.is_working_day(rows[1].date).unwrap());
    let found = broken(&[(
        "ref_calendar.csv",
        "date,day_kind,name\n2027-10-01,HOLIDAY,\n",
    )]);
    let expected =
        "ref_calendar.csv:2: column=day_kind: `HOLIDAY` is none of WORKING, DAY_OFF, MAKE_UP";
    assert_eq!(found, [expected]);
}

#[test]
fn simulated_reference_data_are_consistent() {
    let folder = tempfile::tempdir().unwrap();
    let plan = simulator::Plan {
        customers: 50,
        ..Default::default()
    };
    simulator::write_reference(&plan, folder.path()).unwrap();
    let reference = ReferenceData::load(folder.path()).unwrap();
    assert_eq!(reference.inconsistencies(), []);
    assert_eq!(reference.warnings(), []);
    let names: Vec<_> = reference.tables().map(|(name, _)| name).collect();
    let all_but_calendar = TABLES.iter().map(|table| table.name);
    let mut expected: Vec<_> = all_but_calendar.filter(|name| *name != CALENDAR).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

/// K42 allows them, in events too; whoever looks at the two texts sees one.
#[test]
fn k42_blanks_around_an_id_are_kept_and_said() {
    let reference = fixture::reference_data(&[(
        "ref_customer.csv",
        "customer_id,status\nC1,ACTIVE\n\" C2\",ACTIVE\n\"C3\u{3000}\",ACTIVE\n",
    )]);
    let found = reference.inconsistencies();
    let found: Vec<_> = found.iter().map(Problem::to_string).collect();
    assert_eq!(
        found,
        [
            "ref_customer.csv:3: column=customer_id: ` C2` has blanks around it: another id than without",
            "ref_customer.csv:4: column=customer_id: `C3\u{3000}` has blanks around it: another id than without",
        ]
    );
}
