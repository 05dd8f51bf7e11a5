//! An input that broke something, as a file that can be tried again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::target::{Input, Part, TargetName};

/// See the module's page.
pub(crate) struct Finding {
    pub(crate) target: TargetName,
    pub(crate) seed: u64,
    pub(crate) case: u64,
    /// What did not hold.
    pub(crate) problem: String,
    pub(crate) input: Input,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    target: TargetName,
    seed: u64,
    case: u64,
    problem: String,
    input: Vec<StoredPart>,
}

#[derive(Serialize, Deserialize)]
struct StoredPart {
    name: String,
    #[serde(flatten)]
    content: Content,
}

/// Bytes as text where they are text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Text(String),
    Base64(String),
}

impl Finding {
    /// Writes it into a folder; the path of its file.
    pub(crate) fn save(self, folder: &Path) -> Result<PathBuf> {
        let file = format!("{}-{}-{}.json", self.target.as_str(), self.seed, self.case);
        let stored = Stored {
            target: self.target,
            seed: self.seed,
            case: self.case,
            problem: self.problem,
            input: self.input.into_iter().map(stored).collect(),
        };
        let path = folder.join(file);
        fs::write(&path, serde_json::to_string_pretty(&stored)?)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let stored: Stored = serde_json::from_slice(&text)?;
        let input = stored.input.into_iter().map(loaded);
        Ok(Self {
            target: stored.target,
            seed: stored.seed,
            case: stored.case,
            problem: stored.problem,
            input: input.collect::<Result<_>>()?,
        })
    }
}

fn stored(part: Part) -> StoredPart {
    let content = match String::from_utf8(part.bytes) {
        Ok(text) => Content::Text(text),
        Err(error) => Content::Base64(STANDARD.encode(error.as_bytes())),
    };
    StoredPart {
        name: part.name,
        content,
    }
}

fn loaded(part: StoredPart) -> Result<Part> {
    let bytes = match part.content {
        Content::Text(text) => text.into_bytes(),
        Content::Base64(text) => STANDARD.decode(text)?,
    };
    Ok(Part {
        name: part.name,
        bytes,
    })
}
