//! Medians and spreads, as a table and as JSON.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use super::Common;
use super::machine::{Machine, versions};

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

    /// What `measure` says of each run.
    pub(super) fn each<R>(runs: &[R], measure: impl Fn(&R) -> f64) -> Self {
        Self::of(runs.iter().map(measure).collect())
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(0);
        let Self { median, least, most } = self;
        write!(f, "{median:.digits$} ({least:.digits$}–{most:.digits$})")
    }
}

/// The value below which `percent` of the values lie; of at least one value.
pub(super) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted[rank.max(1) - 1]
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]
pub(super) fn real(count: u64) -> f64 {
    count as f64
}

/// Times of one run: all is submitted, then all is worked off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) submit: Duration,
    pub(super) drain: Duration,
}

/// What one system took in all runs.
pub(super) struct Measured {
    pub(super) system: String,
    pub(super) tasks: usize,
    pub(super) runs: Vec<Times>,
}

impl Measured {
    pub(super) fn rate(&self, time: impl Fn(&Times) -> Duration) -> Vec<f64> {
        self.runs.iter().map(|run| real(self.tasks as u64) / time(run).as_secs_f64()).collect()
    }

    pub(super) fn drains(&self) -> Vec<f64> {
        self.rate(|run| run.drain)
    }

    pub(super) fn wholes(&self) -> Vec<f64> {
        self.rate(|run| run.submit + run.drain)
    }
}

/// The ratio of each run to the one beside it.
pub(super) fn ratio(ours: &[f64], theirs: &[f64]) -> Figure {
    Figure::of(ours.iter().zip(theirs).map(|(one, other)| one / other).collect())
}

/// A bench that is measured.
#[derive(Debug, Serialize)]
pub(super) struct Report<R> {
    bench: &'static str,
    backend: String,
    machine: Machine,
    versions: BTreeMap<&'static str, String>,
    seed: u64,
    runs: usize,
    pub(super) rows: Vec<R>,
    ratios: BTreeMap<String, Figure>,
}

impl<R: Serialize> Report<R> {
    /// Says what is about to be measured, and where. `server` is the server's version.
    pub(super) fn new(
        bench: &'static str,
        backend: &str,
        server: Option<String>,
        common: &Common,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(common.runs > 0, "runs start at 1");
        let (machine, versions) = (Machine::here(), versions(server));
        println!("## {bench}, {backend}\n\n{machine}");
        for (name, version) in &versions {
            println!("{name} {version}");
        }
        println!("median (least–most) of {} runs, seed {}\n", common.runs, common.seed);
        Ok(Self {
            bench,
            backend: backend.to_owned(),
            machine,
            versions,
            seed: common.seed,
            runs: common.runs,
            rows: Vec::new(),
            ratios: BTreeMap::new(),
        })
    }

    /// Adds what one figure is of another one of the same invocation, or of a target.
    pub(super) fn ratio(&mut self, name: impl Into<String>, ratio: Figure) {
        self.ratios.insert(name.into(), ratio);
    }

    /// Adds the version of something that was measured beside.
    pub(super) fn version(&mut self, name: &'static str, version: String) {
        self.versions.insert(name, version);
    }

    /// Prints the ratios, and writes the report where `--json` says.
    pub(super) fn finish(self, common: &Common) -> anyhow::Result<ExitCode> {
        if !self.ratios.is_empty() {
            println!("\n| ratio | |\n|:--|--:|");
            for (name, ratio) in &self.ratios {
                println!("| {name} | {ratio:.2} |");
            }
        }
        println!();
        if let Some(file) = &common.json {
            let mut text = serde_json::to_string_pretty(&self)?;
            text.push('\n');
            std::fs::write(file, text)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
