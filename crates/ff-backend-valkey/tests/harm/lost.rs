//! Requests and replies that are lost: whatever call it is and wherever the connection ends, the
//! call answers that its outcome is unknown, and its repeat has the effect exactly once.
//!
//! Each situation is played twice with the same ids and the same time, once without a fault. In the
//! end both namespaces have to hold the same, byte for byte.

use std::collections::BTreeSet;
use std::time::Duration;

use ff_conformance::fixture::LANE;
use ff_conformance::{CaseError, CaseResult, Fixture};
use ff_engine::ListRequest;
use ff_types::ExecutionState;

use crate::call::{Call, Situation};
use crate::lab::Lab;
use crate::support::proxy::Fault;

/// How long a backend may take to be connected again.
const RECONNECT: Duration = Duration::from_secs(10);
/// Of the keyspaces in which a call can be lost half way.
const PARTITIONS: u16 = 4;
const PAUSE: Duration = Duration::from_millis(2);

/// Repeats a call until it is answered.
async fn repeat(call: &Call, fx: &Fixture) -> CaseResult<String> {
    let repeating = async {
        loop {
            match call.make(fx.backend.as_ref()).await {
                Err(error) if error.is_retryable() => tokio::time::sleep(PAUSE).await,
                answer => return answer,
            }
        }
    };
    Ok(tokio::time::timeout(RECONNECT, repeating).await??)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, actual: &T, expected: &T) -> CaseResult {
    if actual == expected {
        return Ok(());
    }
    Err(CaseError::new(format!("{what}: is\n{actual:#?}\nexpected\n{expected:#?}")))
}

/// Compares two snapshots, and shows only the keys that differ.
fn same_store(what: &str, actual: &str, expected: &str) -> CaseResult {
    let (actual, expected): (BTreeSet<_>, BTreeSet<_>) =
        (actual.lines().collect(), expected.lines().collect());
    same(what, &(&actual - &expected), &(&expected - &actual))
}

/// A snapshot in which the name of the namespace does not count, in text or as bytes.
fn anonymous(snapshot: &str, namespace: &str) -> String {
    let bytes = format!("{:?}", namespace.as_bytes());
    let bytes = bytes.trim_start_matches('[').trim_end_matches(']');
    snapshot.replace(namespace, "namespace").replace(bytes, "namespace")
}

/// Plays a situation, and answers what the call answered and what is stored in the end.
async fn play(lab: &Lab, situation: Situation, fault: Option<Fault>) -> CaseResult<[String; 2]> {
    let fx = lab.fixture(false).await?;
    let call = situation.prepare(&fx).await?;
    let before = fx.snapshot().await;

    let mut between = None;
    if let Some(fault) = fault {
        lab.lose(fault, 0, &call, &fx).await?;
        let now = fx.snapshot().await;
        if fault.reaches_the_server() {
            between = Some(now);
        } else {
            same_store("the store after a request that was lost", &now, &before)?;
        }
    }
    let answer = repeat(&call, &fx).await?;
    let after = fx.snapshot().await;
    if let Some(between) = between {
        same_store("the store after the repeat", &after, &between)?;
    }

    same("the answer to another repeat", &repeat(&call, &fx).await?, &answer)?;
    same_store("the store after another repeat", &fx.snapshot().await, &after)?;
    fx.check().await?;
    Ok([answer, anonymous(&after, fx.backend.namespace().as_str())])
}

async fn loses_nothing(fault: Fault) -> CaseResult {
    let lab = Lab::start(1)?;
    for situation in Situation::ALL {
        let in_context =
            |error: CaseError| CaseError::new(format!("{situation:?}, {fault:?}: {error}"));
        let [expected, stored] = play(&lab, situation, None).await.map_err(in_context)?;
        let [answer, after] = play(&lab, situation, Some(fault)).await.map_err(in_context)?;
        same("the answer", &answer, &expected).map_err(in_context)?;
        same_store("the store in the end", &after, &stored).map_err(in_context)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_call_whose_request_is_lost_is_repeated_without_harm() -> CaseResult {
    loses_nothing(Fault::BeforeRequest).await
}

#[tokio::test]
async fn a_call_whose_reply_is_lost_is_repeated_without_harm() -> CaseResult {
    loses_nothing(Fault::BeforeReply).await
}

#[tokio::test]
async fn a_call_whose_reply_is_cut_in_half_is_repeated_without_harm() -> CaseResult {
    loses_nothing(Fault::WithinReply).await
}

/// A claim that had asked some of the partitions when it was lost leaves no lease behind that its
/// repeat does not hand out, whether it may wait or not.
#[tokio::test]
async fn a_claim_that_is_lost_between_partitions_leaks_no_lease() -> CaseResult {
    let lab = Lab::start(PARTITIONS)?;
    for fault in Fault::ALL {
        for skipped in 0..u32::from(PARTITIONS) {
            for max_wait in [None, Some(RECONNECT)] {
                let leaked = claims_lost_between_partitions(&lab, fault, skipped, max_wait).await;
                leaked.map_err(|error| {
                    let wait = max_wait.is_some();
                    CaseError::new(format!("{fault:?} behind {skipped}, waits {wait}: {error}"))
                })?;
            }
        }
    }
    Ok(())
}

async fn claims_lost_between_partitions(
    lab: &Lab,
    fault: Fault,
    skipped: u32,
    max_wait: Option<Duration>,
) -> CaseResult {
    let fx = lab.fixture(true).await?;
    let submitted = fx.submit_many(16).await?.len();
    let mut request = fx.claim_request(LANE)?;
    request.policy = request.policy.with_max_tasks(20);
    request.policy.max_wait = max_wait;
    let call = Call::Claim(request.clone());

    lab.lose(fault, skipped, &call, &fx).await?;
    repeat(&call, &fx).await?;

    let handed_out = fx.backend.claim(&request).await?.tasks;
    let handed_out: BTreeSet<_> = handed_out.iter().map(|task| task.execution_id).collect();
    let active = ListRequest::new().with_state(ExecutionState::Active);
    let leased = fx.backend.list_executions(&active).await?.items;
    let leased: BTreeSet<_> = leased.iter().map(|item| item.execution_id).collect();
    same("the leases in the store", &leased, &handed_out)?;
    if leased.is_empty() || leased.len() > submitted {
        return Err(CaseError::new(format!("{} leases", leased.len())));
    }
    fx.check().await
}

/// A batch of which a part was stored when the connection ended is completed by its repeat, each
/// submission once.
#[tokio::test]
async fn a_batch_that_is_lost_between_partitions_is_completed_by_its_repeat() -> CaseResult {
    let lab = Lab::start(PARTITIONS)?;
    for fault in Fault::ALL {
        for skipped in 0..u32::from(PARTITIONS) {
            let fx = lab.fixture(true).await?;
            let batch: Vec<_> =
                (0..40).map(|_| fx.submission("task")).collect::<CaseResult<_>>()?;
            let submitted: BTreeSet<_> = batch.iter().map(ff_engine::Submission::id).collect();
            let call = Call::SubmitBatch(batch);

            lab.lose(fault, skipped, &call, &fx).await?;
            repeat(&call, &fx).await?;

            let all = fx.backend.list_executions(&ListRequest::new()).await?.items;
            let listed: BTreeSet<_> = all.iter().map(|item| item.execution_id).collect();
            same("how many there are", &all.len(), &submitted.len())?;
            same(&format!("what is there, {fault:?} behind {skipped}"), &listed, &submitted)?;
            fx.check().await?;
        }
    }
    Ok(())
}
