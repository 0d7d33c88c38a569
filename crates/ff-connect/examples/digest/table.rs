//! What is shown at the end.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use ff_sdk::prelude::*;

use crate::digest::Digest;

/// One file: what it holds, or why it could not be read.
pub(crate) struct Row {
    pub(crate) id: ExecutionId,
    pub(crate) path: PathBuf,
    pub(crate) result: Result<Digest, String>,
}

/// All files.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Whether each execution and each path is in it exactly once, and nothing else.
    pub(crate) fn is_complete(&self, ids: &[ExecutionId]) -> bool {
        let expected: BTreeSet<_> = ids.iter().copied().collect();
        let shown: BTreeSet<_> = self.rows.iter().map(|row| row.id).collect();
        let paths: BTreeSet<_> = self.rows.iter().map(|row| &row.path).collect();
        self.rows.len() == ids.len()
            && expected.len() == ids.len()
            && shown == expected
            && paths.len() == ids.len()
    }

    /// How many files a second worker had to read.
    pub(crate) fn reclaimed(&self) -> usize {
        self.digests().filter(|digest| digest.reclaims > 0).count()
    }

    /// The rows by path, then the totals.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{:>12} {:>9}  {:64}  path", "bytes", "lines", "sha256")?;
        for Row { path, result, .. } in &self.rows {
            let path = path.display();
            match result {
                Ok(Digest { bytes, lines, sha256, .. }) => {
                    writeln!(out, "{bytes:>12} {lines:>9}  {sha256}  {path}")?;
                }
                Err(message) => {
                    writeln!(out, "{:>12} {:>9}  {message:64}  {path}", "-", "-")?;
                }
            }
        }
        let bytes: u64 = self.digests().map(|digest| digest.bytes).sum();
        let lines: u64 = self.digests().map(|digest| digest.lines).sum();
        let read = self.digests().count();
        let unreadable = self.rows.len() - read;
        writeln!(out, "{bytes:>12} {lines:>9}  total of {read} files, {unreadable} unreadable")
    }

    fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.rows.iter().filter_map(|row| row.result.as_ref().ok())
    }
}
