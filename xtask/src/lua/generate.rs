//! The Rust side of the contracts: one struct a call, one a reply, and the codes.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};

use super::contract::{Contract, Kind, Value};
use super::source::Sources;

/// The text of `calls.rs`.
pub(super) fn rust(sources: &Sources, contracts: &[Contract]) -> anyhow::Result<String> {
    let codes = codes(sources)?;
    let mut out = String::from(
        "//! The functions of the library and how they are called.\n//!\n\
         //! Made by `cargo xtask lua` from the contracts under `lua/fn/`. Not to be edited.\n\n\
         use bytes::Bytes;\nuse ff_types::TimestampMs;\n\n\
         use crate::call::{Args, BadReply, Call, Values};\nuse crate::reply::Reply;\n\n",
    );
    write_codes(&mut out, &codes)?;
    for contract in contracts {
        for code in contract.err.iter().chain(&contract.item) {
            ensure!(codes.contains(code), "{}: {code} is not in lua/lib/reply.lua", contract.name);
        }
        write_call(&mut out, contract)?;
    }
    Ok(out)
}

/// The codes that `reply.lua` declares, in its order.
pub(super) fn codes(sources: &Sources) -> anyhow::Result<Vec<String>> {
    let text = sources.modules.get("reply").context("lua/lib/reply.lua is missing")?;
    let list = text
        .split_once("reply.CODES = {")
        .and_then(|(_, rest)| rest.split_once('}'))
        .context("lua/lib/reply.lua declares no CODES")?
        .0;
    Ok(list
        .split(',')
        .map(|word| word.trim().trim_matches('"').to_owned())
        .filter(|word| !word.is_empty())
        .collect())
}

fn write_codes(out: &mut String, codes: &[String]) -> anyhow::Result<()> {
    out.push_str("/// Why a function refused.\n#[derive(Debug, Clone, Copy, PartialEq, Eq)]\n");
    out.push_str("pub(crate) enum Code {\n");
    for code in codes {
        writeln!(out, "    /// `{code}`.\n    {},", pascal(code))?;
    }
    out.push_str("}\n\nimpl Code {\n    /// The code with this spelling.\n");
    out.push_str(
        "    pub(crate) fn of(text: &[u8]) -> Option<Self> {\n        Some(match text {\n",
    );
    for code in codes {
        writeln!(out, "            b\"{code}\" => Self::{},", pascal(code))?;
    }
    out.push_str("            _ => return None,\n        })\n    }\n}\n");
    Ok(())
}

fn write_call(out: &mut String, contract: &Contract) -> anyhow::Result<()> {
    let name = pascal(&contract.name);
    let inputs = if contract.each.is_empty() { &contract.args } else { &contract.each };
    let lifetime = if inputs.iter().any(|value| value.kind == Kind::Text) { "<'a>" } else { "" };
    out.push('\n');
    for line in &contract.doc {
        writeln!(out, "{}", format!("/// {line}").trim_end())?;
    }
    out.push_str("#[derive(Debug, Clone)]\n");
    if contract.each.is_empty() {
        write_fields(out, &format!("{name}{lifetime}"), inputs, "'a ")?;
    } else {
        writeln!(
            out,
            "pub(crate) struct {name}{lifetime} {{\n    /// What the call is made for, in order.\n    \
             pub(crate) items: Vec<{name}Item{lifetime}>,\n}}\n\n/// One item of [`{name}`].\n\
             #[derive(Debug, Clone)]"
        )?;
        write_fields(out, &format!("{name}Item{lifetime}"), inputs, "'a ")?;
    }
    let anonymous = if lifetime.is_empty() { "" } else { "<'_>" };
    writeln!(
        out,
        "\nimpl Call for {name}{anonymous} {{\n    const NAME: &'static str = \"{}\";\n    \
         const READS_ONLY: bool = {};\n    type Answer = {name}Answer;\n",
        contract.name, contract.no_writes
    )?;
    write_encoder(out, contract, inputs)?;
    write_decoder(out, contract, &name)?;
    out.push_str("}\n\n");
    writeln!(out, "/// What `{}` answers.\n#[derive(Debug)]", contract.name)?;
    write_fields(out, &format!("{name}Answer"), &contract.ok, "")
}

