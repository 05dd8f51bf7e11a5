//! The README's questions, asked as its reader would.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tests::vitrine;

const LIMIT: Duration = Duration::from_secs(120);

fn questions() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(readme).unwrap();
    text.split("```sql\n")
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
    vitrine::run(args.iter().chain(&out), &[], LIMIT)
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
    vitrine::run(["run", "--drain"], &configured, LIMIT)
        .unwrap()
        .success()
        .unwrap();

    let questions = questions();
    assert!(questions.len() >= 3, "README asks {}", questions.len());
    for question in questions {
        let answer = vitrine::run(
            ["sql", question.as_str(), "--format", "ndjson"],
            &configured,
            LIMIT,
        )
        .unwrap()
        .success()
        .unwrap();
        let rows = answer.stdout.lines().count();
        assert!(rows > 0, "no rows: {question}");
    }
}
