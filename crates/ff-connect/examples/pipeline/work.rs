//! The handlers of the four kinds of nodes.

use std::fs;
use std::path::Path;

use ff_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::graph::{self, Read, Walk};
use crate::walk;

/// What a file holds, or some files together.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) files: u32,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// Files without a result.
    pub(crate) missing: u32,
}

/// The sum over files of one kind.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sum {
    pub(crate) kind: String,
    pub(crate) count: Count,
}

pub(crate) fn handlers() -> Handlers {
    Handlers::new()
        .handler(graph::WALK, find)
        .handler(graph::FILE, read)
        .handler(graph::SUM, sum)
        .handler(graph::REPORT, report)
}

/// Adds a node for each file, once, even when this worker dies after that.
async fn find(task: ClaimedTask, input: Walk) -> Result<usize, TaskError> {
    let dir = input.dir.clone();
    let finding = tokio::task::spawn_blocking(move || walk::files_below(Path::new(&dir)));
    let files = finding.await?.permanent()?;
    let found = files.len();
    if found > 0 {
        let more = graph::extension(&input, files, task.lane().as_str());
        task.extend_flow("files", &more).await?;
    }
    Ok(found)
}

#[expect(clippy::naive_bytecount, reason = "fast enough, and no dependency")]
async fn read(_task: ClaimedTask, input: Read) -> Result<Count, TaskError> {
    if input.is_broken {
        return Err(TaskError::permanent("broken on purpose"));
    }
    let reading = tokio::task::spawn_blocking(move || fs::read(input.path));
    // A file that cannot be read now will not be readable in a second.
    let content = reading.await?.permanent()?;
    let lines = content.iter().filter(|byte| **byte == b'\n').count() as u64;
    Ok(Count { files: 1, lines, bytes: content.len() as u64, missing: 0 })
}

async fn sum(task: ClaimedTask, kind: String) -> Result<Sum, TaskError> {
    let mut count = Count::default();
    let mut files = task.parents();
    while let Some(file) = files.next().await? {
        if file.is_completed() {
            let of_file: Count = file.json()?;
            count.files += of_file.files;
            count.lines += of_file.lines;
            count.bytes += of_file.bytes;
        } else {
            count.missing += 1;
        }
    }
    Ok(Sum { kind, count })
}

/// All sums. Its first parent is the walk, whose result is no sum.
async fn report(task: ClaimedTask, (): ()) -> Result<Vec<Sum>, TaskError> {
    let mut sums = Vec::new();
    for parent in task.parents().await? {
        if parent.is_completed() && parent.key.as_str() != graph::WALK {
            sums.push(parent.json()?);
        }
    }
    Ok(sums)
}
