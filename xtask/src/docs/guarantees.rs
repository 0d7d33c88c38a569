//! `guarantees.md`: what every backend holds to, by area, from the conformance cases.

use std::fmt::Write as _;

use super::{cell, without_code_links};
use crate::cases::CaseFile;

/// The page for the case files `files`, in their order; a file without rules is left out.
pub fn render_guarantees(files: &[CaseFile]) -> String {
    let mut page = String::from(
        "# Guarantees\n\n\
         Every rule below is a case of the conformance suite, which every backend passes. The \
         engine's\nAPI documentation cites the rules by name where it promises them.\n",
    );
    let mut area = None;
    for file in files.iter().filter(|file| !file.rules.is_empty()) {
        let path = file.path.to_string_lossy().replace('\\', "/");
        if area != Some(&file.area) {
            let _ = write!(page, "\n## {}\n", file.area);
        }
        area = Some(&file.area);
        page.push('\n');
        if !file.intro.is_empty() {
            let _ = write!(page, "{}\n\n", without_code_links(&file.intro));
        }
        page.push_str("| rule | holds on every backend |\n|---|---|\n");
        for rule in &file.rules {
            let sentence = cell(&without_code_links(&rule.sentence));
            let _ = writeln!(page, "| [`{}`](../../{path}) | {sentence} |", rule.name);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Rule;

    #[test]
    fn each_area_is_a_table_of_linked_rules() {
        let file = |area: &str, intro: &str, rules: Vec<Rule>| CaseFile {
            area: area.into(),
            path: format!("crates/c/src/cases/{area}.rs").into(),
            intro: intro.into(),
            rules,
            registry: None,
        };
        let rule =
            |name: &str, sentence: &str| Rule { name: name.into(), sentence: sentence.into() };

        let page = render_guarantees(&[
            file("empty", "", vec![]),
            file("lease", "Leases.", vec![rule("lease.fenced", "A [`Handle`] | is fenced.")]),
        ]);

        let (_, tables) = page.split_once("\n## ").unwrap();
        assert_eq!(
            tables,
            "lease\n\nLeases.\n\n| rule | holds on every backend |\n|---|---|\n\
             | [`lease.fenced`](../../crates/c/src/cases/lease.rs) | A `Handle` \\| is fenced. |\n"
        );
    }
}
