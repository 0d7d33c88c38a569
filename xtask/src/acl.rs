//! `cargo xtask acl`: what a server has to allow to the users that FlowFabric connects as, as lines
//! of an ACL file.
//!
//! Functions run with the rights of their caller, so that a role needs every command within the
//! functions that it calls: those are read out of the bundled library, function by function. The
//! role `worker` may call all of them, `reader` those that write nothing. Neither line sets a
//! password: add one with `ACL SETUSER worker >…`. `AUTH`, `HELLO` and `QUIT` are free to everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};

use crate::workspace_root;

/// Arguments of `cargo xtask acl`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Allows this namespace only, in place of all.
    #[arg(long)]
    namespace: Option<String>,
}

/// The library as it is loaded.
const BUNDLE: &str = "crates/ff-backend-valkey/src/library/ff.lua";

/// What the client itself sends in either role: it calls functions, reads the mark of a partition
/// and what the server is, and finds the nodes of a cluster.
const CLIENT: &str = "fcall_ro hmget info client|id select ping cluster|slots cluster|info";
/// What it sends beyond that as a worker.
const CLIENT_OF_WORKERS: &str = "fcall function|load ssubscribe sunsubscribe";

/// Commands of which a part is allowed by itself.
const CONTAINERS: [&str; 4] = ["CLIENT", "CLUSTER", "FUNCTION", "PUBSUB"];

/// A user of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// What it is called.
    pub name: &'static str,
    /// What it may do, in the order of `ACL SETUSER`.
    pub rules: Vec<String>,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {} {}", self.name, self.rules.join(" "))
    }
}

/// Prints a line for each role.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    for role in roles(args.namespace.as_deref())? {
        println!("{role}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The roles that the bundled library and its client need, for one namespace or for all.
pub fn roles(namespace: Option<&str>) -> anyhow::Result<[Role; 2]> {
    let text = std::fs::read_to_string(workspace_root().join(BUNDLE))
        .with_context(|| format!("reading {BUNDLE}"))?;
    let library = Library::read(&text)?;
    // A brace is an ordinary letter of a pattern.
    let of = |namespace| format!("ff:{{{namespace}/*");
    let pattern = namespace.map_or_else(|| "ff:*".to_owned(), of);
    let role = |name, places: &[String], client: &str, writes| -> anyhow::Result<Role> {
        let mut commands = library.commands(writes)?;
        commands.extend(client.split(' ').map(str::to_owned));
        let clean = ["on", "resetpass", "resetkeys", "resetchannels", "-@all"];
        let mut rules = clean.map(str::to_owned).to_vec();
        rules.extend_from_slice(places);
        rules.extend(commands.iter().map(|command| format!("+{command}")));
        Ok(Role { name, rules })
    };
    let everything = format!("{CLIENT} {CLIENT_OF_WORKERS}");
    Ok([
        role(
            "worker",
            // The secret that signs tokens where none is configured is no business of readers.
            &[format!("~{pattern}"), format!("~secret:{pattern}"), format!("&{pattern}")],
            &everything,
            true,
        )?,
        role("reader", &[format!("%R~{pattern}")], CLIENT, false)?,
    ])
}

/// The name of a module or of a function of the library, and of a part of it.
type Name = (String, String);

/// A part of a file: one function of it, or everything that stands in none.
#[derive(Default)]
struct Block {
    commands: BTreeSet<String>,
    uses: BTreeSet<Name>,
}

/// What the library calls.
#[derive(Default)]
struct Library {
    blocks: BTreeMap<Name, Block>,
    /// The registered functions, and whether each writes nothing.
    functions: BTreeMap<String, bool>,
}

impl Library {
    fn read(text: &str) -> anyhow::Result<Self> {
        let mut library = Self::default();
        let mut section: Option<(String, Vec<&str>)> = None;
        for line in text.lines() {
            if let Some(name) = line.strip_suffix(" = (function()") {
                section = Some((name.to_owned(), Vec::new()));
            } else if line == "end)()" {
                let (name, lines) = section.take().context("a section ends that has not begun")?;
                library.read_section(&name, &lines)?;
            } else if let Some((_, lines)) = &mut section {
                lines.push(line);
            } else if let Some(rest) = line.strip_prefix("redis.register_function(") {
                let name = rest.split('"').nth(3).context("a function is registered unnamed")?;
                library.functions.insert(format!("F.{name}"), rest.contains("\"no-writes\""));
            }
        }
        ensure!(!library.functions.is_empty(), "the bundle registers no function");
        Ok(library)
    }

    fn read_section(&mut self, section: &str, lines: &[&str]) -> anyhow::Result<()> {
        let mut aliases = BTreeMap::new();
        let mut parts: Vec<(String, String)> = vec![(String::new(), String::new())];
        let mut inside = false;
        for line in lines {
            if let Some((alias, module)) = alias(line) {
                aliases.insert(alias, module);
                continue;
            }
            if let Some((owner, name)) = begun(line) {
                if !owner.is_empty() {
                    aliases.insert(owner, section.to_owned());
                }
                parts.push((name, String::new()));
                inside = true;
            }
            let at = if inside { parts.len() - 1 } else { 0 };
            parts[at].1.push_str(line);
            parts[at].1.push('\n');
            inside = inside && *line != "end";
        }
        let locals: BTreeSet<_> = parts.iter().map(|(name, _)| name.clone()).collect();
        for (name, text) in parts {
            let block = self.blocks.entry((section.to_owned(), name)).or_default();
            block.commands.extend(commands(&text).with_context(|| section.to_owned())?);
            // What stands in no function may be used by each.
            block.uses.insert((section.to_owned(), String::new()));
            for word in words(&text) {
                match word.split_once('.') {
                    Some((owner, part)) => {
                        let part = part.split('.').next().unwrap_or(part).to_owned();
                        block.uses.extend(aliases.get(owner).map(|module| (module.clone(), part)));
                    }
                    None if locals.contains(word) => {
                        block.uses.insert((section.to_owned(), word.to_owned()));
                    }
                    None => ensure!(
                        !aliases.contains_key(word) || !text.contains(&format!("{word}[")),
                        "{section}: a part of {word} is chosen while it runs"
                    ),
                }
            }
        }
        Ok(())
    }

    /// The commands within all functions, or those that write nothing, as an ACL spells them.
    fn commands(&self, writes: bool) -> anyhow::Result<BTreeSet<String>> {
        let wanted = self.functions.iter().filter(|(_, no_writes)| writes || **no_writes);
        let mut open: Vec<Name> =
            wanted.map(|(name, _)| (name.clone(), "return".to_owned())).collect();
        ensure!(open.iter().all(|name| self.blocks.contains_key(name)), "a function has no body");
        let mut seen = BTreeSet::new();
        let mut found = BTreeSet::new();
        while let Some(name) = open.pop() {
            // A part that is no function is a value.
            if let Some(block) = self.blocks.get(&name)
                && seen.insert(name)
            {
                found.extend(block.commands.iter().cloned());
                open.extend(block.uses.iter().cloned());
            }
        }
        Ok(found)
    }
}

/// The name under which a file uses a module: `local keys = M.keys`.
fn alias(line: &str) -> Option<(String, String)> {
    let (name, module) = line.strip_prefix("local ")?.split_once(" = ")?;
    module.starts_with("M.").then(|| (name.to_owned(), module.to_owned()))
}

/// The function that begins with a line of a file: the table that it is in and its name. What a
/// file returns is called `return`.
fn begun(line: &str) -> Option<(String, String)> {
    if line.starts_with("return function(") {
        return Some((String::new(), "return".to_owned()));
    }
    let rest = line.strip_prefix("local function ").or_else(|| line.strip_prefix("function "))?;
    let name = rest.split('(').next()?;
    let (owner, name) = name.split_once('.').unwrap_or(("", name));
    Some((owner.to_owned(), name.to_owned()))
}

/// The words of a text, those with dots as one.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "._".contains(letter)))
        .filter(|word| !word.is_empty())
}

