//! Finding the files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Directories that hold nothing anyone wrote.
const SKIPPED: [&str; 2] = [".git", "target"];

/// Every regular file below `dir`, sorted. Links are not followed.
pub(crate) fn regular_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_file() {
                files.push(entry.path());
            } else if kind.is_dir() && !SKIPPED.iter().any(|name| entry.file_name() == *name) {
                left.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
