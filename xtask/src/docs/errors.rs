//! `errors.md`: every error code, what it means and what a caller does about it.

use std::fmt::Write as _;

use super::cell;

/// One error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorRow<'a> {
    /// The stable lowercase code.
    pub code: &'a str,
    /// The kind of error it belongs to.
    pub kind: &'a str,
    /// What happened.
    pub meaning: &'a str,
    /// What a caller does about it.
    pub action: &'a str,
}

/// The page for `rows`, in their order.
pub fn render_errors(rows: &[ErrorRow<'_>]) -> String {
    let mut page = String::from(
        "# Error codes\n\n\
         A code is stable: logs, metrics and programs may rely on it. Messages may change.\n\n\
         | code | kind | meaning | what to do |\n|---|---|---|---|\n",
    );
    for row in rows {
        let _ = writeln!(
            page,
            "| `{}` | `{}` | {} | {} |",
            cell(row.code),
            cell(row.kind),
            cell(row.meaning),
            cell(row.action),
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_row() {
        let page = render_errors(&[ErrorRow {
            code: "stale_lease",
            kind: "State",
            meaning: "The lease was\n taken over.",
            action: "Stop | drop the handle.",
        }]);

        assert!(page.ends_with(
            "|---|---|---|---|\n\
             | `stale_lease` | `State` | The lease was taken over. | Stop \\| drop the handle. |\n"
        ));
    }
}
