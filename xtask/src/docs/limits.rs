//! `limits.md`: every bound of the system, from the constants that enforce it.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};

use super::{cell, without_code_links};
use crate::source;

/// The file that holds the limits, seen from the workspace root.
pub const LIMITS_FILE: &str = "crates/ff-types/src/limits.rs";

/// One public constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The constant's name.
    pub name: String,
    /// Its type, as written.
    pub ty: String,
    /// Its value, as written.
    pub value: String,
    /// The first paragraph of its doc comment.
    pub meaning: String,
}

/// The public constants of the source `text`, in source order; to find none is an error.
pub fn parse(text: &str) -> anyhow::Result<Vec<Limit>> {
    let file = syn::parse_file(text).with_context(|| format!("parsing {LIMITS_FILE}"))?;
    let limits: Vec<_> = file
        .items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Const(item) if matches!(item.vis, syn::Visibility::Public(_)) => {
                Some(Limit {
                    name: item.ident.to_string(),
                    ty: source::source_text(&item.ty),
                    value: source::source_text(&item.expr),
                    meaning: source::first_paragraph(&source::doc_text(&item.attrs)),
                })
            }
            _ => None,
        })
        .collect();
    if limits.is_empty() {
        bail!("no public constant found in {LIMITS_FILE}");
    }
    Ok(limits)
}

/// The page for `limits`, in their order.
pub fn render_limits(limits: &[Limit]) -> String {
    let mut page = format!(
        "# Limits\n\n\
         Every bound is a constant in [`{LIMITS_FILE}`](../../{LIMITS_FILE}).\n\n\
         | constant | value | type | meaning |\n|---|---|---|---|\n"
    );
    for limit in limits {
        let _ = writeln!(
            page,
            "| `{}` | `{}` | `{}` | {} |",
            limit.name,
            cell(&limit.value),
            cell(&limit.ty),
            cell(&without_code_links(&limit.meaning)),
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "
        //! Limits.
        use std::time::Duration;

        /// The longest payload,
        /// in bytes.
        ///
        /// More about it.
        pub const MAX_PAYLOAD_BYTES: usize = 1024\n * KIB;
        /// How long a lease of [`Handle`] may last.
        pub const MAX_TTL: Duration = Duration::from_secs(60 * 60);
        const KIB: usize = 1024;
    ";

    #[test]
    fn public_constants_are_limits() {
        let limits = parse(SOURCE).unwrap();

        assert_eq!(
            limits[0],
            Limit {
                name: "MAX_PAYLOAD_BYTES".into(),
                ty: "usize".into(),
                value: "1024 * KIB".into(),
                meaning: "The longest payload, in bytes.".into(),
            }
        );
        assert_eq!(limits.len(), 2);
    }

    #[test]
    fn a_limit_is_a_row() {
        let page = render_limits(&parse(SOURCE).unwrap());

        assert!(page.ends_with(
            "| `MAX_PAYLOAD_BYTES` | `1024 * KIB` | `usize` | The longest payload, in bytes. |\n\
             | `MAX_TTL` | `Duration::from_secs(60 * 60)` | `Duration` \
             | How long a lease of `Handle` may last. |\n"
        ));
    }

    #[test]
    fn a_file_without_limits_is_an_error() {
        assert!(parse("const PRIVATE: u8 = 1;").is_err());
    }
}
