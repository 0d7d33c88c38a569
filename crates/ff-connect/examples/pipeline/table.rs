//! What is shown at the end.

use std::io::Write;

use ff_sdk::prelude::*;

use crate::Failure;
use crate::graph::REPORT;
use crate::work::{Count, Sum};

/// The report, if there is one, and how the flow ended.
pub(crate) async fn print(out: &mut impl Write, end: &FlowEnd) -> Result<(), Failure> {
    match end.result::<Vec<Sum>>(REPORT).await {
        Ok(sums) => rows(out, &sums)?,
        Err(ResultError::Engine(error)) => return Err(error.into()),
        Err(other) => writeln!(out, "there is no report: {other}")?,
    }
    let view = end.describe().await?;
    let counts = view.counts.iter().map(|(state, count)| format!("{count} {state}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    writeln!(out, "the flow is {}: {} nodes, {counts}", end.state(), view.summary.nodes)?;
    if let Some(cancel) = view.cancel {
        writeln!(out, "the rest was cancelled: {}", cancel.reason)?;
    }
    Ok(())
}

fn rows(out: &mut impl Write, sums: &[Sum]) -> std::io::Result<()> {
    writeln!(out, "{:>8} {:>9} {:>12} {:>8}  kind", "files", "lines", "bytes", "missing")?;
    let mut total = Count::default();
    for Sum { kind, count } in sums {
        row(out, count, kind)?;
        total.files += count.files;
        total.lines += count.lines;
        total.bytes += count.bytes;
        total.missing += count.missing;
    }
    row(out, &total, "total")
}

fn row(out: &mut impl Write, count: &Count, name: &str) -> std::io::Result<()> {
    let Count { files, lines, bytes, missing } = count;
    writeln!(out, "{files:>8} {lines:>9} {bytes:>12} {missing:>8}  {name}")
}
