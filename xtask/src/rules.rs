//! Pairs the rules that the engine's docs cite with the cases of the conformance suite.
//!
//! A doc comment cites a rule by its name in brackets, in a code span: `` `[area.rule]` ``. Fenced
//! code blocks cite nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::cases::CaseFile;
use crate::source;

/// Where rules are cited, seen from the workspace root.
pub const CITING_FOLDER: &str = "crates/ff-engine/src";

/// Every rule cited under [`CITING_FOLDER`] of the workspace at `root`, with the first file that
/// cites it.
pub fn cited(root: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut cited = BTreeMap::new();
    for path in source::rust_files(&root.join(CITING_FOLDER))? {
        let shown = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
        for rule in cited_in(&source::read(&path)?) {
            cited.entry(rule).or_insert_with(|| shown.clone());
        }
    }
    Ok(cited)
}

/// The rules that the doc comments of the source `text` cite.
pub fn cited_in(text: &str) -> BTreeSet<String> {
    let mut rules = BTreeSet::new();
    let mut in_fence = false;
    for line in text.lines() {
        let Some(doc) = doc_line(line) else {
            in_fence = false;
            continue;
        };
        if doc.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence {
            // Between backticks lies every second piece.
            rules.extend(doc.split('`').skip(1).step_by(2).flat_map(bracketed_rules));
        }
    }
    rules
}

/// A sentence for every rule that only one of docs and suite knows.
pub fn unpaired(cited: &BTreeMap<String, PathBuf>, files: &[CaseFile]) -> Vec<String> {
    let cases: BTreeMap<&str, &Path> = files
        .iter()
        .flat_map(|file| file.rules.iter().map(|rule| (rule.name.as_str(), file.path.as_path())))
        .collect();
    let without_case = cited
        .iter()
        .filter(|(rule, _)| !cases.contains_key(rule.as_str()))
        .map(|(rule, path)| format!("{}: [{rule}] has no conformance case", path.display()));
    let without_citation = cases
        .iter()
        .filter(|(rule, _)| !cited.contains_key(**rule))
        .map(|(rule, path)| format!("{}: no engine doc cites [{rule}]", path.display()));
    without_case.chain(without_citation).collect()
}

fn doc_line(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///")
        .filter(|rest| !rest.starts_with('/'))
        .or_else(|| line.strip_prefix("//!"))
}

fn bracketed_rules(span: &str) -> impl Iterator<Item = String> {
    span.split('[')
        .skip(1)
        .filter_map(|piece| piece.split_once(']'))
        .filter(|(name, _)| is_rule(name))
        .map(|(name, _)| name.to_owned())
}

fn is_rule(name: &str) -> bool {
    let Some((area, rule)) = name.split_once('.') else {
        return false;
    };
    let word = |text: &str, digits: bool| {
        !text.is_empty()
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte == b'_' || (digits && byte.is_ascii_digit())
            })
    };
    word(area, false) && word(rule, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Rule;

    #[test]
    fn rules_are_cited_in_code_spans_of_doc_comments() {
        let text = r"
            //! The file's own `[file.rule]`.
            /// Never revived: [`StateKind::StaleLease`] `[lease.renew_never_revives]`, and two in
            /// one span `[lease.a, b] [lease.two_2]`.
            // A plain comment `[lease.plain]`.
            //// Not a doc comment `[lease.four]`.
            /// Without a span [lease.bare]; no rule: `[Lease.upper]`, `[lease]`, `[a.b.c]`, `[l1.a]`.
            /// ```
            /// let example = `[lease.fenced]`;
            /// ```
            /// After the block `[lease.after]`.
            fn f() {}
        ";

        let rules: Vec<_> = cited_in(text).into_iter().collect();

        assert_eq!(rules, ["file.rule", "lease.after", "lease.renew_never_revives", "lease.two_2"]);
    }

    #[test]
    fn a_rule_needs_both_a_citation_and_a_case() {
        let cited = BTreeMap::from([
            ("lease.both".to_owned(), PathBuf::from("engine.rs")),
            ("lease.cited".to_owned(), PathBuf::from("engine.rs")),
        ]);
        let rule = |name: &str| Rule { name: name.into(), sentence: "It holds.".into() };
        let file = CaseFile {
            area: "lease".into(),
            path: "lease.rs".into(),
            intro: String::new(),
            rules: vec![rule("lease.both"), rule("lease.tested")],
            registry: None,
        };

        assert_eq!(
            unpaired(&cited, &[file]),
            [
                "engine.rs: [lease.cited] has no conformance case",
                "lease.rs: no engine doc cites [lease.tested]",
            ]
        );
    }
}
