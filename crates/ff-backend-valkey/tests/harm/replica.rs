//! A replica that is promoted without the latest of what its primary acknowledged: the loss shows,
//! holders of leases that it never heard of are fenced although the epochs repeat, and everything
//! that is there ends.

use std::sync::Arc;
use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_conformance::{CaseError, CaseResult};
use ff_engine::{EngineBackend, EngineError, Submitted, Task};
use ff_types::{ExecutionId, ExecutionState, Payload};
use ff_valkey_server::{Options, Server};

use crate::replicated::replicated;
use crate::site::{Site, Worker, ensure, until};

const PROMPTLY: Duration = Duration::from_secs(10);
/// Longer than the test, so that no lease runs out by itself.
const LONG: Duration = Duration::from_mins(1);

/// Makes `replica` follow `primary`, and returns once it does.
async fn follow(replica: &Server, primary: &Server) -> CaseResult {
    let port = primary.port().to_string();
    replica.command(&["REPLICAOF", primary.host(), &port])?.into_result()?;
    until("the replica follows", PROMPTLY, || async {
        let info = replica.command(&["INFO", "replication"])?;
        let up = info.as_str().is_some_and(|info| info.contains("master_link_status:up"));
        Ok(up.then_some(()))
    })
    .await
}

async fn submit(site: &Site, backend: &dyn EngineBackend) -> CaseResult<ExecutionId> {
    Ok(backend.submit(&site.submission()?).await?.id())
}

async fn claim_one(worker: &Worker, backend: &dyn EngineBackend) -> CaseResult<Task> {
    let mut tasks = backend.claim(&worker.request(1, None)?).await?.tasks;
    tasks.pop().ok_or_else(|| CaseError::new("there is nothing to claim"))
}

fn check_code<T: std::fmt::Debug>(answer: &Result<T, EngineError>, code: &str) -> CaseResult {
    let actual = answer.as_ref().err().map(EngineError::code);
    ensure(actual == Some(code), || format!("expected {code}: {answer:?}"))
}

async fn check_completed(backend: &dyn EngineBackend, id: ExecutionId, by: &str) -> CaseResult {
    let view = backend.describe_execution(id).await?;
    let result = view.result.as_ref().map(|result| result.bytes().to_vec());
    ensure(
        view.state == ExecutionState::Completed && result.as_deref() == Some(by.as_bytes()),
        || format!("{id}: {:?} {result:?}, expected {by}", view.state),
    )
}

#[tokio::test]
async fn a_promoted_replica_fences_the_leases_it_never_heard_of() -> CaseResult {
    let (mut primary, replica) = (Server::start(&Options::new())?, Server::start(&Options::new())?);
    follow(&replica, &primary).await?;
    let site = Site::new(primary.url(), 1)?;
    let before = site.connect().await?;
    let (first, second) = (site.worker().with_ttl(LONG), site.worker().with_ttl(LONG));

    // What the replica knows: one execution is held, two are ready.
    let held = submit(&site, before.as_ref()).await?;
    let held_task = claim_one(&first, before.as_ref()).await?;
    let taken = submit(&site, before.as_ref()).await?;
    let done = submit(&site, before.as_ref()).await?;
    replicated(&primary).await?;
    replica.command(&["REPLICAOF", "NO", "ONE"])?.into_result()?;
    // What only the primary acknowledged.
    let taken_task = claim_one(&second, before.as_ref()).await?;
    let done_task = claim_one(&second, before.as_ref()).await?;
    before.complete(&done_task.handle, Some(&Payload::new("lost"))).await?;
    before.renew(&held_task.handle).await?;
    let unseen = site.submission()?;
    before.submit(&unseen).await?;
    primary.kill();

    let site = site.at(replica.url());
    let after = site.connect().await?;
    // The loss shows.
    check_code(&after.describe_execution(unseen.id()).await, "execution_not_found")?;
    for id in [taken, done] {
        let state = after.describe_execution(id).await?.state;
        ensure(state == ExecutionState::Ready, || format!("{id} is {state:?}"))?;
    }
    // A new holder, under the same epoch that the old one has.
    let third = site.worker().with_ttl(LONG);
    let new_task = claim_one(&third, after.as_ref()).await?;
    ensure(new_task.execution_id == taken && new_task.attempt == taken_task.attempt, || {
        format!("claimed {new_task:?}")
    })?;
    check_code(&after.renew(&taken_task.handle).await, "stale_lease")?;
    let late = Payload::new("late");
    check_code(&after.complete(&taken_task.handle, Some(&late)).await, "stale_lease")?;
    after.renew(&new_task.handle).await?;
    // The completion that is gone cannot be repeated without a lease, and the work is done again.
    let lost = Payload::new("lost");
    check_code(&after.complete(&done_task.handle, Some(&lost)).await, "stale_lease")?;
    // A lease that the replica knows is as good as before.
    after.renew(&held_task.handle).await?;
    // A submission that is repeated is stored.
    let again = after.submit(&unseen).await?;
    ensure(again == Submitted::New(unseen.id()), || format!("{again:?}"))?;

    let here = Payload::new("here");
    after.complete(&held_task.handle, Some(&here)).await?;
    after.complete(&new_task.handle, Some(&here)).await?;
    for _ in [done, unseen.id()] {
        let task = claim_one(&third, after.as_ref()).await?;
        after.complete(&task.handle, Some(&here)).await?;
    }
    for id in [held, taken, done, unseen.id()] {
        check_completed(after.as_ref(), id, "here").await?;
    }
    let store = site.store()?;
    store.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
}

/// A backend is no use on a replica, says so, and works once the replica is promoted.
#[tokio::test]
async fn a_backend_on_a_replica_works_once_that_is_promoted() -> CaseResult {
    let (primary, replica) = (Server::start(&Options::new())?, Server::start(&Options::new())?);
    let site = Site::new(replica.url(), 1)?;
    let backend: Arc<dyn EngineBackend> = site.connect().await?;
    submit(&site, backend.as_ref()).await?;
    follow(&replica, &primary).await?;

    let submission = site.submission()?;
    check_code(&backend.submit(&submission).await, "unavailable")?;
    let builder = ValkeyBackend::builder(&site.config()?)?;
    check_code(&builder.connect().await, "unavailable")?;

    replica.command(&["REPLICAOF", "NO", "ONE"])?.into_result()?;
    until("the backend works", PROMPTLY, || async {
        match backend.submit(&submission).await {
            Err(error) if error.is_retryable() => Ok(None),
            answer => Ok(Some(answer?)),
        }
    })
    .await?;
    Ok(())
}
