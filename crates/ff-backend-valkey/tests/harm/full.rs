//! A server without memory left: what adds is refused with a code of its own and leaves nothing
//! half done, what drains goes on, and a server that would make room by eviction is not used.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_engine::{
    Clock as _, CreateSchedule, EngineBackend, EngineBackendExt as _, EngineError, ListRequest,
    Misfire, Overlap, Recurrence, ScheduleSpec, Submission, SystemClock, TickRequest,
    UpdateSummary,
};
use ff_types::backend::{Frame, FrameKind, ScannerFilter};
use ff_types::{ExecutionId, ExecutionPolicy, LaneId, Payload, TaskKind};
use ff_valkey_server::{Options, Server};

use crate::site::{LANE, Site, ensure, until};
use crate::support::store::Store;

const MAXMEMORY: &str = "12mb";
/// Less than an empty server uses: what is refused stays refused, whatever buffers are given back.
const NONE_LEFT: &str = "1mb";
const PAYLOAD_BYTES: usize = 50_000;
/// More than the memory has room for.
const TOO_MANY: usize = 1_000;
/// How many a worker takes at once.
const MOST: u32 = 16;
const GONE: Duration = Duration::from_secs(10);

fn start(maxmemory: &str, policy: &str) -> CaseResult<Server> {
    let options = Options::new().config("maxmemory", maxmemory).config("maxmemory-policy", policy);
    Ok(Server::start(&options)?)
}

fn limit(server: &Server, maxmemory: &str) -> CaseResult {
    server.command(&["CONFIG", "SET", "maxmemory", maxmemory])?.into_result()?;
    Ok(())
}

/// A large submission that goes as soon as it has ended.
fn submission(site: &Site) -> CaseResult<Submission> {
    let (lane, kind) = (LaneId::new(LANE)?, TaskKind::new("task")?);
    let payload = Payload::new(vec![7; PAYLOAD_BYTES]);
    let brief = ExecutionPolicy::default().with_retention(Duration::ZERO);
    Ok(Submission::new(site.ids.execution_id(), lane, kind, payload).with_policy(brief))
}

/// Submits until the server is full, which it then stays, and answers what it took.
async fn fill(
    server: &Server,
    site: &Site,
    backend: &dyn EngineBackend,
) -> CaseResult<BTreeSet<ExecutionId>> {
    limit(server, MAXMEMORY)?;
    let mut taken = BTreeSet::new();
    for _ in 0..TOO_MANY {
        let answer = backend.submit(&submission(site)?).await;
        let Ok(submitted) = answer else {
            check_full(&answer)?;
            limit(server, NONE_LEFT)?;
            return Ok(taken);
        };
        taken.insert(submitted.id());
    }
    Err(CaseError::new("the server took everything"))
}

fn check_full<T: std::fmt::Debug>(answer: &Result<T, EngineError>) -> CaseResult {
    let code = answer.as_ref().err().map(EngineError::code);
    ensure(code == Some("unavailable_full"), || format!("a full server answers {answer:?}"))
}

/// The indexes agree with the records. A script that looks runs only where there is memory; after it
/// there is none again.
fn check(server: &Server, store: &Store) -> CaseResult {
    limit(server, "0")?;
    let checked = store.check();
    limit(server, NONE_LEFT)?;
    checked.map_err(|faults| CaseError::new(format!("{faults:#?}")))
}

async fn listed(backend: &dyn EngineBackend) -> CaseResult<BTreeSet<ExecutionId>> {
    let all = backend.list_all(ListRequest::new(), TOO_MANY).await?;
    Ok(all.into_iter().map(|item| item.execution_id).collect())
}

/// Claims, completes and removes until nothing is left; answers how many were done.
async fn drain(site: &Site, backend: &dyn EngineBackend) -> CaseResult<usize> {
    let worker = site.worker();
    let mut done = 0;
    loop {
        let tasks = backend.claim(&worker.request(MOST, None)?).await?.tasks;
        if tasks.is_empty() {
            return Ok(done);
        }
        for task in tasks {
            backend.complete(&task.handle, Some(&Payload::new("done"))).await?;
            done += 1;
        }
        backend.tick_until_quiet(&ScannerFilter::NOOP).await?;
    }
}

