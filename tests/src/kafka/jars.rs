//! The broker's jars, from Maven Central, fetched once.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;

const POM: &str = include_str!("../../pom.xml");

/// Class path of the broker that `pom.xml` names.
pub(super) fn class_path() -> Result<OsString> {
    let version = POM
        .split_once("<kafka.version>")
        .and_then(|(_, rest)| rest.split_once('<'))
        .map(|(version, _)| version)
        .context("pom.xml names no kafka.version")?;
    let folder = cache::folder("vitrine-kafka")?;
    let jars = folder.join(version);
    let _held = cache::lock(&folder)?;
    if !jars.is_dir() {
        let partial = folder.join(format!("{version}.partial"));
        let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("pom.xml");
        cache::run(
            Command::new("mvn")
                .args(["-q", "-B", "-f"])
                .arg(pom)
                .arg("dependency:copy-dependencies")
                .arg(format!("-DoutputDirectory={}", partial.display())),
        )?;
        fs::rename(&partial, &jars)?;
    }
    Ok(jars.join("*").into_os_string())
}
