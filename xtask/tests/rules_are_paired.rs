//! What the engine's docs promise and what the conformance suite tests are the same set of rules.

use xtask::{cases, rules, workspace_root};

#[test]
fn every_cited_rule_has_a_case_and_every_case_is_cited() {
    let root = workspace_root();

    let unpaired = rules::unpaired(&rules::cited(&root).unwrap(), &cases::read_all(&root).unwrap());

    assert!(unpaired.is_empty(), "{}", unpaired.join("\n"));
}

#[test]
fn every_case_is_documented_and_listed() {
    let problems: Vec<_> = cases::read_all(&workspace_root())
        .unwrap()
        .iter()
        .flat_map(cases::CaseFile::problems)
        .collect();

    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
