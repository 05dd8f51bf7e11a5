//! The folder a demo leaves: configuration, reference data, events, storage.

use std::path::{Path, PathBuf};
use std::{fs, path};

use anyhow::Context;

use super::super::Usage;
use crate::config::{self, Config};

/// `DIR` of `vitrine demo --dir`.
pub struct DemoFolder {
    /// As the caller named it; the commands that are printed use it.
    named: PathBuf,
    absolute: PathBuf,
}

impl DemoFolder {
    /// Makes the folder. One that holds anything is refused: the event files in it belong to what its storage has read.
    pub fn make(named: &Path) -> anyhow::Result<Self> {
        let context = || format!("the demo's folder cannot be made dir={}", named.display());
        fs::create_dir_all(named).with_context(context)?;
        if fs::read_dir(named).with_context(context)?.next().is_some() {
            return Err(Usage(format!(
                "dir={} is not empty, perhaps an earlier demo: name another folder with --dir, or remove this one",
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
    pub fn config_file(&self) -> PathBuf {
        self.named.join("vitrine.toml")
    }

    pub fn events(&self) -> PathBuf {
        self.absolute.join("events")
    }

    pub fn reference(&self) -> PathBuf {
        self.absolute.join("ref")
    }

    /// Writes the configuration and reads it back, so that the demo runs under what later commands will find.
    ///
    /// A live demo publishes and revises sooner than a service would: somebody is watching.
    pub fn configure(&self, is_live: bool) -> anyhow::Result<Config> {
        let pace = match is_live {
            true => "interval = \"5s\"\nrevise_every = \"30s\"\n",
            false => "interval = \"10s\"\n",
        };
        let storage = format!("file://{}", self.absolute.join("storage").display());
        let text = format!(
            "# Written by `vitrine demo`. Try:\n\
             #   vitrine --config {file} sql\n\
             \n\
             [source]\n\
             # The demo's events came through a broker inside its process; it kept them as files, which every command reads.\n\
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
            events = toml_text(&self.events().display().to_string()),
            storage = toml_text(&storage),
            reference = toml_text(&self.reference().display().to_string()),
        );
        let file = self.config_file();
        fs::write(&file, text)
            .with_context(|| format!("configuration cannot be written file={}", file.display()))?;
        Ok(config::load(Some(&file))?)
    }
}

fn toml_text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::SourceKind;

    #[test]
    fn a_folder_with_anything_in_it_is_refused_and_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("demo");
        assert!(DemoFolder::make(&dir).is_ok());
        assert!(
            DemoFolder::make(&dir).is_ok(),
            "an empty one is as good as none"
        );
        fs::write(dir.join("notes"), "mine").unwrap();
        let error = DemoFolder::make(&dir).err().unwrap();
        assert!(error.downcast_ref::<Usage>().is_some(), "{error}");
        assert!(error.to_string().contains("--dir"), "{error}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn later_commands_read_what_the_demo_ran_under() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a \"quoted\" folder");
        let folder = DemoFolder::make(&dir).unwrap();
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
