//! The engine checks itself: every index is rebuilt from the records and compared.

use std::collections::{BTreeMap, BTreeSet};

use ff_engine::OnBreach;
use ff_engine::machine::{self, ExecutionRecord, LaneRecord, Queue, ScheduleRecord};
use ff_types::{BudgetId, ExecutionId, LaneId, Tags, TimestampMs, WaitpointId};

use crate::MemBackend;
use crate::store::{Store, not_closed};
use crate::timers::Timed;

/// How much an engine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Records of executions.
    pub records: usize,
    /// Flows.
    pub flows: usize,
    /// Lanes with something queued or someone waiting.
    pub lanes: usize,
    /// Entries in ready and reclaim queues.
    pub queued: usize,
    /// Entries in the due-index.
    pub timers: usize,
    /// Idempotency keys.
    pub keys: usize,
    /// Remembered answers of claims.
    pub repeats: usize,
    /// Executions and flows whose end somebody waits for.
    pub awaited: usize,
    /// Waitpoints that are not closed.
    pub waitpoints: usize,
    /// Waiting claims woken so far because something became ready.
    pub wakeups: u64,
}

impl MemBackend {
    /// How much the engine holds.
    pub fn usage(&self) -> Usage {
        let store = self.store();
        Usage {
            records: store.records.len(),
            flows: store.flows.len(),
            lanes: store.queues.lanes(),
            queued: store.queues.entries().count(),
            timers: store.timers.all().len(),
            keys: store.keys.len(),
            repeats: store.repeats.len(),
            awaited: store.end_waiters.len() + store.flows.awaited(),
            waitpoints: store.waitpoints.len(),
            wakeups: store.queues.wakeups(),
        }
    }

    /// Compares every index with what the records say, and every record with what its state
    /// implies.
    ///
    /// # Errors
    /// One sentence for each difference.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let store = self.store();
        let mut faults = Vec::new();
        for record in store.records.values() {
            faults.extend(machine::contradictions(record));
        }
        for flow in store.flows.range(..) {
            let members: Vec<_> = store.members(flow).collect();
            faults.extend(machine::flow_contradictions(flow, &members));
        }
        faults.extend(strays(&store));
        faults.extend(store.schedules.range(..).filter_map(astray));
        compare("queues", &queued(&store), &queued_by_records(&store), &mut faults);
        compare("timers", &timed(&store), &timed_by_records(&store), &mut faults);
        let everybodys = timers_by_records(&store);
        let everybodys =
            everybodys.into_iter().filter(|((_, timed), tags)| timed.is_everybodys(tags));
        let everybodys = everybodys.map(|(entry, _)| entry).collect();
        compare("everybody's timers", store.timers.everybodys(), &everybodys, &mut faults);
        compare("tagged timers", &tagged(&store), &tagged_by_records(&store), &mut faults);
        compare(
            "budgets",
            &store.budgets.waits().collect(),
            &blocked_by_records(&store),
            &mut faults,
        );
        faults.extend(reservations(&store));
        faults.extend(leases(&store));
        compare("waitpoints", &store.waitpoints, &waitpoints_by_records(&store), &mut faults);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// The records and indexes in text form, for comparing two moments. Bytes of payloads are not
    /// in it; their digests are.
    pub fn snapshot(&self) -> String {
        let store = self.store();
        let records: Vec<_> = store
            .records
            .values()
            .map(|record| {
                (
                    (record.submission.id(), record.fingerprint),
                    (&record.flow_cancel, &record.reports),
                    &record.run,
                )
            })
            .collect();
        let flows: Vec<_> = store.flows.range(..).collect();
        format!(
            "{records:?} {flows:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            (store.budgets.range(..).collect::<Vec<_>>(), lanes(&store)),
            store.schedules.range(..).collect::<Vec<_>>(),
            store.log.entries().collect::<Vec<_>>(),
            queued(&store),
            timed(&store),
            store.keys.entries(),
            store.repeats.entries(),
        )
    }
}

