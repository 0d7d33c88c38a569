//! The Lua sources: which modules there are and what each requires.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

/// All files under `lua/`, by the name that `require` takes.
pub(super) struct Sources {
    /// `lib/`: shared modules.
    pub(super) modules: BTreeMap<String, String>,
    /// `fn/`: one function a file.
    pub(super) functions: BTreeMap<String, String>,
    /// `testing/`: what the test bundle has in place of modules of the same name.
    pub(super) testing: BTreeMap<String, String>,
}

impl Sources {
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            modules: files(&folder.join("lib"))?,
            functions: files(&folder.join("fn"))?,
            testing: files(&folder.join("testing"))?,
        })
    }

    /// The modules of a bundle in an order in which each comes behind what it requires.
    pub(super) fn ordered(&self, testing: bool) -> anyhow::Result<Vec<(&str, &str)>> {
        let mut order = Vec::new();
        for name in self.modules.keys() {
            self.visit(name, testing, &mut Vec::new(), &mut order)?;
        }
        Ok(order)
    }

    fn visit<'s>(
        &'s self,
        name: &str,
        testing: bool,
        path: &mut Vec<String>,
        order: &mut Vec<(&'s str, &'s str)>,
    ) -> anyhow::Result<()> {
        if order.iter().any(|(known, _)| *known == name) || name == LIBRARY {
            return Ok(());
        }
        ensure!(
            !path.iter().any(|step| step == name),
            "modules require each other: {} -> {name}",
            path.join(" -> ")
        );
        let (key, mut text) = self.modules.get_key_value(name).with_context(|| {
            format!("{} requires {name}, which is no module", path.join(" -> "))
        })?;
        if let Some(other) = self.testing.get(name).filter(|_| testing) {
            text = other;
        }
        path.push(name.to_owned());
        for needed in requires(text)? {
            self.visit(needed, testing, path, order)?;
        }
        path.pop();
        order.push((key, text));
        Ok(())
    }
}

/// The module whose content the bundler makes: protocol and hash.
pub(super) const LIBRARY: &str = "library";

/// The modules that a file requires. Only the form `local name = require("name")` is known.
pub(super) fn requires(text: &str) -> anyhow::Result<Vec<&str>> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| line.contains("require(")) {
        match required(line) {
            Some(name) => found.push(name),
            None => bail!("not of the form `local name = require(\"name\")`: {line}"),
        }
    }
    Ok(found)
}

/// The module that a line requires, when it is a line that does.
pub(super) fn required(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix("local ")?.split_once(" = require(\"")?;
    rest.strip_suffix("\")").filter(|module| *module == name)
}

fn files(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "lua") {
            let name = path.file_stem().and_then(|stem| stem.to_str()).context("a file name")?;
            files.insert(name.to_owned(), std::fs::read_to_string(&path)?);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(modules: &[(&str, &str)]) -> Sources {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Sources {
            modules: modules.iter().map(own).collect(),
            functions: BTreeMap::new(),
            testing: BTreeMap::new(),
        }
    }

    #[test]
    fn a_module_comes_behind_what_it_requires() {
        let sources = sources(&[("a", "local b = require(\"b\")"), ("b", "")]);
        let order: Vec<_> = sources.ordered(false).unwrap().iter().map(|(name, _)| *name).collect();
        assert_eq!(order, ["b", "a"]);
    }

    #[test]
    fn a_circle_is_named() {
        let sources =
            sources(&[("a", "local b = require(\"b\")"), ("b", "local a = require(\"a\")")]);
        let error = sources.ordered(false).unwrap_err().to_string();
        assert_eq!(error, "modules require each other: a -> b -> a");
    }
}