fn write_fields(
    out: &mut String,
    name: &str,
    values: &[Value],
    lifetime: &str,
) -> anyhow::Result<()> {
    if values.is_empty() {
        writeln!(out, "pub(crate) struct {name};")?;
        return Ok(());
    }
    writeln!(out, "pub(crate) struct {name} {{")?;
    for value in values {
        let kind = match value.kind {
            Kind::Id => "u128".to_owned(),
            Kind::Bytes => "Bytes".to_owned(),
            Kind::Text if lifetime.is_empty() => "String".to_owned(),
            Kind::Text => format!("&{lifetime}str"),
            Kind::Int => "u64".to_owned(),
            Kind::Signed => "i64".to_owned(),
            Kind::Time => "TimestampMs".to_owned(),
            Kind::Flag => "bool".to_owned(),
            Kind::List => "Vec<Reply>".to_owned(),
        };
        let field = field(&value.name);
        let doc = if value.doc.is_empty() { String::new() } else { format!(": {}", value.doc) };
        writeln!(out, "    /// `{}`{doc}.\n    pub(crate) {field}: {kind},", value.name)?;
    }
    out.push_str("}\n");
    Ok(())
}

fn write_encoder(out: &mut String, contract: &Contract, inputs: &[Value]) -> anyhow::Result<()> {
    let args = if inputs.is_empty() { "_" } else { "args" };
    writeln!(out, "    fn encode(self, {args}: &mut Args) {{")?;
    let (indent, owner) = if contract.each.is_empty() { ("", "self") } else { ("    ", "item") };
    if !contract.each.is_empty() {
        out.push_str("        for item in self.items {\n");
    }
    for value in inputs {
        let method = match value.kind {
            Kind::Id => "id",
            Kind::Bytes => "bytes",
            Kind::Text => "text",
            Kind::Int => "int",
            Kind::Signed => "signed",
            Kind::Time => "time",
            Kind::Flag => "flag",
            Kind::List => anyhow::bail!("{}: a list cannot be passed", contract.name),
        };
        writeln!(out, "        {indent}args.{method}({owner}.{});", field(&value.name))?;
    }
    if !contract.each.is_empty() {
        out.push_str("        }\n");
    }
    out.push_str("    }\n");
    Ok(())
}

fn write_decoder(out: &mut String, contract: &Contract, name: &str) -> anyhow::Result<()> {
    let values = if contract.ok.is_empty() { "_" } else { "values" };
    writeln!(out, "\n    fn decode({values}: &mut Values) -> Result<{name}Answer, BadReply> {{")?;
    if contract.ok.is_empty() {
        writeln!(out, "        Ok({name}Answer)")?;
    } else {
        writeln!(out, "        Ok({name}Answer {{")?;
        for value in &contract.ok {
            let method = match value.kind {
                Kind::Id => "id",
                Kind::Bytes => "bytes",
                Kind::Text => "text",
                Kind::Int => "int",
                Kind::Signed => "signed",
                Kind::Time => "time",
                Kind::Flag => "flag",
                Kind::List => "list",
            };
            writeln!(out, "            {}: values.{method}()?,", field(&value.name))?;
        }
        out.push_str("        })\n");
    }
    out.push_str("    }\n");
    Ok(())
}

/// The name of a field: Rust's keywords are escaped.
fn field(name: &str) -> String {
    if name == "type" { "content_type".to_owned() } else { name.to_owned() }
}

fn pascal(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let lower = word.to_ascii_lowercase();
            let mut letters = lower.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_ascii_uppercase().to_string() + letters.as_str()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_types() {
        assert_eq!(pascal("claim_from_reclaim"), "ClaimFromReclaim");
        assert_eq!(pascal("NOT_FOUND"), "NotFound");
    }
}
