//! The embedded engine under the behaviour suite.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ff_backend_mem::MemBackend;
use ff_conformance::{Harness, HarnessError, Inspect, Opened, canary};
use ff_engine::ManualClock;
use ff_types::Namespace;

/// Counts the namespaces it opened.
#[derive(Default)]
struct MemHarness(AtomicU64);

struct Inside(MemBackend);

#[async_trait]
impl Harness for MemHarness {
    fn name(&self) -> &'static str {
        "mem"
    }

    async fn open(&self) -> Result<Opened, HarnessError> {
        let clock = ManualClock::default();
        let namespace = format!("case-{}", self.0.fetch_add(1, Ordering::Relaxed));
        let backend = MemBackend::builder()
            .key_ring(canary::key_ring()?)
            .namespace(Namespace::new(namespace)?)
            .clock(Arc::new(clock.clone()));
        #[cfg(feature = "mutants")]
        let backend = mutants::broken(backend);
        let backend = backend.build();
        let inside = Arc::new(Inside(backend.clone()));
        Ok(Opened::new(Arc::new(backend), Arc::new(clock), inside))
    }
}

#[async_trait]
impl Inspect for Inside {
    async fn check(&self) -> Result<(), Vec<String>> {
        self.0.check()
    }

    async fn snapshot(&self) -> String {
        self.0.snapshot()
    }

    async fn leftovers(&self) -> u64 {
        let usage = self.0.usage();
        let kept = usage.records + usage.flows + usage.lanes + usage.queued + usage.timers;
        (kept + usage.keys + usage.repeats + usage.awaited + usage.waitpoints) as u64
    }
}

/// Broken variants: `FF_MUTATION` names one, and `list` prints their names.
#[cfg(feature = "mutants")]
mod mutants {
    use ff_backend_mem::{MemBuilder, Mutation};

    pub(super) fn broken(builder: MemBuilder) -> MemBuilder {
        let Ok(name) = std::env::var("FF_MUTATION") else {
            return builder;
        };
        match Mutation::ALL.iter().find(|mutation| format!("{mutation:?}") == name) {
            Some(mutation) => builder.mutation(*mutation),
            None => builder,
        }
    }

    #[expect(clippy::print_stdout, reason = "the list is the answer")]
    pub(super) fn listed() -> bool {
        let asked = std::env::var("FF_MUTATION").is_ok_and(|name| name == "list");
        if asked {
            for mutation in Mutation::ALL {
                println!("{mutation:?}");
            }
        }
        asked
    }
}

fn main() -> ExitCode {
    #[cfg(feature = "mutants")]
    if mutants::listed() {
        return ExitCode::SUCCESS;
    }
    ff_conformance::main(MemHarness::default())
}
