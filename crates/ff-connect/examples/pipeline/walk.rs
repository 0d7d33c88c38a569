//! Finding the files.

use std::fs;
use std::io;
use std::path::Path;

/// Directories that hold nothing anyone wrote.
const SKIPPED: [&str; 2] = [".git", "target"];

/// The paths of all regular files below `dir`, sorted. Links are not followed, and names that are no
/// text are left out.
pub(crate) fn files_below(dir: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut left = vec![(dir.to_owned(), String::new())];
    while let Some((dir, below)) = left.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            if kind.is_file() {
                files.push(format!("{below}{name}"));
            } else if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                left.push((entry.path(), format!("{below}{name}/")));
            }
        }
    }
    files.sort();
    Ok(files)
}
