//! Finds source files that grew past the length a reader takes in. A warning, not an error: where
//! to split is a decision.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// A file with more lines than this wants a split.
pub const MAX_LINES: usize = 500;

/// One sentence for every Rust file under version control that has more than [`MAX_LINES`] lines.
///
/// Outside a git work tree nothing is tracked, which is the one sentence then.
pub fn warnings(root: &Path) -> anyhow::Result<Vec<String>> {
    let Some(files) = tracked_rust_files(root)? else {
        return Ok(vec!["file lengths not checked: not a git work tree".to_owned()]);
    };
    let mut found = Vec::new();
    for file in files {
        // A file that was deleted is tracked until the deletion is staged.
        if let Ok(text) = std::fs::read_to_string(root.join(&file)) {
            found.extend(warning(&file, &text));
        }
    }
    Ok(found)
}

fn warning(file: &Path, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MAX_LINES)
        .then(|| format!("{} has {lines} lines, more than {MAX_LINES}", file.display()))
}

fn tracked_rust_files(root: &Path) -> anyhow::Result<Option<Vec<PathBuf>>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--", "*.rs"])
        .current_dir(root)
        .output()
        .context("running git ls-files")?;
    if !output.status.success() {
        return Ok(None);
    }
    let names = String::from_utf8(output.stdout).context("reading git ls-files")?;
    Ok(Some(names.split_terminator('\0').map(PathBuf::from).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_past_the_limit_is_named() {
        let file = Path::new("src/lib.rs");

        assert_eq!(warning(file, &"line\n".repeat(MAX_LINES)), None);
        assert_eq!(
            warning(file, &"line\n".repeat(MAX_LINES + 1)).as_deref(),
            Some("src/lib.rs has 501 lines, more than 500")
        );
    }
}
