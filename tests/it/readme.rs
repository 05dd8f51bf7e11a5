//! The README held to its word: its questions asked as a reader would, its tests and files looked for.

use tempfile::TempDir;
use tests::PATIENCE;
use tests::vitrine;

use crate::tree::{self, top};

fn readme() -> &'static str {
    &tree::texts()["README.md"]
}

fn questions() -> Vec<String> {
    readme()
        .split("```sql\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_question_of_the_readme_has_an_answer() {
    let folder = TempDir::new().unwrap();
    let events = folder.path().join("events");
    let args = ["simulate", "--days", "14", "--out"].map(str::to_owned);
    let out = [events.display().to_string()];
    vitrine::run(args.iter().chain(&out), &[], PATIENCE)
        .unwrap()
        .success()
        .unwrap();

    let storage = format!("file://{}", folder.path().join("storage").display());
    let reference = events.join("ref").display().to_string();
    let configured = [
        ("VITRINE__SOURCE__KIND", "files"),
        ("VITRINE__SOURCE__DIR", out[0].as_str()),
        ("VITRINE__STORAGE__URL", storage.as_str()),
        ("VITRINE__REFERENCE__DIR", reference.as_str()),
    ];
    vitrine::run(["run", "--drain"], &configured, PATIENCE)
        .unwrap()
        .success()
        .unwrap();

    let questions = questions();
    assert!(questions.len() >= 3, "README asks {}", questions.len());
    for question in questions {
        let answer = vitrine::run(
            ["sql", question.as_str(), "--format", "ndjson"],
            &configured,
            PATIENCE,
        )
        .unwrap()
        .success()
        .unwrap();
        let rows = answer.stdout.lines().count();
        assert!(rows > 0, "no rows: {question}");
    }
}

#[test]
fn the_readme_names_what_is_there() {
    let text = readme();
    let (_, proof) = text.split_once("| claim | test |").unwrap();
    let (proof, _) = proof.split_once("\n## ").unwrap();
    let mut seen = 0;
    for row in proof.lines().skip(2).filter(|row| !row.is_empty()) {
        let tests = row.rsplit('|').nth(1).unwrap();
        for name in tests.split('`').skip(1).step_by(2) {
            seen += 1;
            if name.contains('/') {
                assert!(top().join(name).is_file(), "{name} is no file");
            } else {
                assert!(tree::test_names().contains(name), "no test {name}");
            }
        }
    }
    assert!(seen >= 10, "the table names {seen} tests");

    let links = text.split("](").skip(1);
    for link in links.map(|rest| rest.split(')').next().unwrap()) {
        assert!(
            link.starts_with("https://") || top().join(link).exists(),
            "{link} leads nowhere"
        );
    }
}
