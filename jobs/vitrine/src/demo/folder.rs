//! The folder of a demo: configuration, reference data, events, storage.

use std::path::{Path, PathBuf};
use std::{fs, path};

use anyhow::Context;

use crate::config::{self, Config};
use crate::exit::CommandError;

/// `DIR` of `vitrine demo --dir`.
pub(super) struct DemoFolder {
    /// As the caller named it; printed commands use this path.
    named: PathBuf,
    absolute: PathBuf,
}

impl DemoFolder {
    /// Creates the folder. One that is not empty is refused: its event files belong to its storage.
    pub(super) fn create(named: &Path) -> anyhow::Result<Self> {
        let context = || {
            format!(
                "the folder of the demo cannot be created dir={}",
                named.display()
            )
        };
        fs::create_dir_all(named).with_context(context)?;
        if fs::read_dir(named).with_context(context)?.next().is_some() {
            return Err(CommandError::Usage(format!(
                "dir={} is not empty, perhaps from an earlier demo: name another folder with --dir, or remove this one",
                named.display()
            ))
            .into());
        }
        Ok(Self {
            named: named.to_owned(),
            absolute: path::absolute(named).with_context(context)?,
        })
    }

    /// The configuration file, as the caller would name it.
    pub(super) fn config_file(&self) -> PathBuf {
        self.named.join("vitrine.toml")
    }

    pub(super) fn events(&self) -> PathBuf {
        self.absolute.join("events")
    }

    pub(super) fn reference(&self) -> PathBuf {
        self.absolute.join("ref")
    }

    /// Writes the configuration and reads it back, so that the demo runs with the configuration of later commands.
    ///
    /// A live demo publishes and revises more often than a service, because somebody is watching.
    pub(super) fn configure(&self, is_live: bool) -> anyhow::Result<Config> {
        let pace = if is_live {
            "interval = \"5s\"\nrevise_every = \"30s\"\n"
        } else {
            "interval = \"10s\"\n"
        };
        let storage = format!("file://{}", self.absolute.join("storage").display());
        let text = format!(
            "# Written by `vitrine demo`. Try:\n\
             #   vitrine --config {file} sql\n\
             \n\
             [source]\n\
             # The events came through a broker inside the process of the demo, which also wrote them to files.\n\
             kind = \"files\"\n\
             dir = {events}\n\
             \n\
             [storage]\n\
             url = {storage}\n\
             \n\
             [reference]\n\
             dir = {reference}\n\
             \n\
             [epoch]\n\
             {pace}",
            file = self.config_file().display(),
            events = toml_string(&self.events().display().to_string()),
            storage = toml_string(&storage),
            reference = toml_string(&self.reference().display().to_string()),
        );
        let file = self.config_file();
        fs::write(&file, text)
            .with_context(|| format!("configuration cannot be written file={}", file.display()))?;
        Ok(config::load(Some(&file))?)
    }
}

fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::SourceKind;

    #[test]
    fn a_folder_that_is_not_empty_is_refused_and_not_changed() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("demo");
        assert!(DemoFolder::create(&dir).is_ok());
        assert!(
            DemoFolder::create(&dir).is_ok(),
            "an empty folder is accepted"
        );
        fs::write(dir.join("notes"), "mine").unwrap();
        let error = DemoFolder::create(&dir).err().unwrap();
        let is_usage = matches!(error.downcast_ref(), Some(CommandError::Usage(_)));
        assert!(is_usage, "{error}");
        assert!(error.to_string().contains("--dir"), "{error}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn later_commands_read_the_configuration_of_the_demo() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a \"quoted\" folder");
        let folder = DemoFolder::create(&dir).unwrap();
        let config = folder.configure(true).unwrap();
        assert_eq!(config.source.kind, SourceKind::Files);
        assert_eq!(config.source.dir, dir.join("events"));
        assert_eq!(config.reference.dir, dir.join("ref"));
        assert_eq!(
            config.storage.url,
            format!("file://{}/storage", dir.display())
        );
        let again = config::load(Some(&folder.config_file())).unwrap();
        assert_eq!(again.epoch.revise_every, config.epoch.revise_every);
        assert!(config.epoch.revise_every < Config::default().epoch.revise_every);
    }
}
