//! Reads Rust sources as text and as syntax: files of a folder, doc comments, source text of a node.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use syn::spanned::Spanned;

/// Every `.rs` file under `folder`, at any depth, in the order of their paths.
pub(crate) fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("reading the folder {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The text of the file at `path`; an error names it.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// The doc comment among `attrs`, without comment signs; empty where there is none.
pub(crate) fn doc_text(attrs: &[syn::Attribute]) -> String {
    let lines: Vec<String> = attrs
        .iter()
        .filter(|attr| attr.path().is_ident("doc"))
        .filter_map(|attr| match &attr.meta {
            syn::Meta::NameValue(syn::MetaNameValue {
                value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
                ..
            }) => Some(text.value()),
            _ => None,
        })
        .map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned())
        .collect();
    lines.join("\n").trim().to_owned()
}

/// The first paragraph of `text` on one line.
pub(crate) fn first_paragraph(text: &str) -> String {
    let lines: Vec<_> =
        text.trim().lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ")
}

/// The source of a syntax node on one line.
pub(crate) fn source_text(node: &impl Spanned) -> String {
    let text = node.span().source_text().expect("the node was parsed from a source text");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doc_comment_loses_its_signs_and_keeps_its_paragraphs() {
        let item: syn::ItemFn =
            syn::parse_str("/// One\n/// sentence.\n///\n/// More.\n#[test]\nfn f() {}").unwrap();

        let text = doc_text(&item.attrs);

        assert_eq!(text, "One\nsentence.\n\nMore.");
        assert_eq!(first_paragraph(&text), "One sentence.");
    }

    #[test]
    fn source_text_is_as_written_but_on_one_line() {
        let item: syn::ItemConst = syn::parse_str("const A: usize = 4 *\n    1_024;").unwrap();

        assert_eq!(source_text(&item.expr), "4 * 1_024");
    }

    #[test]
    fn the_files_of_this_crate_are_found() {
        let root = crate::workspace_root().join("xtask");

        let files = rust_files(&root).unwrap();

        assert!(files.contains(&root.join("src/docs/limits.rs")));
        assert!(files.is_sorted());
    }
}
