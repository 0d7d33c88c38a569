//! `lifecycle.md`: the states of an execution and what moves it, as a diagram and as a table.

use std::fmt::Write as _;

use super::cell;

/// The page for `edges`: the state before, the verb, the state after. No state before is the
/// beginning, no state after the end.
pub fn render_lifecycle(edges: &[(Option<&str>, &str, Option<&str>)]) -> String {
    let mut page = String::from(
        "# Lifecycle of an execution\n\n\
         The diagram and the table show the same edges, which are the only legal ones.\n\n\
         ```mermaid\nstateDiagram-v2\n",
    );
    for (from, to, verbs) in grouped(edges) {
        let (from, to) = (from.unwrap_or("[*]"), to.unwrap_or("[*]"));
        let _ = writeln!(page, "    {from} --> {to}: {}", verbs.join(", "));
    }
    page.push_str("```\n\n| from | verb | to |\n|---|---|---|\n");
    for (from, verb, to) in edges {
        let _ = writeln!(page, "| {} | `{}` | {} |", state(*from), cell(verb), state(*to));
    }
    page
}

/// The edges with the same two ends as one, in the order of their first appearance.
fn grouped<'a>(
    edges: &[(Option<&'a str>, &'a str, Option<&'a str>)],
) -> Vec<(Option<&'a str>, Option<&'a str>, Vec<&'a str>)> {
    let mut groups: Vec<(Option<&str>, Option<&str>, Vec<&str>)> = Vec::new();
    for &(from, verb, to) in edges {
        match groups.iter_mut().find(|group| group.0 == from && group.1 == to) {
            Some((_, _, verbs)) if verbs.contains(&verb) => {}
            Some((_, _, verbs)) => verbs.push(verb),
            None => groups.push((from, to, vec![verb])),
        }
    }
    groups
}

fn state(name: Option<&str>) -> String {
    name.map_or_else(|| "–".to_owned(), |name| format!("`{}`", cell(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_between_the_same_states_share_an_arrow_and_keep_their_rows() {
        let page = render_lifecycle(&[
            (None, "submit", Some("runnable")),
            (Some("runnable"), "claim", Some("active")),
            (Some("active"), "fail", Some("runnable")),
            (Some("active"), "delay", Some("runnable")),
            (Some("runnable"), "purge", None),
        ]);

        let (_, body) = page.split_once("```mermaid\n").unwrap();
        assert_eq!(
            body,
            "stateDiagram-v2\n\
             \x20   [*] --> runnable: submit\n\
             \x20   runnable --> active: claim\n\
             \x20   active --> runnable: fail, delay\n\
             \x20   runnable --> [*]: purge\n\
             ```\n\n\
             | from | verb | to |\n\
             |---|---|---|\n\
             | – | `submit` | `runnable` |\n\
             | `runnable` | `claim` | `active` |\n\
             | `active` | `fail` | `runnable` |\n\
             | `active` | `delay` | `runnable` |\n\
             | `runnable` | `purge` | – |\n"
        );
    }
}