fn compare<T: Ord + std::fmt::Debug>(
    name: &str,
    kept: &BTreeSet<T>,
    rebuilt: &BTreeSet<T>,
    faults: &mut Vec<String>,
) {
    faults.extend(kept.difference(rebuilt).map(|entry| format!("{name}: stray {entry:?}")));
    faults.extend(rebuilt.difference(kept).map(|entry| format!("{name}: missing {entry:?}")));
}

type Queued = (String, String, Queue, (ff_engine::machine::QueueOrder, ExecutionId));

fn queued(store: &Store) -> BTreeSet<Queued> {
    store
        .queues
        .entries()
        .map(|(lane, class, queue, place)| (lane.to_string(), class.to_string(), queue, *place))
        .collect()
}

fn queued_by_records(store: &Store) -> BTreeSet<Queued> {
    let entry = |record: &ExecutionRecord| {
        let submission = &record.submission;
        let (queue, order) = store.placement(record).queue?;
        let (lane, class) = (submission.lane.to_string(), submission.capabilities.to_string());
        Some((lane, class, queue, (order, submission.id())))
    };
    store.records.values().filter_map(|record| entry(record)).collect()
}

fn timed(store: &Store) -> BTreeSet<(TimestampMs, Timed)> {
    store.timers.all().clone()
}

fn timed_by_records(store: &Store) -> BTreeSet<(TimestampMs, Timed)> {
    timers_by_records(store).into_iter().map(|(entry, _)| entry).collect()
}

/// The tags of a lane.
static NO_TAGS: Tags = Tags::new();

/// What is due when by the records, and the tags of each.
fn timers_by_records(store: &Store) -> Vec<((TimestampMs, Timed), &Tags)> {
    let of_execution = |record: &ExecutionRecord| {
        Some((store.placement(record).due?, Timed::Execution(record.submission.id())))
    };
    let executions = store
        .records
        .values()
        .filter_map(|record| of_execution(record).map(|entry| (entry, &record.submission.tags)));
    let flows = store
        .flows
        .range(..)
        .filter_map(|flow| flow.due().map(|at| ((at, Timed::Flow(flow.id)), &flow.tags)));
    let budgets = store.budgets.range(..).filter_map(|(budget, _)| {
        let (id, tags) = (budget.spec.id, &budget.spec.tags);
        budget.look_at.map(|at| ((at, Timed::Budget(id)), tags))
    });
    let lanes = store.queues.records().filter_map(|(id, record, _)| {
        record.look_at.map(|at| ((at, Timed::Lane(id.clone())), &NO_TAGS))
    });
    let schedules = store.schedules.range(..).filter_map(|schedule| {
        schedule.due.map(|at| ((at, Timed::Schedule(schedule.id)), &schedule.tags))
    });
    executions.chain(flows).chain(budgets).chain(lanes).chain(schedules).collect()
}

type Waiting = (BudgetId, Result<ff_engine::machine::lane::Place, (u64, ExecutionId)>);

fn blocked_by_records(store: &Store) -> BTreeSet<Waiting> {
    let of = |record: &ExecutionRecord| {
        let (order, id) = (machine::QueueOrder::of(record), record.submission.id());
        let waits = match record.run.set_aside {
            None => Ok((order, id)),
            Some(generation) => Err((generation, id)),
        };
        record.run.blocked_on.map(|budget| (budget, waits))
    };
    store.records.values().filter_map(|record| of(record)).collect()
}

/// Budgets whose reservations are not those of the leases that are held, or that pass a hard limit.
fn reservations(store: &Store) -> Vec<String> {
    let mut faults = Vec::new();
    for (budget, _) in store.budgets.range(..) {
        for (name, dimension) in &budget.dimensions {
            let held = store.records.values().filter(|record| {
                record.submission.budgets().contains(&budget.spec.id)
                    && budget.spec.on_breach != OnBreach::Report
            });
            let held = held.filter_map(|record| machine::held_reservation(&record.run));
            let sum: u64 = held.filter_map(|reserved| reserved.get(name)).sum();
            if sum != dimension.reserved {
                let reserved = dimension.reserved;
                faults.push(format!(
                    "budget {}: {reserved} {name} reserved, leases {sum}",
                    budget.spec.id
                ));
            }
        }
    }
    faults
}

