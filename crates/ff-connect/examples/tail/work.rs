//! The job: the lines of files, written one by one.

use std::path::PathBuf;

use ff_sdk::prelude::*;
use serde::Serialize;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, BufReader};

pub(crate) const KIND: &str = "read";
/// The type of the event that begins a file.
pub(crate) const BEGUN: &str = "file";

/// How far the job is: the summary that it keeps.
#[derive(Serialize)]
struct Progress {
    files: usize,
    lines: usize,
}

/// The handler. Answers how many lines it wrote.
pub(crate) async fn read(task: ClaimedTask, files: Vec<PathBuf>) -> Result<usize, TaskError> {
    let mut lines = 0;
    for (index, path) in files.iter().enumerate() {
        task.emit(BEGUN, path).await?;
        let file = File::open(path).await.permanent()?;
        let mut text = BufReader::new(file).lines();
        while let Some(line) = text.next_line().await.permanent()? {
            task.log(line).await?;
            lines += 1;
        }
        task.update_summary(&Progress { files: index + 1, lines }).await?;
    }
    Ok(lines)
}
