//! A bench of parts: what each measured in every run, as rows and ratios.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Common;
use super::report::{Figure, Report, percentile};
use super::rig::{Rig, block_on};

#[derive(Debug, Serialize)]
pub(super) struct Row {
    what: String,
    unit: &'static str,
    figure: Figure,
    /// What the figure is made of; of several runs that differ, all.
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

/// What one run of a part found.
#[derive(Default)]
pub(super) struct Found {
    figures: Vec<Measure>,
    ratios: Vec<(String, f64)>,
}

pub(super) struct Measure {
    what: String,
    unit: &'static str,
    value: f64,
    note: String,
}

impl Found {
    pub(super) fn add(&mut self, what: impl Into<String>, unit: &'static str, value: f64) {
        self.noted(what, unit, value, String::new());
    }

    pub(super) fn noted(
        &mut self,
        what: impl Into<String>,
        unit: &'static str,
        value: f64,
        note: String,
    ) {
        self.figures.push(Measure { what: what.into(), unit, value, note });
    }

    /// Adds the middle and the slow end of some milliseconds.
    pub(super) fn spread(&mut self, what: &str, millis: &[f64]) {
        for percent in [50, 99] {
            self.add(format!("{what}, p{percent}"), "ms", percentile(millis, percent));
        }
    }

    pub(super) fn ratio(&mut self, name: impl Into<String>, ratio: f64) {
        self.ratios.push((name.into(), ratio));
    }
}

/// Measures one part in each run, and prints it.
pub(super) fn part(
    report: &mut Report<Row>,
    common: &Common,
    measure: &impl AsyncFn(&Rig) -> anyhow::Result<Found>,
) -> anyhow::Result<()> {
    part_on(Rig::start, report, common, measure)
}

/// The same, on servers that are started in another way.
pub(super) fn part_on(
    start: impl Fn(u64, usize) -> anyhow::Result<Rig>,
    report: &mut Report<Row>,
    common: &Common,
    measure: &impl AsyncFn(&Rig) -> anyhow::Result<Found>,
) -> anyhow::Result<()> {
    let mut runs: Vec<Found> = Vec::new();
    for run in 0..common.runs {
        let rig = start(common.seed, run)?;
        runs.push(block_on(measure(&rig))?);
    }
    for (index, first) in runs[0].figures.iter().enumerate() {
        let notes: BTreeSet<_> = runs.iter().map(|run| run.figures[index].note.as_str()).collect();
        let row = Row {
            what: first.what.clone(),
            unit: first.unit,
            figure: Figure::each(&runs, |run| run.figures[index].value),
            note: notes.into_iter().collect::<Vec<_>>().join(" / "),
        };
        println!("| {} | {} | {} | {} |", row.what, shown(&row.figure), row.unit, row.note);
        report.rows.push(row);
    }
    for (index, (name, _)) in runs[0].ratios.iter().enumerate() {
        report.ratio(name, Figure::each(&runs, |run| run.ratios[index].1));
    }
    Ok(())
}

/// Small figures have digits behind the point.
fn shown(figure: &Figure) -> String {
    if figure.median < 100.0 { format!("{figure:.2}") } else { figure.to_string() }
}