/// The commands that a text calls.
fn commands(text: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for call in text.split("redis.call").skip(1).chain(text.split("redis.pcall").skip(1)) {
        let literals = call.strip_prefix("(\"").context("a command is chosen while it runs")?;
        let (command, rest) = literals.split_once('"').context("a text has no end")?;
        let part = rest.strip_prefix(", \"").and_then(|rest| rest.split('"').next());
        found.insert(match part {
            Some(part) if CONTAINERS.contains(&command) => {
                format!("{command}|{part}").to_ascii_lowercase()
            }
            _ => command.to_ascii_lowercase(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUNDLE: &str = "#!lua name=ff
M.record = (function()
local record = {}
function record.load(key)
  return redis.call(\"HGETALL\", key)
end
local function write(key)
  redis.call(\"HSET\", key, 1, 2)
end
function record.save(key)
  each(write, key)
end
return record
end)()
F.look = (function()
local record = M.record
return function(partition)
  return record.load(partition), redis.call(\"PUBSUB\", \"SHARDNUMSUB\", \"x\")
end
end)()
F.change = (function()
local record = M.record
return function(partition)
  record.save(partition)
end
end)()
redis.register_function({ function_name = \"ff_look\", callback = call(\"look\"), flags = { \"no-writes\" } })
redis.register_function({ function_name = \"ff_change\", callback = call(\"change\"), flags = {  } })
";

    #[test]
    fn the_commands_of_a_function_are_those_that_it_reaches() {
        let library = Library::read(BUNDLE).unwrap();
        let found = |writes| Vec::from_iter(library.commands(writes).unwrap());
        assert_eq!(found(false), ["hgetall", "pubsub|shardnumsub"]);
        assert_eq!(found(true), ["hgetall", "hset", "pubsub|shardnumsub"]);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (from, to) in [
            ("redis.call(\"HSET\"", "redis.call(name"),
            ("record.save(partition)", "record[\"save\"](partition)"),
            ("callback = call(\"look\")", "callback = call(\"gone\")"),
        ] {
            let library = Library::read(&BUNDLE.replace(from, to));
            assert!(library.and_then(|library| library.commands(true)).is_err(), "{to}");
        }
    }

    #[test]
    fn a_reader_may_do_less_than_a_worker() {
        let [worker, reader] = roles(Some("billing")).unwrap();
        assert!(worker.rules.contains(&"~ff:{billing/*".to_owned()), "{worker}");
        assert!(reader.rules.contains(&"%R~ff:{billing/*".to_owned()), "{reader}");
        let commands = |role: &Role| {
            role.rules.iter().filter(|rule| rule.starts_with('+')).cloned().collect::<BTreeSet<_>>()
        };
        assert!(commands(&reader).is_subset(&commands(&worker)), "{reader}");
        for write in ["+fcall", "+hset", "+zadd", "+del", "+set", "+spublish", "+function|load"] {
            assert!(commands(&worker).contains(write), "{write} of {worker}");
            assert!(!commands(&reader).contains(write), "{write} of {reader}");
        }
    }
}
