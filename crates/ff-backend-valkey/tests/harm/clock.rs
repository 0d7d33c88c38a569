//! A server clock that steps by an hour in either direction under load: leases that it ends are
//! fenced, nothing is lost, nothing ends twice, and everything ends.
//!
//! A real server follows the wall clock, so the library is the one whose clock a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_conformance::{CaseError, CaseResult};
use ff_engine::{Clock as _, EngineBackend, SystemClock};
use ff_types::TimestampMs;
use ff_valkey_server::{Options, Server};

use crate::load::Load;
use crate::site::Site;
use crate::support::store::Store;

const HOUR_MS: i64 = 3_600_000;
/// The steps, in hours. Behind each of them the clock goes on as time does.
const STEPS: [i64; 16] = [1, -1, -1, 1, 1, 1, -1, -1, -1, 1, -1, 1, 1, -1, -1, 1];
/// Completions between two steps.
const BETWEEN: usize = 20;
const GOES_ON: Duration = Duration::from_secs(15);
const ENDS: Duration = Duration::from_secs(30);
/// How fine the moved clock is.
const BEAT: Duration = Duration::from_millis(5);

/// The clock in the store: the real one, moved by some milliseconds.
struct Clock {
    offset_ms: Arc<AtomicI64>,
    beating: Arc<AtomicBool>,
}

impl Clock {
    fn start(store: Arc<Store>) -> Self {
        let clock = Self { offset_ms: Arc::default(), beating: Arc::new(AtomicBool::new(true)) };
        let (offset_ms, beating) = (Arc::clone(&clock.offset_ms), Arc::clone(&clock.beating));
        let beat = move || {
            let offset_ms = offset_ms.load(Ordering::Relaxed);
            store.set_clock(TimestampMs(SystemClock.now().as_i64() + offset_ms));
        };
        beat();
        tokio::spawn(async move {
            while beating.load(Ordering::Relaxed) {
                beat();
                tokio::time::sleep(BEAT).await;
            }
        });
        clock
    }

    fn step(&self, hours: i64) {
        self.offset_ms.fetch_add(hours * HOUR_MS, Ordering::Relaxed);
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.beating.store(false, Ordering::Relaxed);
    }
}

async fn connect(site: &Site) -> CaseResult<Arc<dyn EngineBackend>> {
    let builder = ValkeyBackend::builder(&site.config()?)?.partitions(site.partitions);
    Ok(Arc::new(builder.manual_clock(Arc::new(SystemClock)).connect().await?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_steps_by_an_hour_under_load_does_no_harm() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let store = site.store()?;
    let clock = Clock::start(Arc::clone(&store));
    let backends = [connect(&site).await?, connect(&site).await?];
    let mut load = Load::start(&site, &backends, 2, 4);

    for hours in STEPS {
        load.progress(BETWEEN, GOES_ON).await?;
        clock.step(hours);
    }
    // Behind the latest time there was, so that whatever was set by it comes due.
    clock.step(STEPS.iter().filter(|hours| **hours > 0).sum());
    let tally = load.finish(backends[0].as_ref(), ENDS).await?;

    println!(
        "{} steps, {} executions, {} late writes refused",
        STEPS.len(),
        tally.submitted,
        tally.refused
    );
    store.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
}
