//! One text of all modules and functions, as the server loads it.

use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_128;

use super::contract::Contract;
use super::source::{LIBRARY, Sources, required};

/// What the two sides have to agree on. Raised when an older client could not read what a newer
/// one writes, or the other way round.
const PROTOCOL: u32 = 1;

/// What stands in front of the modules. A global is looked up in two tables each time that it is used, and a
/// local of the whole text in none. While the library is loaded there is only the `redis` that registers functions,
/// so the first call takes them.
const GLOBALS: &str = "\
local function globals()
  return redis, bit, cmsgpack, ipairs, math, next, pairs, pcall, string, table, tonumber, tostring, type, unpack
end
local redis, has_globals = redis, false
local bit, cmsgpack, ipairs, math, next, pairs, pcall, string, table, tonumber, tostring, type, unpack
local function take_globals()
  redis, bit, cmsgpack, ipairs, math, next, pairs, pcall, string, table, tonumber, tostring, type, unpack = globals()
  has_globals = true
end
";
/// What makes callbacks of functions.
const CALLS: &str = "
local function call(name)
  local run = F[name]
  return function(keys, args)
    if not has_globals then
      take_globals()
    end
    return run(string.sub(keys[1], 1, -5), unpack(args))
  end
end

local function call_with_items(name)
  local run = F[name]
  return function(keys, args)
    if not has_globals then
      take_globals()
    end
    return run(string.sub(keys[1], 1, -5), args)
  end
end

";

/// A bundle: the library's name, the prefix of its functions, and whose clock it has.
pub(super) struct Variant {
    name: &'static str,
    prefix: &'static str,
    testing: bool,
}

pub(super) const PRODUCTION: Variant = Variant { name: "ff", prefix: "ff_", testing: false };
pub(super) const TESTING: Variant = Variant { name: "ff_test", prefix: "fft_", testing: true };

/// The text of a bundle.
pub(super) fn library(
    sources: &Sources,
    contracts: &[Contract],
    variant: &Variant,
) -> anyhow::Result<String> {
    let mut body = String::new();
    for (name, text) in sources.ordered(variant.testing)? {
        write!(body, "\nM.{name} = (function()\n{}end)()\n", resolved(text))?;
    }
    for contract in contracts {
        let text = resolved(&sources.functions[&contract.name]);
        write!(body, "\nF.{} = (function()\n{text}end)()\n", contract.name)?;
    }
    body.push_str(CALLS);
    for contract in contracts {
        let name = &contract.name;
        let call = if contract.each.is_empty() { "call" } else { "call_with_items" };
        let flags = [("no-writes", contract.no_writes), ("allow-oom", contract.allow_oom)];
        let flags: Vec<_> =
            flags.iter().filter(|(_, set)| *set).map(|(flag, _)| format!("\"{flag}\"")).collect();
        writeln!(
            body,
            "redis.register_function({{ function_name = \"{}{name}\", callback = {call}(\"{name}\"), \
             flags = {{ {} }} }})",
            variant.prefix,
            flags.join(", "),
        )?;
    }
    let hash = xxh3_128(format!("{GLOBALS}{body}").as_bytes());
    Ok(format!(
        "#!lua name={}\n-- Made by `cargo xtask lua` from the files under lua/. Not to be edited.\n\
         {GLOBALS}local M, F = {{}}, {{}}\n\
         M.{LIBRARY} = {{ PROTOCOL = {PROTOCOL}, HASH = \"{hash:032x}\" }}\n{body}",
        variant.name,
    ))
}

/// The text of a module with its requires resolved and its comments gone: the server keeps and
/// replicates what it is given.
fn resolved(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if line.is_empty() || line.trim_start().starts_with("--") {
            continue;
        }
        match required(line) {
            Some(name) => {
                let _ = writeln!(out, "local {name} = M.{name}");
            }
            None => {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    out
}
