//! Budgets, and what executions say of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ff_engine::machine::{BudgetRecord, Recent};
use ff_engine::{
    Amounts, BudgetDimension, BudgetLimit, BudgetWindow, CreateBudget, EngineError, OnBreach,
};
use ff_types::backend::UsageDimensions;
use ff_types::{BudgetId, Tags, TimestampMs};

use super::{Fields, Reader};
use crate::ops::Packed;

const ID_DIGITS: usize = 32;

/// Amounts as the library writes them: `<dimension> <amount>` in a row.
pub(crate) fn amounts_text(amounts: &Amounts) -> String {
    let parts: Vec<_> = amounts.iter().map(|(name, amount)| format!("{name} {amount}")).collect();
    parts.join(" ")
}

/// Limits as an argument: name, soft and hard limit of each dimension, packed.
pub(crate) fn limits_text(limits: &BTreeMap<String, BudgetLimit>) -> bytes::Bytes {
    let text = |amount: Option<u64>| amount.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let mut packed = Packed::default();
    for (name, limit) in limits {
        packed.push(name);
        packed.push(text(limit.soft));
        packed.push(text(limit.hard));
    }
    packed.freeze()
}

pub(super) fn amounts(r: &Reader<'_>, field: &str) -> Result<Option<Amounts>, EngineError> {
    let Some(text) = r.text(field)? else { return Ok(None) };
    let mut words = text.split(' ');
    let mut amounts = Amounts::new();
    while let Some(name) = words.next() {
        let amount = words.next().and_then(|amount| amount.parse().ok());
        amounts.insert(name.to_owned(), amount.ok_or_else(|| r.corrupt(field))?);
    }
    Ok(Some(amounts))
}

/// What the open attempt, or the one that a token leads to, has reserved.
pub(super) fn reservation(r: &Reader<'_>) -> Result<Option<Arc<Amounts>>, EngineError> {
    if r.fields.get("bu").is_none() {
        return Ok(None);
    }
    match r.text("rv")? {
        Some("") => Ok(None),
        Some(_) => Ok(amounts(r, "rv")?.map(Arc::new)),
        None => Ok(amounts(r, "es")?.map(Arc::new)),
    }
}

/// Usage of these amounts.
pub(super) fn usage(amounts: Amounts) -> UsageDimensions {
    let mut usage = UsageDimensions::new();
    for (name, amount) in amounts {
        usage = match name.as_str() {
            "input_tokens" => usage.with_input_tokens(amount),
            "output_tokens" => usage.with_output_tokens(amount),
            "wall_ms" => usage.with_wall_ms(amount),
            _ => usage.with_custom(name, amount),
        };
    }
    usage
}

pub(super) fn drawn_on(r: &Reader<'_>) -> Result<Vec<BudgetId>, EngineError> {
    ids(r.text("bu")?.unwrap_or("")).ok_or_else(|| r.corrupt("bu"))
}

/// The budgets of this text, 32 digits each.
pub(super) fn ids(text: &str) -> Option<Vec<BudgetId>> {
    let id = |digits| std::str::from_utf8(digits).ok()?.parse().ok();
    text.as_bytes().chunks(ID_DIGITS).map(id).collect()
}

/// The record of a budget with these fields.
///
/// # Errors
/// [`EngineError::Corrupt`] names the field that cannot be read.
pub(crate) fn budget(id: BudgetId, fields: &Fields) -> Result<BudgetRecord, EngineError> {
    let corrupt =
        |field: &str| EngineError::Corrupt { what: format!("field {field} of budget {id}") };
    let text = |field: &str| {
        let bytes = fields.get(field).map(|bytes| std::str::from_utf8(bytes));
        bytes.transpose().map_err(|_| corrupt(field))
    };
    let made: Vec<_> = text("s")?.unwrap_or("").split(' ').collect();
    let [at, action, every, anchor, fingerprint] = made[..] else { return Err(corrupt("s")) };
    let number = |digits: &str| digits.parse::<u64>().map_err(|_| corrupt("s"));
    let time = |digits: &str| digits.parse().map(TimestampMs);
    let window = BudgetWindow::every(Duration::from_millis(number(every)?))
        .with_anchor(time(anchor).map_err(|_| corrupt("s"))?);
    let window = (!window.every.is_zero()).then_some(window);
    let on_breach = match action {
        "r" => OnBreach::Report,
        "b" => OnBreach::Block,
        "f" => OnBreach::Fail,
        _ => return Err(corrupt("s")),
    };
    let mut tags = Tags::new();
    for line in text("tg")?.unwrap_or("").lines() {
        let (key, value) = line.split_once(' ').ok_or_else(|| corrupt("tg"))?;
        tags = tags.with(key, value).map_err(|_| corrupt("tg"))?;
    }
    let mut dimensions = BTreeMap::new();
    for (field, value) in &fields.0 {
        let (Ok(field), Ok(value)) = (std::str::from_utf8(field), std::str::from_utf8(value))
        else {
            continue;
        };
        if let Some(name) = field.strip_prefix("d:") {
            dimensions.insert(name.to_owned(), dimension(value).ok_or_else(|| corrupt(field))?);
        }
    }
    let mut spec = CreateBudget::new(id).with_on_breach(on_breach).with_tags(tags);
    spec.window = window;
    let when = |field: &str| text(field)?.map(time).transpose().map_err(|_| corrupt(field));
    Ok(BudgetRecord {
        spec: Arc::new(spec),
        fingerprint: u64::from_str_radix(fingerprint, 16).map_err(|_| corrupt("s"))?,
        created_at: time(at).map_err(|_| corrupt("s"))?,
        dimensions,
        window_start: when("w")?,
        look_at: when("la")?,
        generation: text("ge")?.map_or(Ok(0), str::parse).map_err(|_| corrupt("ge"))?,
        marks: Recent::default(),
    })
}

/// How the dimensions of a budget stand, as its shares are told: see `open_share.lua`.
pub(crate) fn figures_text(fields: &Fields) -> String {
    let figure = |(name, value): &(bytes::Bytes, bytes::Bytes)| {
        let name = std::str::from_utf8(name).ok()?.strip_prefix("d:")?;
        Some(format!("{name} {}", std::str::from_utf8(value).ok()?))
    };
    fields.0.iter().filter_map(figure).collect::<Vec<_>>().join(" ")
}

fn dimension(value: &str) -> Option<BudgetDimension> {
    let words: Vec<_> = value.split(' ').collect();
    let [soft, hard, used, reserved] = words[..] else { return None };
    let optional = |word: &str| match word {
        "-" => Some(None),
        digits => digits.parse().ok().map(Some),
    };
    let mut limit = BudgetLimit::COUNTED;
    (limit.soft, limit.hard) = (optional(soft)?, optional(hard)?);
    Some(BudgetDimension::new(limit, used.parse().ok()?, reserved.parse().ok()?))
}
