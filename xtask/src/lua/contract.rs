//! The contract at the head of each function file: arguments, reply, codes and flags.

use anyhow::{Context as _, bail, ensure};

use super::source::Sources;

/// One function with its contract.
pub(super) struct Contract {
    pub(super) name: String,
    pub(super) doc: Vec<String>,
    /// Arguments of the call.
    pub(super) args: Vec<Value>,
    /// Arguments of each item, when the call takes any number of them. Such a function has no
    /// others.
    pub(super) each: Vec<Value>,
    /// What a success answers.
    pub(super) ok: Vec<Value>,
    /// The codes of a refusal of the call.
    pub(super) err: Vec<String>,
    /// The codes of a refusal of one item.
    pub(super) item: Vec<String>,
    pub(super) no_writes: bool,
    pub(super) allow_oom: bool,
}

/// One value that is passed or answered.
pub(super) struct Value {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) doc: String,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// 128 bits as 32 hex digits.
    Id,
    /// Bytes as they are.
    Bytes,
    /// UTF-8.
    Text,
    /// An unsigned whole number.
    Int,
    /// A whole number.
    Signed,
    /// Unix milliseconds.
    Time,
    /// `0` or `1`.
    Flag,
    /// An array, read by hand.
    List,
}

impl Kind {
    fn of(word: &str) -> anyhow::Result<Self> {
        Ok(match word {
            "id" => Self::Id,
            "bytes" => Self::Bytes,
            "text" => Self::Text,
            "int" => Self::Int,
            "signed" => Self::Signed,
            "time" => Self::Time,
            "flag" => Self::Flag,
            "list" => Self::List,
            other => bail!("{other} is no kind of value"),
        })
    }
}

/// The contracts of all functions.
pub(super) fn all(sources: &Sources) -> anyhow::Result<Vec<Contract>> {
    sources
        .functions
        .iter()
        .map(|(name, text)| parse(name, text).with_context(|| format!("lua/fn/{name}.lua")))
        .collect()
}

fn parse(name: &str, text: &str) -> anyhow::Result<Contract> {
    let mut contract = Contract {
        name: name.to_owned(),
        doc: Vec::new(),
        args: Vec::new(),
        each: Vec::new(),
        ok: Vec::new(),
        err: Vec::new(),
        item: Vec::new(),
        no_writes: false,
        allow_oom: false,
    };
    for line in text.lines().map_while(|line| line.strip_prefix("---")) {
        let line = line.trim();
        let Some((tag, rest)) =
            line.strip_prefix('@').map(|tagged| tagged.split_once(' ').unwrap_or((tagged, "")))
        else {
            contract.doc.push(line.to_owned());
            continue;
        };
        match tag {
            "arg" => contract.args.push(value(rest)?),
            "each" => contract.each.push(value(rest)?),
            "ok" if rest.is_empty() => {}
            "ok" => contract.ok.push(value(rest)?),
            "err" => contract.err.extend(rest.split_whitespace().map(str::to_owned)),
            "item" => contract.item.extend(rest.split_whitespace().map(str::to_owned)),
            "flags" => {
                for flag in rest.split_whitespace() {
                    match flag {
                        "no-writes" => contract.no_writes = true,
                        "allow-oom" => contract.allow_oom = true,
                        other => bail!("{other} is no flag"),
                    }
                }
            }
            other => bail!("@{other} is no part of a contract"),
        }
    }
    while contract.doc.last().is_some_and(String::is_empty) {
        contract.doc.pop();
    }
    ensure!(!contract.doc.is_empty(), "the contract does not say what the function does");
    ensure!(contract.args.is_empty() || contract.each.is_empty(), "both @arg and @each");
    check_signature(&contract, text)?;
    Ok(contract)
}

fn value(rest: &str) -> anyhow::Result<Value> {
    let mut words = rest.split_whitespace();
    let name = words.next().context("a value has no name")?.to_owned();
    let kind = Kind::of(words.next().context("a value has no kind")?)?;
    Ok(Value { name, kind, doc: words.collect::<Vec<_>>().join(" ") })
}

/// The function takes as many arguments as the contract says, behind the partition.
fn check_signature(contract: &Contract, text: &str) -> anyhow::Result<()> {
    let signature = text
        .split_once("\nreturn function(")
        .and_then(|(_, rest)| rest.split_once(')'))
        .context("no line `return function(…)`")?
        .0;
    let taken = signature.split(',').count();
    let expected = 1 + if contract.each.is_empty() { contract.args.len() } else { 1 };
    ensure!(
        taken == expected,
        "the function takes {taken} values, its contract says {expected} with the partition"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_is_read() {
        let text = "--- Does it.\n---\n--- @flags allow-oom\n--- @arg id id\n--- @arg at time when\n\
                    --- @ok now time\n--- @err NOT_FOUND GONE\nreturn function(partition, id, at)\n";
        let contract = parse("it", text).unwrap();

        assert_eq!(contract.doc, ["Does it."]);
        assert_eq!(contract.args.len(), 2);
        assert_eq!((contract.args[1].kind, contract.args[1].doc.as_str()), (Kind::Time, "when"));
        assert_eq!(contract.err, ["NOT_FOUND", "GONE"]);
        assert!(contract.allow_oom && !contract.no_writes);
    }

    #[test]
    fn a_signature_that_differs_is_refused() {
        let text = "--- Does it.\n--- @arg id id\nreturn function(partition)\n";
        assert!(parse("it", text).is_err());
    }
}
