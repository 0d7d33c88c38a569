//! What has to be kept of schedules, by their records.

use std::collections::BTreeMap;

use ff_backend_valkey::testing::decode_schedule;
use ff_engine::machine::first_due;

use super::store::{Index, Kept};

pub(super) fn check(part: &BTreeMap<&str, &Kept>, rebuilt: &mut Index, faults: &mut Vec<String>) {
    for (key, kept) in part {
        let (Some(id), Kept::Hash(fields)) = (key.strip_prefix("S:"), kept) else { continue };
        let Ok(id) = id.parse() else {
            faults.push(format!("{key} is no id"));
            continue;
        };
        let schedule = match decode_schedule(id, fields.clone()) {
            Ok(schedule) => schedule,
            Err(error) => {
                faults.push(format!("{key}: {error}"));
                continue;
            }
        };
        let mut add = |key: String, member: String, score: i64| {
            rebuilt.entry(key).or_default().insert(member, score);
        };
        add("S".to_owned(), id.to_string(), 0);
        if let Some(at) = schedule.due {
            add("d".to_owned(), format!("s{id}"), at.as_i64());
            if schedule.tags.iter().next().is_none() {
                add("d:-".to_owned(), format!("s{id}"), at.as_i64());
            }
            for (tag, value) in schedule.tags.iter() {
                add(format!("d:{tag} {value}"), format!("s{id}"), at.as_i64());
            }
        }
        let first = first_due(id, &schedule.spec, schedule.through).ok().flatten();
        let first = first.filter(|_| schedule.paused.is_none());
        let (next, due) = (first.map(|(at, _)| at), first.map(|(_, due)| due));
        let is_due = schedule.due == due || schedule.waiting.is_some();
        if schedule.next != next || !is_due {
            faults.push(format!("{key}: {schedule:?}, its next is {first:?}"));
        }
    }
}
