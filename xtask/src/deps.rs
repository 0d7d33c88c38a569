//! `cargo xtask deps`: which crate of the workspace may know which, as one table that is checked
//! against the manifests.
//!
//! Only direct dependencies are looked at: what a crate can name is what it knows.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::workspace_root;

/// What one crate may depend on.
struct Layer {
    name: &'static str,
    /// The crates of the workspace it may use.
    internal: &'static [&'static str],
    /// The crates from outside it must not use; a final `*` stands for any ending.
    banned: &'static [&'static str],
    /// Whether its tests may use a backend crate.
    tests_with_backends: bool,
}

const LAYERS: &[Layer] = &[
    Layer {
        name: "ff-types",
        internal: &[],
        banned: &["tokio", "async-trait", "futures*", "fred"],
        tests_with_backends: false,
    },
    Layer {
        name: "ff-engine",
        internal: &["ff-types"],
        banned: &["fred", "hyper", "axum", "reqwest"],
        tests_with_backends: false,
    },
    Layer {
        name: "ff-backend-mem",
        internal: &["ff-types", "ff-engine"],
        banned: &["fred", "hyper"],
        tests_with_backends: false,
    },
    Layer {
        name: "ff-backend-valkey",
        internal: &["ff-types", "ff-engine"],
        banned: &["hyper", "axum", "reqwest"],
        // The embedded engine is the oracle of its histories.
        tests_with_backends: true,
    },
    Layer {
        name: "ff-connect",
        internal: &["ff-types", "ff-engine", "ff-backend-mem", "ff-backend-valkey"],
        banned: &["fred", "hyper"],
        tests_with_backends: true,
    },
    Layer {
        name: "ff-valkey-server",
        internal: &[],
        banned: &["tokio", "fred", "hyper"],
        tests_with_backends: false,
    },
    Layer {
        name: "ff-conformance",
        internal: &["ff-types", "ff-engine"],
        banned: &["fred"],
        tests_with_backends: false,
    },
    Layer {
        name: "ff-sdk",
        internal: &["ff-types", "ff-engine"],
        banned: &[],
        tests_with_backends: true,
    },
];

/// The developer tool, which may use anything and which nothing may use.
const DEV_TOOL: &str = "xtask";
const BACKEND_PREFIX: &str = "ff-backend-";

/// One direct dependency of a crate of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The crate that declares it.
    pub from: String,
    /// The crate it names.
    pub to: String,
    /// Whether `to` is a crate of the workspace.
    pub is_internal: bool,
    /// Whether it is for tests, examples and benchmarks only.
    pub is_dev: bool,
}

/// Checks the manifests and prints what breaks the table.
pub fn run() -> anyhow::Result<ExitCode> {
    let found = check(&workspace_root())?;
    for violation in &found {
        println!("{violation}");
    }
    if found.is_empty() {
        println!("dependencies point the right way");
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}

/// What breaks the table in the workspace at `root`, a sentence each.
pub fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("running cargo metadata")?;
    let members: Vec<String> =
        metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    let dependencies: Vec<_> = metadata
        .workspace_packages()
        .iter()
        .flat_map(|package| {
            package.dependencies.iter().map(|dependency| Dependency {
                from: package.name.to_string(),
                is_internal: members.contains(&dependency.name),
                to: dependency.name.clone(),
                is_dev: dependency.kind == DependencyKind::Development,
            })
        })
        .collect();
    Ok(violations(&members, &dependencies))
}

/// What breaks the table, a sentence each.
pub fn violations(members: &[String], dependencies: &[Dependency]) -> Vec<String> {
    let unknown = members
        .iter()
        .filter(|name| *name != DEV_TOOL && layer(name).is_none())
        .map(|name| format!("{name} has no row in the dependency table"));
    unknown.chain(dependencies.iter().filter_map(violation)).collect()
}

fn violation(dependency: &Dependency) -> Option<String> {
    let Dependency { from, to, is_internal, is_dev } = dependency;
    if from == DEV_TOOL {
        return None;
    }
    if to == DEV_TOOL {
        return Some(format!("{from} must not depend on {to}: nothing does"));
    }
    let layer = layer(from)?;
    match (is_internal, is_dev) {
        (true, true) if to.starts_with(BACKEND_PREFIX) && to != from => (!layer
            .tests_with_backends)
            .then(|| format!("{from} must not depend on {to}, not even in tests")),
        (true, false) if !layer.internal.contains(&to.as_str()) => {
            Some(format!("{from} must not depend on {to}"))
        }
        (false, false) if layer.banned.iter().any(|pattern| matches(pattern, to)) => {
            Some(format!("{from} must not depend on {to}"))
        }
        _ => None,
    }
}

fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn internal(from: &str, to: &str, is_dev: bool) -> Dependency {
        Dependency { from: from.into(), to: to.into(), is_internal: true, is_dev }
    }

    fn external(from: &str, to: &str, is_dev: bool) -> Dependency {
        Dependency { from: from.into(), to: to.into(), is_internal: false, is_dev }
    }

    #[test]
    fn the_intended_direction_is_allowed() {
        let dependencies = [
            internal("ff-engine", "ff-types", false),
            internal("ff-sdk", "ff-engine", false),
            internal("ff-sdk", "ff-backend-mem", true),
            internal("ff-backend-mem", "ff-conformance", true),
            internal("xtask", "ff-backend-mem", false),
            external("ff-engine", "futures-core", false),
            external("ff-types", "tokio", true),
        ];

        assert_eq!(violations(&[], &dependencies), Vec::<String>::new());
    }

    #[test]
    fn every_other_direction_is_named() {
        let dependencies = [
            internal("ff-types", "ff-engine", false),
            internal("ff-sdk", "ff-backend-mem", false),
            internal("ff-conformance", "ff-backend-mem", true),
            internal("ff-sdk", "xtask", true),
            external("ff-types", "futures-core", false),
            external("ff-engine", "hyper", false),
        ];

        assert_eq!(
            violations(&["ff-new".into(), "xtask".into()], &dependencies),
            [
                "ff-new has no row in the dependency table",
                "ff-types must not depend on ff-engine",
                "ff-sdk must not depend on ff-backend-mem",
                "ff-conformance must not depend on ff-backend-mem, not even in tests",
                "ff-sdk must not depend on xtask: nothing does",
                "ff-types must not depend on futures-core",
                "ff-engine must not depend on hyper",
            ]
        );
    }
}