#[tokio::test]
async fn a_full_server_refuses_what_adds_and_can_be_drained() -> CaseResult {
    let server = start(MAXMEMORY, "noeviction")?;
    let site = Site::new(server.url(), 1)?;
    let backend = site.connect().await?;
    let store = site.store()?;

    let taken = fill(&server, &site, backend.as_ref()).await?;
    println!("{MAXMEMORY} hold {} executions of {PAYLOAD_BYTES} bytes", taken.len());
    check_full(&backend.submit_batch(&[submission(&site)?, submission(&site)?]).await)?;
    ensure(listed(backend.as_ref()).await? == taken, || "what is stored differs".to_owned())?;
    check(&server, &store)?;
    let worker = site.worker();
    let running = backend.claim(&worker.request(1, None)?).await?.tasks.remove(0);
    let frame = [Frame::new(vec![7; PAYLOAD_BYTES], FrameKind::Blob).with_seq(1)];
    check_full(&backend.append_frames(&running.handle, &frame).await)?;
    let summary = UpdateSummary::new(0, vec![7; PAYLOAD_BYTES]);
    check_full(&backend.update_summary(&running.handle, &summary).await)?;
    backend.complete(&running.handle, None).await?;

    let done = 1 + drain(&site, backend.as_ref()).await?;
    ensure(done == taken.len(), || format!("{done} of {} were done", taken.len()))?;
    ensure(listed(backend.as_ref()).await?.is_empty(), || "records are left".to_owned())?;
    limit(&server, MAXMEMORY)?;
    until("nothing is left", GONE, || async { Ok((store.leftovers() == 0).then_some(())) }).await?;

    let again = fill(&server, &site, backend.as_ref()).await?;
    ensure(again.len() * 10 >= taken.len() * 9, || {
        format!("{} were taken before, {} after", taken.len(), again.len())
    })
}

/// A worker that starts while the server is full is the one that drains it.
#[tokio::test]
async fn a_worker_connects_to_a_full_server() -> CaseResult {
    let server = start(MAXMEMORY, "noeviction")?;
    let site = Site::new(server.url(), 1)?;
    let backend: Arc<dyn EngineBackend> = site.connect().await?;
    let taken = fill(&server, &site, backend.as_ref()).await?;

    let worker = site.connect().await?;

    let done = drain(&site, worker.as_ref()).await?;
    ensure(done == taken.len(), || format!("{done} of {} were done", taken.len()))
}

#[tokio::test]
async fn a_server_that_evicts_is_refused() -> CaseResult {
    for policy in ["allkeys-lru", "volatile-ttl"] {
        let server = start("100mb", policy)?;
        let site = Site::new(server.url(), 1)?;

        let config = site.config()?;
        let refused = ff_backend_valkey::ValkeyBackend::builder(&config)?.connect().await;

        let code = refused.as_ref().err().map(EngineError::code);
        ensure(code == Some("incompatible"), || format!("{policy}: {refused:?}"))?;
    }
    Ok(())
}

/// A schedule that comes due on a full server is put off, tick by tick, and holds up nothing; when there is
/// room, its occurrences come, and none is missing.
#[tokio::test]
async fn a_full_server_puts_occurrences_off_and_loses_none() -> CaseResult {
    const EVERY: Duration = Duration::from_secs(1);
    let server = start(MAXMEMORY, "noeviction")?;
    let site = Site::new(server.url(), 1)?;
    let backend = site.connect().await?;
    let spec = ScheduleSpec::new(Recurrence::every(EVERY), site.submission()?);
    let spec = spec.with_overlap(Overlap::Allow).with_misfire(Misfire::All { at_most: 100 });
    let request = CreateSchedule::new(site.ids.schedule_id(), spec);
    backend.create_schedule(&request).await?;
    fill(&server, &site, backend.as_ref()).await?;
    let view = backend.describe_schedule(request.id).await?;
    let due = view.next_at.ok_or_else(|| CaseError::new("it has a next occurrence"))?;
    let wait = TickRequest::all().with_max_wait(EVERY);
    let clock = SystemClock;

    while clock.now() < due.saturating_add(2 * EVERY) {
        let outcome = backend.tick(&wait).await?;
        ensure(outcome.schedules_fired == 0, || format!("a full server took {outcome:?}"))?;
    }
    limit(&server, "0")?;
    until("what was put off comes", GONE, || async {
        backend.tick(&wait).await?;
        let counts = backend.describe_schedule(request.id).await?.counts;
        Ok((counts.submitted >= 3).then_some(()))
    })
    .await?;

    let view = backend.describe_schedule(request.id).await?;
    ensure(view.counts.missed + view.counts.refused == 0, || format!("it is {view:?}"))?;
    let mut times: Vec<_> = view.latest.iter().map(|run| run.at).collect();
    times.sort_unstable();
    let gapless = times.windows(2).all(|two| two[1] == two[0].saturating_add(EVERY));
    ensure(gapless && times[0] == due, || format!("due at {due}, it has {times:?}"))?;
    check(&server, site.store()?.as_ref())
}
