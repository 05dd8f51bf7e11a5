//! vitrine.toml and environment: `vitrine check` ends with 0, 1 or 2 and says why, and never repeats a secret (F31).

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use tempfile::TempDir;
use tests::vitrine::{self, Vitrine};

use crate::mutate::{self, Random};
use crate::target::{Input, Outcome, Part, Target};

/// What must be in no output.
const CANARIES: [&str; 2] = ["Hush7Canary", "867530912345"];

const FILE: &str = "vitrine.toml";
const SECRET_FILE: &str = "desk.secret";

/// Lines that hold a secret. They are taken as they are: moved into the value of another key, it would be no secret.
const SECRETS: [(&str, &str); 9] = [
    (
        "source",
        r#"properties = { "security.protocol" = "SASL_SSL", "sasl.username" = "u", "sasl.password" = "Hush7Canary" }"#,
    ),
    (
        "source",
        r#"properties = { "sasl.password" = 867530912345, "ssl.key.password" = ["Hush7Canary"] }"#,
    ),
    ("source", r#"properties = { "sasl.password" = "Hush7Canary"#),
    (
        "source",
        r#"properties = { "ssl.key.pem" = "Hush7Canary", "no.such.key" = "x" }"#,
    ),
    (
        "storage",
        r#"url = "s3://id:Hush7Canary@bucket/x?sig=867530912345""#,
    ),
    (
        "alerts",
        r#"webhooks = [{ name = "desk", url = "https://u:Hush7Canary@hooks.example.com/x?key=867530912345", secret_file = "desk.secret" }]"#,
    ),
    (
        "alerts",
        r#"webhooks = [{ name = "desk", url = "http://hooks.example.com/Hush7Canary", secret_file = "desk.secret" }]"#,
    ),
    (
        "alerts",
        r#"webhooks = [{ name = "desk", url = "https://hooks.example.com/x", secret_file = "desk.secret", rules = ["A99"] }]"#,
    ),
    (
        "alerts",
        r#"webhooks = [{ name = "desk", url = "https://hooks.example.com/x", secret = "Hush7Canary" }]"#,
    ),
];

/// The same in a configuration that nothing is wrong with.
const ACCEPTED_SECRETS: [(&str, &str); 2] = [
    (
        "source",
        r#"properties = { "sasl.username" = "u", "sasl.password" = "Hush7Canary" }"#,
    ),
    (
        "alerts",
        r#"webhooks = [{ name = "desk", url = "https://hooks.example.com/Hush7Canary?key=867530912345", secret_file = "desk.secret" }]"#,
    ),
];

/// Contents of the file of a webhook's secret; the first one is accepted.
const SECRET_FILES: [&str; 5] = [
    "whsec_SHVzaDdDYW5hcnktSHVzaDdDYW5hcnktSHVzaDdDYW5hcnk=\n",
    "whsec_Hush7Canary\n",
    "Hush7Canary",
    "whsec_\u{feff}Hush7Canary\nHush7Canary",
    "",
];

const ENVIRONMENT_SECRETS: [(&str, &str); 3] = [
    (
        "VITRINE__SOURCE__PROPERTIES",
        r#"{"sasl.password"="Hush7Canary"}"#,
    ),
    (
        "VITRINE__SOURCE__PROPERTIES",
        r#"{"sasl.password"="Hush7Canary"#,
    ),
    ("VITRINE__STORAGE__URL", "s3://id:Hush7Canary@bucket/x"),
];

const VALUES: [&str; 28] = [
    "\"\"",
    "\"soon\"",
    "\"1s\"",
    "\"-1s\"",
    "\"584942417355y\"",
    "\"18446744073709551615s\"",
    "\"0ns\"",
    "\"1TiB\"",
    "\"99999999999999999999B\"",
    "\"0B\"",
    "\"0750\"",
    "\"7777\"",
    "\"files\"",
    "\"any\"",
    "\"UTC\"",
    "\"Asia/Shanghai\"",
    "\"Mars/Olympus\"",
    "\"file:///\"",
    "\"orders.v1\"",
    "0",
    "-1",
    "18446744073709551616",
    "nan",
    "inf",
    "true",
    "[]",
    "{}",
    "1979-05-27T07:32:00Z",
];

const PUNCTUATION: [&str; 14] = [
    "[", "]", "[[", "{", "}", "=", ".", ",", "#", "\"", "'", "\\", "\u{0}", "\u{feff}",
];

/// See the module's page.
pub(crate) struct Config {
    /// Section and line of every key, as the example has them.
    lines: Vec<(String, String)>,
    dictionary: Vec<String>,
}

impl Config {
    pub(crate) fn new() -> Result<Self> {
        // Built or named before the first case.
        vitrine::binary()?;
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/vitrine.example.toml");
        let text = fs::read_to_string(example)?;
        let mut section = String::new();
        let mut lines = Vec::new();
        for line in text
            .lines()
            .map(|line| line.split(" #").next().unwrap_or(line).trim())
        {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']').trim().to_owned();
            } else if line.contains('=') && !line.starts_with('#') {
                lines.push((section.clone(), line.to_owned()));
            }
        }
        let words = VALUES.into_iter().chain(PUNCTUATION).map(str::to_owned);
        let keys = lines.iter().filter_map(|(_, line)| line.split(' ').next());
        let dictionary = words.chain(keys.map(str::to_owned)).collect();
        Ok(Self { lines, dictionary })
    }

    /// A line as it is, with another value, or with other tokens.
    fn line(&self, line: &str, random: &mut Random) -> String {
        let other = self.lines.choose(random);
        let other = other.map_or("", |(_, line)| line.as_str());
        let changed = match random.random_range(0..10) {
            0..6 => line.to_owned(),
            6 | 7 => {
                let key = line.split('=').next().unwrap_or(line);
                let value = VALUES.choose(random).copied().unwrap_or_default();
                format!("{key}= {value}")
            }
            8 => {
                let mut bytes = line.as_bytes().to_vec();
                mutate::bytes(&mut bytes, &PUNCTUATION, random);
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => mutate::text(line, other, &self.dictionary, random),
        };
        on_one_line(changed)
    }

    /// A file with these lines and some of the others, which are damaged or not.
    fn file(&self, secrets: &[(&str, &str)], is_damaged: bool, random: &mut Random) -> String {
        let mut lines: Vec<(&str, String)> = Vec::new();
        for (section, line) in &self.lines {
            // A key stands once in its section.
            let is_given = secrets.iter().any(|(of, secret)| {
                of == section && secret.split('=').next() == line.split('=').next()
            });
            if random.random_bool(0.3) && (is_damaged || !is_given) {
                let line = if is_damaged {
                    self.line(line, random)
                } else {
                    line.clone()
                };
                lines.push((section, line));
            }
        }
        lines.extend(
            secrets
                .iter()
                .map(|(section, line)| (*section, (*line).to_owned())),
        );
        let mut sections: Vec<&str> = lines.iter().map(|(section, _)| *section).collect();
        sections.sort_unstable();
        sections.dedup();
        sections.shuffle(random);
        let mut text = String::new();
        for section in sections {
            let header = format!("[{section}]");
            if !is_damaged || random.random_bool(0.95) {
                text += &header;
            } else {
                text += &on_one_line(mutate::text(
                    &header,
                    "[time.orders]",
                    &self.dictionary,
                    random,
                ));
            }
            text.push('\n');
            for (_, line) in lines.iter().filter(|(of, _)| *of == section) {
                text += line;
                text.push('\n');
            }
        }
        text
    }

    fn variable(&self, random: &mut Random) -> Part {
        let Some((section, line)) = self.lines.choose(random) else {
            return Part::new("VITRINE__", "");
        };
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let section = section.replace('.', "__");
        let mut name = format!("VITRINE__{section}__{}", key.trim()).to_uppercase();
        if random.random_bool(0.2) {
            let position = random.random_range("VITRINE__".len()..=name.len());
            name.insert_str(position, "__");
        }
        let value = match random.random_range(0..3) {
            0 => value.trim().trim_matches('"').to_owned(),
            1 => VALUES
                .choose(random)
                .copied()
                .unwrap_or_default()
                .to_owned(),
            _ => self.line(value, random),
        };
        Part::new(name, value.replace('\0', ""))
    }
}

