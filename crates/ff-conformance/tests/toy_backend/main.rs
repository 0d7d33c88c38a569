//! A whole backend in a few hundred lines, and what the suite says of it.
//!
//! `cargo test -p ff-conformance --test toy_backend` runs the suite; the guide for backend
//! authors walks through the code. It is correct and slow: every call looks at every row.

mod budgets;
mod claims;
mod flows;
mod lanes;
mod schedules;
mod toy;
mod verbs;
mod waits;

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::{Harness, HarnessError, Inspect, Opened};
use ff_engine::ManualClock;
use ff_engine::machine::{self, ExecutionRecord};

use toy::{Table, Toy};

// region: harness
struct ToyHarness;

#[async_trait]
impl Harness for ToyHarness {
    fn name(&self) -> &'static str {
        "toy"
    }

    async fn open(&self) -> Result<Opened, HarnessError> {
        let clock = ManualClock::default();
        let toy = Arc::new(Toy::new(Arc::new(clock.clone())));
        Ok(Opened::new(Arc::clone(&toy) as _, Arc::new(clock), Arc::new(Inside(toy))))
    }
}

fn main() -> ExitCode {
    ff_conformance::main(ToyHarness)
}
// endregion

// region: inside
struct Inside(Arc<Toy>);

#[async_trait]
impl Inspect for Inside {
    /// A backend without indexes has none that could differ from its records, but what a flow
    /// counts could differ from its members.
    async fn check(&self) -> Result<(), Vec<String>> {
        let table = self.0.table();
        let mut faults = Vec::new();
        for flow in table.flows.values() {
            let is_member = |row: &&ExecutionRecord| {
                row.node.as_deref().is_some_and(|node| node.flow == flow.id)
            };
            let members: Vec<_> = table.rows.values().filter(is_member).collect();
            faults.extend(machine::flow_contradictions(flow, &members));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    async fn snapshot(&self) -> String {
        let table = self.0.table();
        let Table { rows, flows, schedules, keys, .. } = &*table;
        format!("{rows:?} {flows:?} {schedules:?} {keys:?}")
    }

    async fn leftovers(&self) -> u64 {
        let table = self.0.table();
        (table.rows.len() + table.flows.len() + table.keys.len() + table.answers.len()) as u64
    }
}
// endregion
