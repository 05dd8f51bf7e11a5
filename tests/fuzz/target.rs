//! What a target is.

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::mutate::Random;

/// Files, variables or texts that make one case.
pub(crate) type Input = Vec<Part>;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Part {
    pub(crate) fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
        }
    }

    /// The bytes as text, as far as they are.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    /// An error in words, as it should be.
    Refused,
    /// What holds for every input did not hold.
    Broken(String),
}

/// Draws inputs and tries them.
pub(crate) trait Target {
    /// A case. The same randomness gives the same one.
    fn draw(&self, random: &mut Random) -> Result<Input>;

    /// Tries it. An error means that it could not be tried, which ends the run.
    fn check(&mut self, input: &Input) -> Result<Outcome>;

    /// Whether a panic that is caught before `check` returns is no finding: what is tried has to catch those of a library.
    fn may_catch_panics(&self) -> bool {
        false
    }
}

/// The targets by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TargetName {
    Decode,
    EventFiles,
    Reference,
    Config,
    Sql,
    #[value(hide = true)]
    Control,
}

impl TargetName {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::EventFiles => "event-files",
            Self::Reference => "reference",
            Self::Config => "config",
            Self::Sql => "sql",
            Self::Control => "control",
        }
    }

    /// Prepares what the cases of a target share.
    pub(crate) fn open(self) -> Result<Box<dyn Target>> {
        Ok(match self {
            Self::Decode => Box::new(crate::decode::Decode::new()?),
            Self::EventFiles => Box::new(crate::event_files::EventFiles::new()?),
            Self::Reference => Box::new(crate::reference::Reference),
            Self::Config => Box::new(crate::config::Config::new()?),
            Self::Sql => Box::new(crate::sql::Sql::new()?),
            Self::Control => Box::new(crate::control::Control),
        })
    }
}