/// What is known of the lanes, in the order of their names.
fn lanes(store: &Store) -> BTreeMap<&LaneId, &LaneRecord> {
    store.queues.records().map(|(id, record, _)| (id, record)).collect()
}

/// Lanes whose counters are not those of the leases that are held.
fn leases(store: &Store) -> Vec<String> {
    let mut held: BTreeMap<&LaneId, (u64, u64)> = BTreeMap::new();
    for record in store.records.values() {
        let (leases, tokens) = held.entry(&record.submission.lane).or_default();
        *leases += u64::from(record.run.lease.is_some());
        *tokens += u64::from(record.run.grant.is_some());
    }
    let known = lanes(store);
    let names: BTreeSet<_> = held.keys().chain(known.keys()).copied().collect();
    let counted = |id: &LaneId| known.get(id).map_or((0, 0), |lane| (lane.leases, lane.tokens));
    let differs = |id: &&LaneId| counted(id) != held.get(id).copied().unwrap_or_default();
    let fault = |id: &LaneId| {
        let (counted, held) = (counted(id), held.get(id).copied().unwrap_or_default());
        format!("lane {id}: {counted:?} leases and tokens counted, {held:?} held")
    };
    let forgotten = known.iter().flat_map(|(id, lane)| {
        let keys = lane.forgotten_keys().into_iter();
        keys.map(move |key| format!("lane {id}: {key} is aside, and nobody looks"))
    });
    names.into_iter().filter(differs).map(fault).chain(forgotten).collect()
}

/// What is wrong with the next occurrence of a schedule, if anything: it is the first behind all that is
/// decided.
fn astray(schedule: &ScheduleRecord) -> Option<String> {
    let first = machine::first_due(schedule.id, &schedule.spec, schedule.through);
    let first = first.ok().flatten().filter(|_| schedule.paused.is_none());
    let (next, due) = (first.map(|(at, _)| at), first.map(|(_, due)| due));
    let sound = schedule.next == next && (schedule.due == due || schedule.waiting.is_some());
    (!sound).then(|| format!("schedule {}: {schedule:?}, its next is {first:?}", schedule.id))
}

/// Members whose flow is not there, or does not know them.
fn strays(store: &Store) -> Vec<String> {
    let knows = |record: &ExecutionRecord| {
        record.node.as_deref().is_none_or(|node| {
            let flow = store.flows.get(node.flow);
            flow.is_some_and(|flow| (node.index as usize) < flow.nodes.len())
        })
    };
    let strays = store.records.values().filter(|record| !knows(record));
    strays.map(|record| format!("{}: its flow does not know it", record.submission.id())).collect()
}

fn waitpoints_by_records(store: &Store) -> BTreeSet<(WaitpointId, ExecutionId)> {
    let of = |record: &ExecutionRecord| {
        let id = record.submission.id();
        not_closed(&record.run).map(move |waitpoint| (waitpoint, id)).collect::<Vec<_>>()
    };
    store.records.values().flat_map(|record| of(record)).collect()
}

type Tagged = ((String, String), (TimestampMs, Timed));

fn tagged(store: &Store) -> BTreeSet<Tagged> {
    store.timers.tagged().map(|(tag, entry)| (tag.clone(), entry.clone())).collect()
}

fn tagged_by_records(store: &Store) -> BTreeSet<Tagged> {
    let mut entries = BTreeSet::new();
    for (entry, tags) in timers_by_records(store) {
        for (key, value) in tags.iter() {
            entries.insert(((key.to_owned(), value.to_owned()), entry.clone()));
        }
    }
    entries
}
