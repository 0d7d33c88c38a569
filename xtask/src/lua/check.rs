//! What a linter cannot know of the Lua sources: that codes are declared, that time has one source,
//! that no read grows without a bound, that files stay short.

use std::collections::BTreeSet;

use super::contract::Contract;
use super::generate;
use super::source::{Sources, requires};

/// Longest source file.
const LINES_MAX: usize = 120;
/// Longest module that is, or has in its head, the list of everything that is stored.
const LISTING_LINES_MAX: usize = 300;
/// Commands whose cost grows with what is stored, or that have no place in a function.
const BANNED: &[&str] = &[
    "KEYS",
    "SMEMBERS",
    "SCAN",
    "HSCAN",
    "ZSCAN",
    "SORT",
    "HKEYS",
    "HVALS",
    "FLUSHALL",
    "FLUSHDB",
    "EVAL",
    "PUBLISH",
    "RANDOMKEY",
];
/// Commands that one module alone calls, and where.
const OWNED: &[(&str, &[&str])] = &[
    ("TIME", &["clock"]),
    ("SPUBLISH", &["arms", "events", "timers", "told"]),
    ("XADD", &["events", "frames"]),
    (
        "HGETALL",
        &[
            "record",
            "describe",
            "flow",
            "waits",
            "steps",
            "budget",
            "shares",
            "schedule",
            "describe_lane",
        ],
    ),
    ("LRANGE", &["backlog"]),
    ("SRANDMEMBER", &["heads", "repair", "sources"]),
    ("SSCAN", &["heads"]),
];

/// What is wrong with the sources, a sentence each.
pub(super) fn faults(sources: &Sources, contracts: &[Contract]) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    let all = sources.modules.iter().chain(&sources.functions);
    for (name, text) in all.clone() {
        let limit = match name.as_str() {
            "record" | "keys" | "flow" | "lanes" | "schedule" => LISTING_LINES_MAX,
            _ => LINES_MAX,
        };
        let lines = text.lines().count();
        if lines > limit {
            faults.push(format!("{name}.lua has {lines} lines, more than {limit}"));
        }
        faults.extend(command_faults(name, text));
    }
    for (name, text) in all.clone() {
        faults.extend(member_faults(sources, name, text)?);
    }
    let declared: BTreeSet<String> = generate::codes(sources)?.into_iter().collect();
    let mut answered = BTreeSet::new();
    for (name, text) in all {
        for code in codes_in(text) {
            if !declared.contains(code) {
                faults.push(format!("{name}.lua answers {code}, which reply.lua does not declare"));
            }
            answered.insert(code.to_owned());
        }
    }
    let unused = declared.difference(&answered);
    faults.extend(unused.map(|code| format!("reply.lua declares {code}, which nothing answers")));
    for contract in contracts {
        faults.extend(contract_faults(sources, contract)?);
    }
    Ok(faults)
}

fn command_faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for command in commands_in(text) {
        if BANNED.contains(&command) {
            faults.push(format!("{name}.lua calls {command}"));
        }
        let owner = OWNED.iter().find(|(owned, _)| *owned == command);
        if owner.is_some_and(|(_, owners)| !owners.contains(&name)) {
            faults.push(format!("{name}.lua calls {command}, which is not its to call"));
        }
    }
    let is_range = |line: &str| line.contains("\"ZRANGE\"") || line.contains("\"LRANGE\"");
    if text.lines().any(|line| is_range(line) && line.contains(", -1")) {
        faults.push(format!("{name}.lua reads a sorted set or a list without a bound"));
    }
    faults
}

/// What a source uses of a module, the module has: a linter looks at one file at a time, and a server
/// finds out when the line runs.
fn member_faults(sources: &Sources, name: &str, text: &str) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for module in requires(text)? {
        let Some(its) = sources.modules.get(module) else { continue };
        for member in members(text, module) {
            let defined = [format!("function {module}.{member}("), format!("{module}.{member} =")];
            let listed = its.contains(&format!("local {module} = {{ "))
                && its.contains(&format!("{member} = "));
            if !listed && !defined.iter().any(|way| its.contains(way)) {
                faults.push(format!("{name}.lua uses {module}.{member}, which {module}.lua lacks"));
            }
        }
    }
    Ok(faults)
}

/// What follows `module` and a point, wherever the module stands by itself.
fn members<'t>(text: &'t str, module: &str) -> BTreeSet<&'t str> {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let code = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let mut members = BTreeSet::new();
    for line in code {
        for (at, _) in line.match_indices(&format!("{module}.")) {
            let alone = !line[..at].ends_with(|c: char| named(c) || c == '.' || c == '"');
            let rest = &line[at + module.len() + 1..];
            let member = &rest[..rest.find(|c| !named(c)).unwrap_or(rest.len())];
            if alone && !member.is_empty() {
                members.insert(member);
            }
        }
    }
    members
}

/// A contract names every code its own file answers, and none that nothing below it answers.
fn contract_faults(sources: &Sources, contract: &Contract) -> anyhow::Result<Vec<String>> {
    let named: BTreeSet<&str> =
        contract.err.iter().chain(&contract.item).map(String::as_str).collect();
    let text = &sources.functions[&contract.name];
    let mut below = BTreeSet::new();
    let mut left = vec![text.as_str()];
    let mut seen = BTreeSet::new();
    while let Some(text) = left.pop() {
        below.extend(codes_in(text));
        for module in requires(text)? {
            if seen.insert(module) {
                left.extend(sources.modules.get(module).map(String::as_str));
            }
        }
    }
    let name = &contract.name;
    let own: BTreeSet<&str> = codes_in(text).collect();
    let unnamed = own.difference(&named);
    let idle = named.difference(&below);
    Ok(unnamed
        .map(|code| format!("{name}.lua answers {code}, which its contract does not name"))
        .chain(idle.map(|code| format!("the contract of {name} names {code}: nothing answers it")))
        .collect())
}

fn codes_in(text: &str) -> impl Iterator<Item = &str> {
    quoted_after(text, "reply.err(\"")
}

/// The commands that a source calls by name.
pub(super) fn commands_in(text: &str) -> impl Iterator<Item = &str> {
    quoted_after(text, "redis.call(\"")
}

fn quoted_after<'t>(text: &'t str, start: &'static str) -> impl Iterator<Item = &'t str> {
    text.split(start).skip(1).filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_may_not_call_is_named() {
        let text = "redis.call(\"KEYS\", x)\nredis.call(\"TIME\")\n\
                    redis.call(\"ZRANGE\", key, 0, -1)\nredis.call(\"GET\", key)\n";
        assert_eq!(command_faults("clock", text).len(), 2);
        assert_eq!(command_faults("lease", text).len(), 3);
    }

    #[test]
    fn what_a_module_lacks_is_named() {
        let text = "local queue = require(\"queue\")\nqueue.insert(r)\nr.queue.x = queue.HIGH\n\
                    -- queue.gone\nqueue.drop(r, queue.LOW)\n";
        let queue = "local queue = {}\nqueue.HIGH = 1\nfunction queue.insert(r)\nend\n";
        let sources = Sources {
            modules: [("queue".to_owned(), queue.to_owned())].into(),
            functions: [("f".to_owned(), text.to_owned())].into(),
            testing: [].into(),
        };

        let faults = member_faults(&sources, "f", text).unwrap();

        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn codes_are_found() {
        let text = "return reply.err(\"NOT_FOUND\")\nreturn reply.err(\"GONE\", 1)";
        assert_eq!(codes_in(text).collect::<Vec<_>>(), ["NOT_FOUND", "GONE"]);
    }
}
