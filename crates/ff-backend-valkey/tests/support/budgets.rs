//! What has to be kept of budgets, by their records and those of the executions that draw on them.

use std::collections::BTreeMap;

use ff_backend_valkey::testing::{decode_budget, decode_packed};
use ff_engine::OnBreach;
use ff_engine::machine::{ExecutionRecord, held_reservation};
use ff_types::{BudgetId, ExecutionId};

use super::store::{Index, Kept};

pub(super) fn check(
    part: &BTreeMap<&str, &Kept>,
    records: &BTreeMap<ExecutionId, ExecutionRecord>,
    rebuilt: &mut Index,
    faults: &mut Vec<String>,
) {
    for (key, kept) in part {
        let (Some(id), Kept::Hash(fields)) = (key.strip_prefix("B:"), kept) else { continue };
        let Ok(id) = id.parse() else {
            faults.push(format!("{key} is no id"));
            continue;
        };
        if part.contains_key(format!("W:{id}").as_str()) && !fields.contains_key(b"wl".as_slice()) {
            faults.push(format!("{key} says that nobody waits in its line"));
        }
        let budget = match decode_budget(id, fields.clone()) {
            Ok(budget) => budget,
            Err(error) => {
                faults.push(format!("{key}: {error}"));
                continue;
            }
        };
        let mut add = |key: String, member: String, score: i64| {
            rebuilt.entry(key).or_default().insert(member, score);
        };
        if !fields.contains_key(b"fi".as_slice()) {
            add("B".to_owned(), id.to_string(), 0);
        }
        let shares = shares(part, id);
        for (name, share) in &shares {
            if let Ok(place) = share.in_line.parse() {
                add(format!("W:{id}"), format!("@{name}"), place);
            }
        }
        if let Some(at) = budget.look_at {
            add("d".to_owned(), format!("g{id}"), at.as_i64());
            if budget.spec.tags.iter().next().is_none() {
                add("d:-".to_owned(), format!("g{id}"), at.as_i64());
            }
            for (tag, value) in budget.spec.tags.iter() {
                add(format!("d:{tag} {value}"), format!("g{id}"), at.as_i64());
            }
        }
        let drawing = records.values().filter(|one| one.submission.budgets().contains(&id));
        let drawing = drawing.filter(|_| budget.spec.on_breach != OnBreach::Report);
        let held: Vec<_> = drawing.filter_map(|one| held_reservation(&one.run)).collect();
        for (name, dimension) in &budget.dimensions {
            let leases: u64 = held.iter().filter_map(|reserved| reserved.get(name)).sum();
            let shares: u64 = shares.values().filter_map(|share| share.held.get(name)).sum();
            if leases + shares != dimension.reserved {
                faults.push(format!("{key}: {dimension:?} of {name}: {leases} and {shares}"));
            }
        }
    }
}

/// A share of a budget, as its home knows it.
struct Share {
    held: BTreeMap<String, u64>,
    in_line: String,
}

/// Where these are in a share, see `shares.lua`.
const HELD_AT: usize = 3;
const IN_LINE_AT: usize = 9;

/// The shares of a budget that lies in a partition, by the numbers of theirs.
fn shares(part: &BTreeMap<&str, &Kept>, id: BudgetId) -> BTreeMap<String, Share> {
    let Some(Kept::Hash(shares)) = part.get(format!("X:{id}").as_str()) else {
        return BTreeMap::new();
    };
    let share = |(name, packed): (&Vec<u8>, &Vec<u8>)| {
        let values = decode_packed(packed).expect("a share is packed");
        let text = |at: usize| String::from_utf8(values[at].to_vec()).expect("a share is text");
        let name = String::from_utf8(name.clone()).expect("a number");
        (name, Share { held: amounts(&text(HELD_AT)), in_line: text(IN_LINE_AT) })
    };
    shares.iter().map(share).collect()
}

fn amounts(text: &str) -> BTreeMap<String, u64> {
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    let pairs = words.chunks_exact(2);
    pairs.map(|pair| (pair[0].to_owned(), pair[1].parse().expect("an amount"))).collect()
}

/// No share may give out more than its home keeps for it.
pub(super) fn check_shares(
    partitions: &[String],
    all: &BTreeMap<String, Kept>,
    faults: &mut Vec<String>,
) {
    for (number, partition) in partitions.iter().enumerate() {
        for (key, kept) in all.range(format!("{partition}B:")..format!("{partition}B;")) {
            let (Kept::Hash(fields), Some(id)) = (kept, key.get(partition.len() + 2..)) else {
                continue;
            };
            if !fields.contains_key(b"fi".as_slice()) {
                continue;
            }
            let id: BudgetId = id.parse().expect("an id");
            let share = decode_budget(id, fields.clone()).expect("a share is kept like a budget");
            let home = &partitions[usize::from(id.shard()) % partitions.len()];
            let home: BTreeMap<&str, &Kept> = all
                .iter()
                .filter_map(|(key, kept)| Some((key.strip_prefix(home.as_str())?, kept)))
                .collect();
            let known = shares(&home, id).remove(&number.to_string());
            for (name, dimension) in &share.dimensions {
                let held = known.as_ref().and_then(|share| share.held.get(name));
                let (held, hard) = (held.copied().unwrap_or(0), dimension.limit.hard.unwrap_or(0));
                let taken = dimension.used + dimension.reserved;
                if hard > held || (dimension.limit.hard.is_some() && taken > hard) {
                    faults.push(format!("{key}: {dimension:?} of {name}, its home has {held}"));
                }
            }
        }
    }
}
