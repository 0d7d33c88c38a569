//! Everything that a namespace keeps, read behind the backend's back and compared with what the
//! records say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use ff_backend_valkey::testing::decode;
use ff_conformance::HarnessError;
use ff_engine::WaitpointState;
use ff_engine::machine::{ExecutionRecord, Placement, Queue, QueueOrder, contradictions};
use ff_types::{ExecutionId, Namespace, TimestampMs};
use ff_valkey_server::{Connection, Reply};

use super::budgets;
use super::flows;
use super::lanes;
use super::schedules;
use super::servers::Servers;

/// The distance of two ranks in a score, as `placement.lua` has it.
const RANK: i64 = 1 << 45;

/// One namespace on a server. What is in it goes when it is dropped.
pub(crate) struct Store {
    pattern: String,
    partitions: Vec<String>,
    connections: Mutex<Vec<Connection>>,
}

/// What is kept under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    Text(Vec<u8>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    List(Vec<Vec<u8>>),
    Sorted(BTreeMap<Vec<u8>, String>),
}

const READ: &str = "#!lua flags=allow-cross-slot-keys
local out = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' then
    out[#out + 1] = { key, kind, { redis.call('GET', key) } }
  elseif kind == 'hash' then
    out[#out + 1] = { key, kind, redis.call('HGETALL', key) }
  elseif kind == 'set' then
    out[#out + 1] = { key, kind, redis.call('SMEMBERS', key) }
  elseif kind == 'list' then
    out[#out + 1] = { key, kind, redis.call('LRANGE', key, 0, -1) }
  elseif kind == 'stream' then
    local events = {}
    for _, event in ipairs(redis.call('XRANGE', key, '-', '+')) do
      events[#events + 1] = event[1] .. ' ' .. event[2][2]
    end
    out[#out + 1] = { key, kind, events }
  elseif kind == 'zset' then
    out[#out + 1] = { key, kind, redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') }
  end
end
return out";

const DROP: &str = "#!lua flags=allow-cross-slot-keys
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  redis.call('UNLINK', key)
end";

impl Store {
    /// A look at a namespace of this many partitions.
    pub(crate) fn open(
        servers: &Servers,
        namespace: &Namespace,
        partitions: u16,
    ) -> Result<Arc<Self>, HarnessError> {
        let partition = |number| format!("ff:{{{namespace}/{number}}}:");
        Ok(Arc::new(Self {
            pattern: format!("ff:{{{namespace}/*"),
            partitions: (0..partitions).map(partition).collect(),
            connections: Mutex::new(servers.connections()?),
        }))
    }

    /// Sets the clock of every partition.
    pub(crate) fn set_clock(&self, now: TimestampMs) {
        let now = now.to_string();
        for partition in &self.partitions {
            let key = format!("{partition}clock");
            self.somewhere(&["SET", &key, &now]);
        }
    }

    /// Sends a command about one key to the node that has it.
    fn somewhere(&self, words: &[&str]) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = connections.iter_mut().any(|connection| {
            let reply = connection.command(words).expect("the server answers");
            !matches!(reply, Reply::Error(text) if text.starts_with("MOVED"))
        });
        assert!(taken, "no node takes {words:?}");
    }

    /// Every key with what is under it.
    pub(crate) fn read(&self) -> BTreeMap<String, Kept> {
        let mut all = BTreeMap::new();
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for connection in connections.iter_mut() {
            let reply = connection.command(&["EVAL", READ, "0", &self.pattern]);
            let reply = reply.and_then(Reply::into_result).expect("the script reads");
            for entry in reply.as_array().expect("a list of keys") {
                let (key, kept) = kept(entry).expect("a key with its kind and content");
                all.insert(key, kept);
            }
        }
        all
    }

    /// Everything that counts, as text. Who waits, and the clock, are not state.
    pub(crate) fn snapshot(&self) -> String {
        let mut text = String::new();
        for (key, kept) in self.read() {
            if !self.is_passing(&key) {
                writeln!(text, "{key} {kept:?}").expect("writing to a string never fails");
            }
        }
        text
    }

    /// How many keys there are beyond those of an empty namespace.
    pub(crate) fn leftovers(&self) -> u64 {
        let left: Vec<_> = self
            .read()
            .into_keys()
            .filter(|key| !Self::is_constant(key) && !key.ends_with(":m"))
            .collect();
        left.len() as u64
    }

    fn is_constant(key: &str) -> bool {
        let stays = key.rsplit_once("}:").is_some_and(|(_, rest)| {
            ["B", "L", "M:", "N:", "X:"].iter().any(|start| rest.starts_with(start))
        });
        key.ends_with(":mark") || key.ends_with(":clock") || key.ends_with(":h") || stays
    }

    fn is_passing(&self, key: &str) -> bool {
        key.ends_with(":clock")
            || key.ends_with(":m")
            || key.ends_with(":w")
            || key.ends_with(":h:")
            || self.partitions.iter().any(|partition| {
                key.strip_prefix(partition.as_str()).is_some_and(|rest| rest.starts_with("w:"))
            })
    }

    /// Compares every index with what the records say.
    pub(crate) fn check(&self) -> Result<(), Vec<String>> {
        let mut faults = Vec::new();
        let all = self.read();
        for partition in &self.partitions {
            let part: BTreeMap<&str, &Kept> = all
                .iter()
                .filter_map(|(key, kept)| Some((key.strip_prefix(partition.as_str())?, kept)))
                .collect();
            check_partition(&part, &mut faults);
        }
        budgets::check_shares(&self.partitions, &all, &mut faults);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for connection in connections.iter_mut() {
            // The server may be gone already.
            let _cleared = connection.command(&["EVAL", DROP, "0", &self.pattern]);
        }
    }
}

fn kept(entry: &Reply) -> Option<(String, Kept)> {
    let [key, kind, content] = entry.as_array()? else { return None };
    let content: Vec<Vec<u8>> = content
        .as_array()?
        .iter()
        .map(|item| match item {
            Reply::Bulk(Some(bytes)) => Some(bytes.clone()),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let pairs = || content.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    let kept = match kind.as_str()? {
        "string" => Kept::Text(content.first()?.clone()),
        "hash" => Kept::Hash(pairs().collect()),
        "set" => Kept::Set(content.iter().cloned().collect()),
        "list" | "stream" => Kept::List(content),
        _ => Kept::Sorted(
            pairs()
                .map(|(member, score)| String::from_utf8(score).ok().map(|score| (member, score)))
                .collect::<Option<_>>()?,
        ),
    };
    let Reply::Bulk(Some(key)) = key else { return None };
    // Keys with ids of requests in them hold bytes that are no text.
    Some((key.iter().map(|byte| char::from(*byte)).collect(), kept))
}

/// The members of the sorted sets and sets of one partition, by key.
pub(super) type Index = BTreeMap<String, BTreeMap<String, i64>>;

fn check_partition(part: &BTreeMap<&str, &Kept>, faults: &mut Vec<String>) {
    let mut rebuilt = Index::new();
    let mut records = BTreeMap::new();
    for (key, kept) in part {
        let Some(id) = key.strip_prefix("e:") else { continue };
        match record(part, id, kept) {
            Ok(record) => {
                faults.extend(contradictions(&record));
                place(&record, &mut rebuilt);
                records.insert(record.submission.id(), record);
            }
            Err(problem) => faults.push(format!("{id}: {problem}")),
        }
    }
    flows::check(part, &records, &mut rebuilt, faults);
    budgets::check(part, &records, &mut rebuilt, faults);
    lanes::check(part, &records, &mut rebuilt, faults);
    schedules::check(part, &mut rebuilt, faults);
    for key in part.keys() {
        let named = ["b:", "p:", "v:", "y:", "u:", "t:", "g:", "s:", "c:", "U:", "j:c", "j:p"]
            .iter()
            .find_map(|kind| key.strip_prefix(kind));
        let owner = named.map(|rest| rest.get(..32).unwrap_or(rest));
        if owner.is_some_and(|id| !part.contains_key(format!("e:{id}").as_str())) {
            faults.push(format!("{key} belongs to no execution"));
        }
    }
    let stored = indexes(part);
    for (key, members) in &stored {
        let expected = rebuilt.get(key);
        if expected != Some(members) {
            faults.push(format!("{key} holds {members:?}, the records say {expected:?}"));
        }
    }
    for key in rebuilt.keys().filter(|key| !stored.contains_key(*key)) {
        faults.push(format!("{key} is missing: {:?}", rebuilt[key]));
    }
}

fn record(part: &BTreeMap<&str, &Kept>, id: &str, kept: &Kept) -> Result<ExecutionRecord, String> {
    let Kept::Hash(fields) = kept else { return Err("is no hash".to_owned()) };
    let long = match part.get(format!("b:{id}").as_str()) {
        Some(Kept::Hash(long)) => long.clone(),
        _ => BTreeMap::new(),
    };
    let payload = match part.get(format!("p:{id}").as_str()) {
        Some(Kept::Text(payload)) => payload.clone(),
        _ => Vec::new(),
    };
    if let Some((field, _)) = fields.iter().find(|(_, value)| value.len() > 64) {
        let long = ["cl", "tg", "kd", "ct", "bu", "es", "rv"]
            .map(str::as_bytes)
            .contains(&field.as_slice());
        if !long {
            return Err(format!("keeps {} over 64 bytes", field.escape_ascii()));
        }
    }
    let waits = waits(part, id, fields.contains_key(b"wv".as_slice()))?;
    check_kept(part, id, fields)?;
    let id: ExecutionId = id.parse().map_err(|_| "is no id".to_owned())?;
    let all = fields.clone().into_iter().chain(long).chain(waits);
    decode(id, all, payload).map_err(|error| error.to_string())
}

/// What a handler keeps is there exactly when the record says so, and as much of it.
fn check_kept(
    part: &BTreeMap<&str, &Kept>,
    id: &str,
    fields: &BTreeMap<Vec<u8>, Vec<u8>>,
) -> Result<(), String> {
    if fields.contains_key(b"sk".as_slice()) != part.contains_key(format!("t:{id}").as_str()) {
        return Err("says otherwise of its state than there is".to_owned());
    }
    let steps = match part.get(format!("g:{id}").as_str()) {
        Some(Kept::Hash(steps)) => steps.len(),
        _ => 0,
    };
    let said = fields.get(b"sn".as_slice()).and_then(|totals| std::str::from_utf8(totals).ok());
    let said = said.and_then(|totals| totals.split_once(' ')?.0.parse().ok()).unwrap_or(0);
    if steps != said {
        return Err(format!("says it has {said} steps, of which there are {steps}"));
    }
    Ok(())
}

/// A field of a hash, and its value.
type Field = (Vec<u8>, Vec<u8>);

/// The fields of the waits of an execution. Of every signal in them there is a body, and no other.
fn waits(part: &BTreeMap<&str, &Kept>, id: &str, marked: bool) -> Result<Vec<Field>, String> {
    let hash = |kind: &str| match part.get(format!("{kind}:{id}").as_str()) {
        Some(Kept::Hash(fields)) => fields.clone(),
        _ => BTreeMap::new(),
    };
    let (waits, bodies) = (hash("v"), hash("y"));
    if marked == waits.is_empty() {
        return Err(format!("says {marked} of having waits, of which there are {}", waits.len()));
    }
    let order = |name: &Vec<u8>| match name.as_slice() {
        [b'k' | b'z', order @ ..] if !order.is_empty() => Some(order.to_vec()),
        _ => None,
    };
    let orders: BTreeSet<Vec<u8>> = waits.keys().filter_map(order).collect();
    if orders != bodies.into_keys().collect() {
        return Err("has other bodies of signals than signals".to_owned());
    }
    let named = |name: Vec<u8>| [b"v:".as_slice(), &name].concat();
    Ok(waits.into_iter().map(|(name, value)| (named(name), value)).collect())
}

/// Where a record has to stand.
fn place(record: &ExecutionRecord, index: &mut Index) {
    let submission = &record.submission;
    let id = submission.id().to_string();
    let mut add = |key: String, member: &str, score: i64| {
        index.entry(key).or_default().insert(member.to_owned(), score);
    };
    add("a".to_owned(), &id, 0);
    for waitpoint in &record.run.waits().waitpoints {
        if waitpoint.state != WaitpointState::Closed {
            add("o".to_owned(), &format!("{} {id}", waitpoint.id), 0);
        }
    }
    let placement = Placement::of(record);
    let tags: Vec<String> =
        submission.tags.iter().map(|(key, value)| format!("{key} {value}")).collect();
    if let Some(due) = placement.due {
        add("d".to_owned(), &id, due.as_i64());
        for tag in &tags {
            add(format!("d:{tag}"), &id, due.as_i64());
        }
    }
    let score = |order: QueueOrder| {
        (100 + i64::from(order.rank)) * RANK + order.ready_at.as_i64().min(RANK - 1)
    };
    match (record.run.blocked_on, record.run.set_aside) {
        (Some(budget), None) => {
            add(format!("W:{budget}"), &id, score(QueueOrder::of(record)));
        }
        (Some(budget), Some(generation)) => {
            add(format!("V:{budget}"), &id, i64::try_from(generation).unwrap_or(-1));
        }
        (None, _) => {}
    }
    let Some((queue, order)) = placement.queue else { return };
    let letter = match queue {
        Queue::Ready => "f",
        Queue::Reclaim => "c",
    };
    let score = score(order);
    let (lane, class) = (&submission.lane, submission.capabilities.as_str());
    if let Some(key) = &submission.lane_key {
        add(format!("A:{lane}"), &id, order.ready_at.as_i64());
        add(format!("Q:{letter}:{lane} {class} {key}"), &id, score);
        for tag in tags.iter().filter(|_| queue == Queue::Reclaim) {
            add(format!("Q:{letter}:{lane} {class} {key}\t{tag}"), &id, score);
        }
        return;
    }
    add(format!("q:{letter}:{lane} {class}"), &id, score);
    add(format!("l:{lane}"), &format!("{letter}{class}"), 0);
    if queue == Queue::Reclaim {
        for tag in &tags {
            add(format!("q:{letter}:{lane} {class}\t{tag}"), &id, score);
            add(format!("l:{lane} {tag}"), &format!("{letter}{class}"), 0);
        }
    }
}

fn indexes(part: &BTreeMap<&str, &Kept>) -> Index {
    let is_index = |key: &str| {
        matches!(key, "a" | "d" | "f" | "o" | "B" | "L" | "S")
            || ["d:", "q:", "l:", "A:", "Q:", "W:", "V:"].iter().any(|start| key.starts_with(start))
    };
    let text = |bytes: &Vec<u8>| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    part.iter()
        .filter(|(key, _)| is_index(key))
        .map(|(key, kept)| {
            let members = match kept {
                Kept::Sorted(members) => members
                    .iter()
                    .map(|(member, score)| (text(member), score.parse::<f64>().unwrap_or(-1.0)))
                    .map(|(member, score)| (member, format!("{score:.0}").parse().unwrap_or(-1)))
                    .collect(),
                Kept::Set(members) => members.iter().map(|member| (text(member), 0)).collect(),
                _ => BTreeMap::new(),
            };
            ((*key).to_owned(), members)
        })
        .collect()
}
