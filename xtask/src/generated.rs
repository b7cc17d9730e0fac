//! Files that are generated: written, or compared with what is there.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};

use crate::workspace;

/// What a task generates.
#[derive(Debug)]
pub(crate) struct Generated {
    /// What it is called by, to have it written anew.
    task: &'static str,
    /// The folders that hold its files and nothing else.
    folders: &'static [&'static str],
    /// By their paths from the workspace's root.
    files: BTreeMap<String, String>,
}

/// How what is there differs from what is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    Missing,
    Stale,
    Extra,
}

impl Generated {
    pub(crate) fn new(task: &'static str, folders: &'static [&'static str]) -> Self {
        Self { task, folders, files: BTreeMap::new() }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// Where there is one of that name.
    pub(crate) fn add(&mut self, path: String, contents: String) -> anyhow::Result<()> {
        ensure!(!self.files.contains_key(&path), "{path} is generated twice");
        self.files.insert(path, contents);
        Ok(())
    }

    /// Writes what is missing or stale, removes what is too much, and says so.
    ///
    /// # Errors
    /// Where a file cannot be read, written or removed.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let differences = self.differences()?;
        for (path, difference) in &differences {
            let file = workspace::root().join(path);
            match self.files.get(path) {
                Some(contents) => {
                    if let Some(folder) = file.parent() {
                        std::fs::create_dir_all(folder)
                            .with_context(|| format!("cannot make {}", folder.display()))?;
                    }
                    std::fs::write(&file, contents).with_context(|| format!("cannot write {path}"))?;
                }
                None => std::fs::remove_file(&file).with_context(|| format!("cannot remove {path}"))?,
            }
            println!("{difference:?}: {path}");
        }
        println!("{} generated files, {} of them changed", self.files.len(), differences.len());
        Ok(())
    }

    /// Compares with what is there, and says how many files there are.
    ///
    /// # Errors
    /// Where a file is stale, missing or too much.
    pub(crate) fn check(&self) -> anyhow::Result<usize> {
        let differences = self.differences()?;
        if !differences.is_empty() {
            let named: Vec<_> =
                differences.iter().map(|(path, difference)| format!("  {difference:?}: {path}")).collect();
            bail!(
                "generated files differ from what is there; run `{}` and commit:\n{}",
                self.task,
                named.join("\n")
            );
        }
        Ok(self.files.len())
    }

    fn differences(&self) -> anyhow::Result<Vec<(String, Difference)>> {
        let root = workspace::root();
        let mut found = Vec::new();
        for (path, contents) in &self.files {
            match std::fs::read(root.join(path)) {
                Ok(there) if there == contents.as_bytes() => {}
                Ok(_) => found.push((path.clone(), Difference::Stale)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    found.push((path.clone(), Difference::Missing));
                }
                Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
            }
        }
        for folder in self.folders {
            for path in workspace::files_under(&root.join(folder))? {
                let path = workspace::relative(&path);
                if !self.files.contains_key(&path) {
                    found.push((path, Difference::Extra));
                }
            }
        }
        Ok(found)
    }
}
