//! The graph: what is known before the walk, and what the walk adds.
//!
//! ```text
//! walk ─┬─> file:a.rs ──> sum:rs ──┬─> report
//!       ├─> file:b.rs ──────┘      │
//!       └─> file:c.md ──> sum:md ──┘
//! ```
//!
//! A sum is made whatever becomes of its files, and so is the report: those edges are `always`. A file
//! that fails is taken by nobody, and fails the flow.

use std::collections::BTreeMap;

use ff_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::args::Args;

pub(crate) const WALK: &str = "walk";
pub(crate) const FILE: &str = "file";
pub(crate) const SUM: &str = "sum";
pub(crate) const REPORT: &str = "report";

/// What the walk is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Walk {
    pub(crate) dir: String,
    pub(crate) broken: Option<String>,
}

/// What a file's node is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Read {
    pub(crate) path: String,
    pub(crate) is_broken: bool,
}

/// The flow before the walk.
pub(crate) fn flow(args: &Args, lane: &str) -> Flow {
    let dir = args.dir.to_string_lossy().into_owned();
    let walk = Walk { dir, broken: args.broken.clone() };
    let mut flow = if args.fail_fast { Flow::new().fail_fast() } else { Flow::new() };
    flow.node(WALK, Job::new(WALK, &walk).lane(lane));
    flow.node(REPORT, Job::new(REPORT, &()).lane(lane)).after([WALK]);
    flow
}

/// What these files add to it.
pub(crate) fn extension(walk: &Walk, files: Vec<String>, lane: &str) -> Extension {
    let mut more = Extension::new();
    let mut by_kind: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, index) in files.into_iter().zip(0..) {
        let key = file_key(&path, index);
        by_kind.entry(kind_of(&path)).or_default().push(key.clone());
        let is_broken = walk.broken.as_ref() == Some(&path);
        let path = format!("{}/{path}", walk.dir);
        more.node(key, Job::new(FILE, &Read { path, is_broken }).lane(lane)).after([WALK]);
    }
    for (kind, files) in by_kind {
        let sum = format!("{SUM}:{kind}");
        let mut node = more.node(&sum, Job::new(SUM, &kind).lane(lane));
        for file in files {
            node = node.always_after(file);
        }
        more.edges_into(REPORT).always_after(sum);
    }
    more
}

/// A path may have letters that a key may not, and any length; the index makes it unique then.
fn file_key(path: &str, index: u32) -> String {
    const LONGEST: usize = 100;
    if path.len() <= LONGEST && path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return format!("{FILE}:{path}");
    }
    format!("{FILE}:#{index}")
}

fn kind_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    let is_plain = |ending: &&str| {
        (1..=20).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    ending.filter(is_plain).unwrap_or("other").to_lowercase()
}
