//! Code in guides, taken from files that are compiled and run.
//!
//! A line `<!-- code: path/to/file.rs#name -->` in a page under `docs/` stands before a fenced
//! block; the block is what stands in that file between `// region: name` and `// endregion`.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::source;

const MARKER: &str = "<!-- code: ";

/// The page with every block brought up to date.
pub fn filled(page: &str, root: &Path) -> anyhow::Result<String> {
    let mut out = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(target) = line.strip_prefix(MARKER).and_then(|rest| rest.strip_suffix(" -->"))
        else {
            continue;
        };
        let (file, name) =
            target.split_once('#').with_context(|| format!("{target}: no region is named"))?;
        let code = region(&source::read(&root.join(file))?, name)
            .with_context(|| format!("{file} has no region {name}"))?;
        if !lines.next().is_some_and(|fence| fence.starts_with("```")) {
            bail!("{target}: no code block follows");
        }
        for old in lines.by_ref() {
            if old == "```" {
                break;
            }
        }
        out.push_str("```rust,ignore\n");
        out.push_str(&code);
        out.push_str("```\n");
    }
    Ok(out)
}

/// The lines of a region, moved to the left margin.
fn region(source: &str, name: &str) -> Option<String> {
    let start = format!("// region: {name}");
    let lines: Vec<&str> = source
        .lines()
        .skip_while(|line| line.trim() != start)
        .skip(1)
        .take_while(|line| line.trim() != "// endregion")
        .collect();
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()?;
    let mut code = String::new();
    for line in lines {
        code.push_str(line.get(indent..).unwrap_or(""));
        code.push('\n');
    }
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_cut_out_and_moved_left() {
        let source =
            "a\n    // region: one\n    fn f() {\n\n        g()\n    }\n    // endregion\nb\n";

        assert_eq!(region(source, "one").as_deref(), Some("fn f() {\n\n    g()\n}\n"));
        assert_eq!(region(source, "two"), None);
    }
}
