//! The flows of a partition, compared with their members.

use std::collections::BTreeMap;

use ff_backend_valkey::testing::{decode_flow, decode_links};
use ff_engine::machine::{ExecutionRecord, FlowRecord, Links, flow_contradictions};
use ff_types::{ExecutionId, FlowId};

use super::store::{Index, Kept};

/// The stored values of a partition, by key.
type Part<'p> = BTreeMap<&'p str, &'p Kept>;

/// Compares every flow with its members, and notes where the flows have to stand.
pub(super) fn check(
    part: &Part<'_>,
    records: &BTreeMap<ExecutionId, ExecutionRecord>,
    index: &mut Index,
    faults: &mut Vec<String>,
) {
    let mut members = 0;
    for (key, kept) in part {
        let Some(id) = key.strip_prefix("f:") else { continue };
        match flow(part, id, kept) {
            Ok(flow) => {
                let ids = (0..).take(flow.nodes.len()).map(|index| flow.id.member(index));
                // The library looks the cancellation up in the flow.
                let told = |record: &ExecutionRecord| ExecutionRecord {
                    flow_cancel: flow.run.member_cancel().filter(|_| flow.run.ended_at.is_none()),
                    ..record.clone()
                };
                let its: Vec<_> = ids.filter_map(|id| records.get(&id)).map(told).collect();
                members += its.len() + hidden(kept, &flow, records);
                faults.extend(flow_contradictions(&flow, &its.iter().collect::<Vec<_>>()));
                place(&flow, index);
            }
            Err(problem) => faults.push(format!("flow {id}: {problem}")),
        }
    }
    let nodes = records.values().filter(|record| record.node.is_some()).count();
    if nodes != members {
        faults.push(format!("{nodes} nodes, of which flows know {members}"));
    }
    faults.extend(
        part.keys().filter(|key| key.starts_with("z:")).map(|key| format!("{key} is left")),
    );
}

/// Nodes behind the last that somebody staged and another extension overtook: nobody sees them, and they go
/// with the flow.
fn hidden(
    kept: &Kept,
    flow: &FlowRecord,
    records: &BTreeMap<ExecutionId, ExecutionRecord>,
) -> usize {
    let Kept::Hash(fields) = kept else { return 0 };
    let stored = fields.get(b"sm".as_slice()).and_then(|most| std::str::from_utf8(most).ok());
    let stored: u16 = stored.and_then(|most| most.parse().ok()).unwrap_or(0);
    let behind = (0..stored).skip(flow.nodes.len()).map(|index| flow.id.member(index));
    behind.filter(|id| records.contains_key(id)).count()
}

fn flow(part: &Part<'_>, id: &str, kept: &Kept) -> Result<FlowRecord, String> {
    let Kept::Hash(fields) = kept else { return Err("is no hash".to_owned()) };
    for passing in ["lf", "bl", "sw", "sx", "sg"] {
        if fields.contains_key(passing.as_bytes()) {
            return Err(format!("has {passing} although nothing is under way"));
        }
    }
    let id: FlowId = id.parse().map_err(|_| "is no id".to_owned())?;
    let mut flow = decode_flow(id, fields.clone()).map_err(|error| error.to_string())?;
    for (links, index) in flow.nodes.iter_mut().zip(0..) {
        *links = links_of(part, id.member(index))?;
    }
    Ok(flow)
}

fn links_of(part: &Part<'_>, id: ExecutionId) -> Result<Links, String> {
    let Some(Kept::Hash(fields)) = part.get(format!("e:{id}").as_str()) else {
        return Err(format!("its member {id} is gone"));
    };
    let side = |inline: &str, count: &str, kind: &str| {
        let apart = part.get(format!("j:{kind}{id}").as_str());
        let bytes = match (fields.get(inline.as_bytes()), apart) {
            (Some(bytes), None) | (None, Some(Kept::Text(bytes))) => bytes.clone(),
            (None, None) => Vec::new(),
            _ => return Err(format!("{id} has edges in two places")),
        };
        let said = fields.get(count.as_bytes());
        if said.is_some_and(|said| *said != (bytes.len() / 3).to_string().into_bytes()) {
            return Err(format!("{id} says otherwise of its edges than there is"));
        }
        decode_links(&bytes).ok_or_else(|| format!("{id} has an edge that cannot be read"))
    };
    Ok(Links { children: side("ch", "ck", "c")?, parents: side("pa", "hk", "p")? })
}

fn place(flow: &FlowRecord, index: &mut Index) {
    let mut add = |key: String, member: String, score: i64| {
        index.entry(key).or_default().insert(member, score);
    };
    add("f".to_owned(), flow.id.to_string(), 0);
    if let Some(due) = flow.due() {
        add("d".to_owned(), format!("f{}", flow.id), due.as_i64());
        for (key, value) in flow.tags.iter() {
            add(format!("d:{key} {value}"), format!("f{}", flow.id), due.as_i64());
        }
    }
}
