//! What has to be kept of lanes, by their settings and the records of the executions in them.

use std::collections::{BTreeMap, BTreeSet};

use ff_engine::machine::ExecutionRecord;
use ff_types::ExecutionId;

use super::store::{Index, Kept};

/// From this number on the leases of a steered lane are counted.
const STEERED: i64 = 1 << 40;

pub(super) fn check(
    part: &BTreeMap<&str, &Kept>,
    records: &BTreeMap<ExecutionId, ExecutionRecord>,
    rebuilt: &mut Index,
    faults: &mut Vec<String>,
) {
    let mut add = |key: String, member: String, score: i64| {
        rebuilt.entry(key).or_default().insert(member, score);
    };
    let steered: Vec<_> = part.keys().filter_map(|key| key.strip_prefix("L:")).collect();
    for lane in &steered {
        add("L".to_owned(), (*lane).to_owned(), 0);
        if let Some(at) = number(part, &format!("N:{lane}"), "la") {
            add("d".to_owned(), format!("l{lane}"), at);
            add("d:-".to_owned(), format!("l{lane}"), at);
        }
    }
    check_turns(part, &mut add, faults);
    for (key, kept) in part {
        let (Some(lane), Kept::Sorted(members)) =
            (key.strip_prefix("P:").or_else(|| key.strip_prefix("D:")), kept)
        else {
            continue;
        };
        let looks = number(part, &format!("N:{lane}"), "la");
        let is_timed = key.starts_with("D:");
        let forgotten = |score: &String| match looks {
            _ if !is_timed && score == "inf" => false,
            Some(at) => !is_timed && at > score.parse().unwrap_or(i64::MAX),
            None => true,
        };
        if members.values().any(forgotten) {
            faults.push(format!("{key} holds {members:?}, looked at by {looks:?}"));
        }
    }
    let expected = held(records, &steered);
    let mut stored: BTreeMap<String, BTreeMap<String, i64>> = part
        .iter()
        .filter(|(key, _)| key.starts_with("H:"))
        .map(|(key, kept)| ((*key).to_owned(), numbers(kept)))
        .collect();
    for key in part.keys().filter(|key| key.starts_with("N:")) {
        let counts = ["l", "t"]
            .into_iter()
            .filter_map(|letter| Some((letter.to_owned(), number(part, key, letter)?)));
        let counts: BTreeMap<_, _> = counts.collect();
        if !counts.is_empty() {
            stored.insert((*key).to_owned(), counts);
        }
    }
    if stored != expected {
        faults.push(format!("of leases {stored:?} are counted, the records say {expected:?}"));
    }
}

/// What is held by lane, and by key of a lane.
fn held(
    records: &BTreeMap<ExecutionId, ExecutionRecord>,
    steered: &[&str],
) -> BTreeMap<String, BTreeMap<String, i64>> {
    let mut held: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    let mut count = |key: String, field: String, by: i64| {
        *held.entry(key).or_default().entry(field).or_default() += by;
    };
    for lane in steered {
        count(format!("N:{lane}"), "l".to_owned(), STEERED);
    }
    for record in records.values() {
        let lane = &record.submission.lane;
        for (letter, is) in [("l", record.run.lease.is_some()), ("t", record.run.grant.is_some())] {
            if is {
                count(format!("N:{lane}"), letter.to_owned(), 1);
                if let Some(key) = &record.submission.lane_key {
                    count(format!("H:{lane}"), format!("{letter}{key}"), 1);
                }
            }
        }
    }
    held
}

/// Each key with something ready takes turns, or is aside.
fn check_turns(
    part: &BTreeMap<&str, &Kept>,
    add: &mut impl FnMut(String, String, i64),
    faults: &mut Vec<String>,
) {
    let mut ready: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for key in part.keys().filter_map(|key| key.strip_prefix("Q:")) {
        let (name, tag) = key.split_once('\t').unwrap_or((key, ""));
        let (ring, lane_key) = name.rsplit_once(' ').unwrap_or((name, ""));
        let tag = if tag.is_empty() { String::new() } else { format!("\t{tag}") };
        ready.entry(format!("{ring}{tag}")).or_default().insert(lane_key.to_owned());
    }
    let rings = part.iter().filter_map(|(key, kept)| Some((key.strip_prefix("T:")?, kept)));
    let rings: BTreeMap<String, BTreeSet<String>> =
        rings.map(|(ring, kept)| (ring.to_owned(), numbers(kept).into_keys().collect())).collect();
    for (ring, keys) in &rings {
        let (name, tag) = ring.split_once('\t').unwrap_or((ring, ""));
        let (lane, class) = name[2..].split_once(' ').unwrap_or((&name[2..], ""));
        let registry = if tag.is_empty() { lane.to_owned() } else { format!("{lane} {tag}") };
        add(format!("l:{registry}"), format!("{}{class}", name[..1].to_uppercase()), 0);
        let of_ring = ready.get(ring).cloned().unwrap_or_default();
        let strays: Vec<_> =
            keys.iter().filter(|key| !key.is_empty() && !of_ring.contains(*key)).collect();
        if !strays.is_empty() || keys.iter().all(String::is_empty) {
            faults.push(format!("in {ring} {keys:?} take turns, ready are {of_ring:?}"));
        }
    }
    for (ring, keys) in &ready {
        let (name, tag) =
            ring.split_once('\t').map_or((ring.as_str(), None), |(name, tag)| (name, Some(tag)));
        let (lane, class) = name[2..].split_once(' ').unwrap_or((&name[2..], ""));
        let entry = format!(
            "{}{class}{}",
            &name[..1],
            tag.map_or_else(String::new, |tag| format!("\t{tag}"))
        );
        for key in keys {
            let turns = rings.get(ring).is_some_and(|keys| keys.contains(key));
            let aside = part.get(format!("Z:{lane} {key}").as_str());
            let aside = aside.is_some_and(|kept| numbers(kept).contains_key(&entry));
            if !turns && !aside {
                faults.push(format!("{key} has something ready in {ring}, and no turn"));
            }
        }
    }
}

fn number(part: &BTreeMap<&str, &Kept>, key: &str, field: &str) -> Option<i64> {
    numbers(part.get(key)?).get(field).copied()
}

/// What is kept by name, as numbers where these are kept.
fn numbers(kept: &Kept) -> BTreeMap<String, i64> {
    let text = |bytes: &Vec<u8>| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let parse = |text: &str| text.parse().unwrap_or(0);
    match kept {
        Kept::Hash(fields) => {
            fields.iter().map(|(name, value)| (text(name), parse(&text(value)))).collect()
        }
        Kept::Sorted(members) => {
            members.iter().map(|(member, score)| (text(member), parse(score))).collect()
        }
        Kept::Set(members) => members.iter().map(|member| (text(member), 0)).collect(),
        _ => BTreeMap::new(),
    }
}
