#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;

#[tokio::test]
async fn every_part_lists_its_problems() {
    let dir = tempfile::tempdir().unwrap();
    let reference = dir.path().join("ref");
    fs::create_dir(&reference).unwrap();
    fs::write(
        reference.join("ref_customer.csv"),
        "customer_id,valid_from\nC1,yesterday\n",
    )
    .unwrap();
    let file = dir.path().join("vitrine.toml");
    let text = format!(
        "[source]\nkind = \"files\"\ndir = \"/nowhere\"\ngrup = \"g\"\n[reference]\ndir = {reference:?}\n\
         [[alerts.webhooks]]\nname = \"w\"\nurl = \"https://example.com\"\nsecret_file = \"/nowhere\"\nrules = [\"A99\"]\n"
    );
    fs::write(&file, text).unwrap();
    let parts = check(Some(&file)).await;
    let lines: Vec<String> = parts.iter().flat_map(CheckedPart::lines).collect();
    for piece in [
        "[source] grup: unknown key; nearest known key: group",
        "[source] dir: there is no folder \"/nowhere\"",
        "ref_customer.csv",
        "[alerts] webhooks name=w: there is no rule=A99",
        "metrics: ok (",
        "SLA steps: ok (",
        "tables: ok (",
    ] {
        assert!(
            lines.iter().any(|line| line.contains(piece)),
            "{piece}: {lines:#?}"
        );
    }
}

#[tokio::test]
async fn the_defaults_have_no_problem() {
    for part in check(None).await {
        assert!(part.problems.is_empty(), "{part:?}");
        assert!(part.lines()[0].contains(": ok ("), "{part:?}");
    }
}

#[test]
fn inconsistent_reference_data_are_warnings() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("ref_customer.csv"),
        "customer_id,territory_id\nC1,T9\n",
    )
    .unwrap();
    fs::write(dir.path().join("ref_territory.csv"), "territory_id\nT1\n").unwrap();
    let (part, _) = parts::reference_data(dir.path());
    assert!(part.problems.is_empty(), "{part:?}");
    assert_eq!(part.warnings.len(), 1, "{part:?}");
    assert!(part.warnings[0].ends_with("`T9` is not in ref_territory.csv"));
}