/// Without line ends, and without what opens a text of several lines: it would take the secret of the next one into it.
fn on_one_line(mut text: String) -> String {
    text = text.replace(['\n', '\r'], " ");
    while let Some(quotes) = ["\"\"\"", "'''"]
        .into_iter()
        .find(|quotes| text.contains(quotes))
    {
        text = text.replace(quotes, "");
    }
    text
}

impl Target for Config {
    fn draw(&self, random: &mut Random) -> Result<Input> {
        if random.random_bool(0.4) {
            return Ok(vec![
                Part::new(FILE, self.file(&ACCEPTED_SECRETS, false, random)),
                Part::new(SECRET_FILE, SECRET_FILES[0]),
            ]);
        }
        let mut secrets = Vec::new();
        for section in ["source", "storage", "alerts"] {
            let of_section: Vec<_> = SECRETS.iter().filter(|(of, _)| *of == section).collect();
            if random.random_bool(0.5) {
                secrets.extend(of_section.choose(random).map(|secret| **secret));
            }
        }
        let content = SECRET_FILES.choose(random).copied().unwrap_or_default();
        let mut input = vec![
            Part::new(FILE, self.file(&secrets, true, random)),
            Part::new(SECRET_FILE, content),
        ];
        if random.random_bool(0.2) {
            let (name, value) = ENVIRONMENT_SECRETS
                .choose(random)
                .copied()
                .unwrap_or_default();
            input.push(Part::new(name, value));
        }
        for _ in 0..random.random_range(0..3) {
            input.push(self.variable(random));
        }
        Ok(input)
    }

    fn check(&mut self, input: &Input) -> Result<Outcome> {
        let folder = TempDir::new()?;
        let mut environment = Vec::new();
        for part in input {
            if [FILE, SECRET_FILE].contains(&part.name.as_str()) {
                let secret = folder.path().join(SECRET_FILE);
                let secret = secret.to_str().context("the folder's name is not UTF-8")?;
                let text = part
                    .text()
                    .replace(&format!("\"{SECRET_FILE}\""), &format!("{secret:?}"));
                fs::write(folder.path().join(&part.name), text)?;
            } else {
                environment.push((part.name.as_str(), part.text()));
            }
        }
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let file = folder.path().join(FILE);
        let file = file.to_str().context("the folder's name is not UTF-8")?;
        let started = Vitrine::start(["--config", file, "check"], &environment)?;
        let ended = match started.wait(Duration::from_secs(50)) {
            Ok(ended) => ended,
            Err(error) => return Ok(Outcome::Broken(format!("{error:#}"))),
        };
        let said = [ended.stdout.as_str(), ended.stderr.as_str()].concat();
        let problem = if said.contains("panicked") {
            "it panicked".to_owned()
        } else if let Some(canary) = CANARIES.into_iter().find(|canary| said.contains(canary)) {
            format!("it repeats the secret {canary}")
        } else {
            match ended.code() {
                Some(0) => return Ok(Outcome::Accepted),
                Some(1 | 2) if said.contains("vitrine: ") => return Ok(Outcome::Refused),
                code => format!("it ends with {code:?}"),
            }
        };
        Ok(Outcome::Broken(format!("{problem}\n{said}")))
    }
}
