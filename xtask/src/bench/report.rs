//! Medians and spreads, as a table and as JSON.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::machine::Machine;

/// What several runs measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Figure {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Figure {
    /// The figure of at least one run.
    pub(super) fn of(mut runs: Vec<f64>) -> Self {
        runs.sort_by(f64::total_cmp);
        let (least, most) = (runs[0], runs[runs.len() - 1]);
        Self { median: runs[runs.len() / 2], least, most }
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} ({:.0}–{:.0})", self.median, self.least, self.most)
    }
}

/// A finished bench.
#[derive(Debug, Serialize)]
pub(super) struct Report<R> {
    pub(super) bench: &'static str,
    pub(super) backend: String,
    pub(super) machine: Machine,
    pub(super) runs: usize,
    pub(super) rows: Vec<R>,
}

impl<R: Serialize> Report<R> {
    /// Writes the report as JSON.
    pub(super) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}
