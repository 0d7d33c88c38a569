//! Valkey under the behaviour suite, every history compared with the embedded engine.
//!
//! `FF_TEST_SERVER` and `FF_VALKEY_URL` choose the server, `FF_TEST_PARTITIONS` how many partitions
//! a namespace has. With more than one the order between partitions is free, so that histories are
//! held to the invariants only.

mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ff_backend_mem::MemBackend;
use ff_conformance::{Harness, HarnessError, Inspect, Opened};
use ff_engine::ManualClock;
use ff_types::Namespace;

use support::harness::ValkeyHarness;
use support::servers::Servers;

/// The embedded engine as the oracle of histories.
#[derive(Default)]
struct Oracle(AtomicU64);

struct Inside(MemBackend);

#[async_trait]
impl Harness for Oracle {
    fn name(&self) -> &'static str {
        "mem"
    }

    async fn open(&self) -> Result<Opened, HarnessError> {
        let clock = ManualClock::default();
        let namespace = format!("oracle-{}", self.0.fetch_add(1, Ordering::Relaxed));
        let builder = MemBackend::builder().namespace(Namespace::new(namespace)?);
        let backend = builder.clock(Arc::new(clock.clone())).build();
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
        0
    }
}

#[expect(clippy::print_stderr, reason = "the reason why nothing ran")]
fn main() -> ExitCode {
    let partitions = match std::env::var("FF_TEST_PARTITIONS") {
        Ok(text) => text.parse().unwrap_or(1),
        Err(_) => 1,
    };
    let server = std::env::var("FF_TEST_SERVER").unwrap_or_else(|_| "valkey".to_owned());
    let servers = match Servers::start() {
        Ok(servers) => servers,
        Err(error) => {
            eprintln!("no server: {error}");
            return ExitCode::FAILURE;
        }
    };
    let harness = ValkeyHarness::new(format!("{server} P={partitions}"), servers, partitions);
    if partitions == 1 {
        ff_conformance::main_against(harness, Oracle::default())
    } else {
        ff_conformance::main(harness)
    }
}
