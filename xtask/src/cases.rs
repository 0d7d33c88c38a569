//! Reads the conformance cases from their sources.
//!
//! `cases/<area>.rs` holds one `async fn <rule>(fx: Fixture) -> CaseResult` per rule, whose doc
//! comment is the rule in a sentence, and one list `const CASES` made by
//! `cases!["<area>": rule_a, rule_b]`. A function that borrows its fixture is a helper, not a case.
//! An area with many rules is a folder of such files, `cases/<area>/<theme>.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;

use crate::source;

/// Where the case files lie, seen from the workspace root.
pub const CASES_FOLDER: &str = "crates/ff-conformance/src/cases";

/// One case file: an area and its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFile {
    /// The area, which is the name of the file, or of the folder that it is a part of.
    pub area: String,
    /// The file, seen from the workspace root.
    pub path: PathBuf,
    /// What the file says of itself, in one paragraph; may be empty.
    pub intro: String,
    /// The rules, in source order.
    pub rules: Vec<Rule>,
    /// The list that makes the cases run, where there is one.
    pub registry: Option<Registry>,
}

/// One rule: a case function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `<area>.<function>`.
    pub name: String,
    /// The first paragraph of the doc comment; empty where there is none.
    pub sentence: String,
}

/// The `cases!` list of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// The area it names.
    pub area: String,
    /// The functions it names, in order.
    pub functions: Vec<String>,
}

impl CaseFile {
    /// What is wrong with the file, a sentence each: rules without a doc comment, and functions
    /// and list that do not name the same cases.
    pub fn problems(&self) -> Vec<String> {
        let path = self.path.display();
        let mut problems = Vec::new();

        for rule in &self.rules {
            if rule.sentence.is_empty() {
                problems.push(format!("{path}: {} has no doc comment", rule.name));
            }
        }
        let Some(registry) = &self.registry else {
            problems.push(format!("{path}: no `const CASES` made by `cases![…]`"));
            return problems;
        };
        if registry.area != self.area {
            problems.push(format!("{path}: `cases!` names the area {}", registry.area));
        }
        let mut listed = BTreeSet::new();
        for function in &registry.functions {
            let name = format!("{}.{function}", self.area);
            if !self.rules.iter().any(|rule| rule.name == name) {
                problems.push(format!("{path}: {name} is listed but is not a case function"));
            }
            if !listed.insert(name.clone()) {
                problems.push(format!("{path}: {name} is listed twice"));
            }
        }
        for rule in &self.rules {
            if !listed.contains(&rule.name) {
                problems.push(format!("{path}: {} is not listed in `cases!`", rule.name));
            }
        }
        problems
    }
}

/// Every case file of the workspace at `root`, by area.
pub fn read_all(root: &Path) -> anyhow::Result<Vec<CaseFile>> {
    let mut files = Vec::new();
    for path in source::rust_files(&root.join(CASES_FOLDER))? {
        if path.ends_with("mod.rs") {
            continue;
        }
        let text = source::read(&path)?;
        let shown = path.strip_prefix(root).unwrap_or(&path);
        files.push(parse(shown, &text)?);
    }
    if files.iter().all(|file| file.rules.is_empty()) {
        bail!("no conformance case found under {CASES_FOLDER}");
    }
    files.sort_by(|a, b| (&a.area, &a.path).cmp(&(&b.area, &b.path)));
    Ok(files)
}

/// The case file at `path` with the source `text`.
pub fn parse(path: &Path, text: &str) -> anyhow::Result<CaseFile> {
    let folder = path.parent().filter(|folder| !folder.ends_with("cases"));
    let area = folder
        .and_then(Path::file_name)
        .or_else(|| path.file_stem())
        .and_then(|name| name.to_str())
        .with_context(|| format!("{} does not name an area", path.display()))?;
    let file = syn::parse_file(text).with_context(|| format!("parsing {}", path.display()))?;

    let mut rules = Vec::new();
    let mut registry = None;
    for item in &file.items {
        match item {
            syn::Item::Fn(function) if is_case(&function.sig) => rules.push(Rule {
                name: format!("{area}.{}", function.sig.ident),
                sentence: source::first_paragraph(&source::doc_text(&function.attrs)),
            }),
            syn::Item::Const(item) if item.ident == "CASES" => {
                registry = parse_registry(&item.expr)
                    .with_context(|| format!("parsing CASES in {}", path.display()))?;
            }
            _ => {}
        }
    }
    Ok(CaseFile {
        area: area.to_owned(),
        path: path.to_path_buf(),
        intro: source::first_paragraph(&source::doc_text(&file.attrs)),
        rules,
        registry,
    })
}

