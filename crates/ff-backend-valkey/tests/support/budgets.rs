//! What has to be kept of budgets, by their records and those of the executions that draw on them.

use std::collections::BTreeMap;

use ff_backend_valkey::testing::decode_budget;
use ff_engine::OnBreach;
use ff_engine::machine::{ExecutionRecord, held_reservation};
use ff_types::ExecutionId;

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
        add("B".to_owned(), id.to_string(), 0);
        if let Some(at) = budget.look_at {
            add("d".to_owned(), format!("g{id}"), at.as_i64());
            if budget.spec.tags.iter().next().is_none() {
                add("d:-".to_owned(), format!("g{id}"), at.as_i64());
            }
            for (tag, value) in budget.spec.tags.iter() {
                add(format!("d:{tag} {value}"), format!("g{id}"), at.as_i64());
            }
        }
        if budget.spec.on_breach == OnBreach::Report {
            continue;
        }
        let drawing = records.values().filter(|one| one.submission.budgets().contains(&id));
        let held: Vec<_> = drawing.filter_map(|one| held_reservation(&one.run)).collect();
        for (name, dimension) in &budget.dimensions {
            let sum: u64 = held.iter().filter_map(|reserved| reserved.get(name)).sum();
            if sum != dimension.reserved {
                faults.push(format!("{key}: {dimension:?} of {name}, leases have {sum}"));
            }
        }
    }
}
