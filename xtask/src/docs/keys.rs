//! `keys.md`: the keys of a namespace and the fields of an execution, from the Lua sources.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// One way a key is named.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    name: String,
    doc: String,
}

/// The page.
pub fn render_keys(root: &Path) -> anyhow::Result<String> {
    let read = |file: &str| {
        let path = root.join("lua/lib").join(file);
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    let mut out = String::from(
        "# Keys\n\nWhat the Valkey backend keeps. Every key of a partition begins with \
         `ff:{<namespace>/<number>}:`, whose braces put the partition into one hash slot; the \
         names below follow it. Nothing here is an interface: read it, but let the library write.\n\
         \n## Keys and channels\n\n| name | holds |\n|---|---|\n",
    );
    for key in keys(&read("keys.lua")?) {
        writeln!(out, "| `{}` | {} |", key.name.replace('|', "\\|"), key.doc)?;
    }
    out.push_str("\n## Fields of an execution\n\nOf the hash `e:<id>`; those over 64 bytes stand \
                  in `b:<id>` instead. Times are Unix milliseconds.\n\n| field | holds |\n|---|---|\n");
    for (name, doc) in fields(&read("record.lua")?) {
        writeln!(out, "| `{name}` | {doc} |")?;
    }
    out.push_str(
        "\n## Fields of the waits of an execution\n\nOf the hash `v:<id>`, which exists from the \
         first waitpoint on.\n\n| field | holds |\n|---|---|\n",
    );
    for (name, doc) in fields(&read("waits_text.lua")?) {
        writeln!(out, "| `{name}` | {doc} |")?;
    }
    out.push_str(
        "\n## Fields of a flow\n\nOf the hash `f:<id>`.\n\n| field | holds |\n|---|---|\n",
    );
    for (name, doc) in fields(&read("flow.lua")?) {
        writeln!(out, "| `{name}` | {doc} |")?;
    }
    Ok(out)
}

/// Every function of `keys.lua`: what it returns, and its comment.
fn keys(text: &str) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut doc: Vec<&str> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("---") {
            doc.push(comment.trim());
        } else if line.starts_with("function keys.") {
            inside = true;
        } else if line == "end" {
            inside = false;
            doc.clear();
        } else if let Some(value) = line.trim().strip_prefix("return ").filter(|_| inside) {
            keys.push(Key { name: shown(value), doc: doc.join(" ") });
        } else if let Some(start) = line.trim().strip_prefix("local name = ").filter(|_| inside) {
            keys.push(Key { name: shown(start), doc: doc.join(" ") });
        } else if !inside {
            doc.clear();
        }
    }
    keys.retain(|key| !key.name.starts_with("<name>"));
    keys
}

/// A Lua expression as a pattern: `partition .. "e:" .. id` is `e:<id>`.
fn shown(expression: &str) -> String {
    expression
        .split(" .. ")
        .filter(|part| *part != "partition")
        .map(|part| match part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(text) => text.replace("\\t", "<tab>"),
            None => format!("<{part}>"),
        })
        .collect()
}

fn fields(text: &str) -> Vec<(&str, &str)> {
    text.lines()
        .filter_map(|line| line.strip_prefix("--- @field "))
        .filter_map(|rest| rest.split_once(' '))
        .map(|(name, doc)| (name, doc.trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_become_patterns() {
        assert_eq!(shown("partition .. \"e:\" .. id"), "e:<id>");
    }

    #[test]
    fn a_key_is_listed_with_its_comment() {
        let text = "--- The hash.\nfunction keys.hash(partition, id)\n  \
                    return partition .. \"e:\" .. id\nend\n";
        let expected = Key { name: "e:<id>".to_owned(), doc: "The hash.".to_owned() };
        assert_eq!(keys(text), [expected]);
    }
}