fn is_case(signature: &syn::Signature) -> bool {
    let takes_a_fixture = match signature.inputs.first() {
        Some(syn::FnArg::Typed(argument)) => is_named(&argument.ty, "Fixture"),
        _ => false,
    };
    let answers_a_result = match &signature.output {
        syn::ReturnType::Type(_, output) => is_named(output, "CaseResult"),
        syn::ReturnType::Default => false,
    };
    signature.asyncness.is_some()
        && signature.inputs.len() == 1
        && takes_a_fixture
        && answers_a_result
}

fn is_named(ty: &syn::Type, name: &str) -> bool {
    match ty {
        syn::Type::Path(path) => {
            path.path.segments.last().is_some_and(|segment| segment.ident == name)
        }
        _ => false,
    }
}

fn parse_registry(expr: &syn::Expr) -> syn::Result<Option<Registry>> {
    match expr {
        syn::Expr::Reference(reference) => parse_registry(&reference.expr),
        syn::Expr::Macro(call)
            if call.mac.path.segments.last().is_some_and(|segment| segment.ident == "cases") =>
        {
            call.mac.parse_body().map(Some)
        }
        _ => Ok(None),
    }
}

impl Parse for Registry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let area: syn::LitStr = input.parse()?;
        input.parse::<syn::Token![:]>()?;
        let functions = Punctuated::<syn::Ident, syn::Token![,]>::parse_terminated(input)?;
        Ok(Self {
            area: area.value(),
            functions: functions.iter().map(ToString::to_string).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: &str = r#"
        //! Leases: who may write.

        use crate::{CaseResult, Fixture};

        pub(crate) const CASES: &[Case] = &cases!["lease": fenced, renewed,];

        /// A stale holder
        /// is fenced.
        ///
        /// By its epoch.
        pub(crate) async fn fenced(fx: Fixture) -> CaseResult { helper(&fx).await }

        /// A renewal extends the lease.
        async fn renewed(mut fx: crate::Fixture) -> crate::CaseResult { Ok(()) }

        async fn helper(fx: &Fixture) -> CaseResult { Ok(()) }

        fn number() -> u8 { 1 }
    "#;

    fn lease(text: &str) -> CaseFile {
        parse(Path::new("cases/lease.rs"), text).unwrap()
    }

    #[test]
    fn cases_are_told_from_helpers() {
        let file = lease(LEASE);

        assert_eq!(file.area, "lease");
        assert_eq!(file.intro, "Leases: who may write.");
        assert_eq!(
            file.rules,
            [
                Rule { name: "lease.fenced".into(), sentence: "A stale holder is fenced.".into() },
                Rule {
                    name: "lease.renewed".into(),
                    sentence: "A renewal extends the lease.".into()
                },
            ]
        );
        assert_eq!(file.problems(), Vec::<String>::new());
    }

    #[test]
    fn a_folder_is_an_area_of_several_files() {
        let file = parse(Path::new("cases/lease/fences.rs"), LEASE).unwrap();

        assert_eq!(file.area, "lease");
        assert_eq!(file.problems(), Vec::<String>::new());
    }

    #[test]
    fn list_and_functions_must_name_the_same_cases() {
        let file = lease(&LEASE.replace("fenced, renewed,", "fenced, fenced, gone"));

        assert_eq!(
            file.problems(),
            [
                "cases/lease.rs: lease.fenced is listed twice",
                "cases/lease.rs: lease.gone is listed but is not a case function",
                "cases/lease.rs: lease.renewed is not listed in `cases!`",
            ]
        );
    }

    #[test]
    fn area_list_and_doc_comment_are_required() {
        let other_area = lease(&LEASE.replace("\"lease\"", "\"flow\""));
        let no_list = lease("/// Says so.\nasync fn a(fx: Fixture) -> CaseResult { Ok(()) }");
        let no_doc = lease(
            "const CASES: &[Case] = &cases![\"lease\": a];
             async fn a(fx: Fixture) -> CaseResult { Ok(()) }",
        );

        assert_eq!(other_area.problems(), ["cases/lease.rs: `cases!` names the area flow"]);
        assert_eq!(no_list.problems(), ["cases/lease.rs: no `const CASES` made by `cases![…]`"]);
        assert_eq!(no_doc.problems(), ["cases/lease.rs: lease.a has no doc comment"]);
    }

    #[test]
    fn a_malformed_list_is_an_error_that_names_the_file() {
        let error = parse(Path::new("cases/lease.rs"), "const CASES: &[Case] = &cases![fenced];")
            .unwrap_err();

        assert_eq!(error.to_string(), "parsing CASES in cases/lease.rs");
    }
}
