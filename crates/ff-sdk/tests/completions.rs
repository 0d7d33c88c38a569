//! Every end is followed, whatever happens to the log, to the backend or to whoever reads it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::Rig;
use ff_sdk::prelude::*;
use ff_sdk::{Completions, CompletionsError, CompletionsFrom, ScannerFilter, TerminalOutcome};
use futures_core::Stream;

const SECOND: Duration = Duration::from_secs(1);

/// Submits a job and cancels it, which is an end.
async fn ended(rig: &Rig, job: Job) -> ExecutionId {
    let id = rig.submit(job).await;
    rig.client.cancel(id, "enough").await.unwrap();
    id
}

async fn subscribe(rig: &Rig, from: CompletionsFrom) -> Completions {
    rig.client.subscribe_completions(from, ScannerFilter::NOOP).await.unwrap()
}

async fn next(ends: &mut Completions) -> ExecutionId {
    ends.next().await.unwrap().execution_id
}

// region: follow
/// Tells the ledger of every end, once or more, over restarts and failovers.
async fn follow(client: &Client, ledger: &mut Ledger) -> Result<(), CompletionsError> {
    let place = ledger.place.clone().unwrap_or(CompletionsFrom::Start);
    let mut ends = client.subscribe_completions(place, ScannerFilter::NOOP).await?;
    while !ledger.is_full() {
        match ends.next().await {
            Ok(end) => ledger.book(end.execution_id, end.outcome),
            Err(CompletionsError::Gap) => ledger.count_again(client).await?,
            Err(error) => return Err(error),
        }
        ledger.place = Some(ends.place().clone());
    }
    Ok(())
}
// endregion

#[derive(Default)]
struct Ledger {
    place: Option<CompletionsFrom>,
    booked: Vec<(ExecutionId, TerminalOutcome)>,
    counted: usize,
    room: usize,
}

impl Ledger {
    fn is_full(&self) -> bool {
        self.booked.len() + self.counted >= self.room
    }

    fn book(&mut self, id: ExecutionId, outcome: TerminalOutcome) {
        self.booked.push((id, outcome));
    }

    async fn count_again(&mut self, client: &Client) -> Result<(), EngineError> {
        self.counted = client.list(&ListRequest::new()).await?.items.len();
        Ok(())
    }
}

#[tokio::test]
async fn the_ledger_of_the_guide_goes_on_from_its_place_and_counts_over_a_gap() {
    let rig = Rig::new();
    let first = ended(&rig, Job::new("job", &1)).await;
    let mut ledger = Ledger { room: 1, ..Ledger::default() };
    follow(&rig.client, &mut ledger).await.unwrap();
    let second = ended(&rig, Job::new("job", &2)).await;
    ledger.room = 2;
    follow(&rig.client, &mut ledger).await.unwrap();
    let expected = [first, second].map(|id| (id, TerminalOutcome::Cancelled));
    assert_eq!(ledger.booked, expected);

    rig.backend.gaps.store(1, Relaxed);
    ended(&rig, Job::new("job", &3)).await;
    ledger.room = 5;
    follow(&rig.client, &mut ledger).await.unwrap();
    assert_eq!((ledger.booked.len(), ledger.counted), (2, 3));
}

#[tokio::test]
async fn a_wait_ends_with_the_next_end() {
    let rig = Rig::new();
    ended(&rig, Job::new("job", &1)).await;
    let mut ends = subscribe(&rig, CompletionsFrom::Now).await;
    let waiting = tokio::spawn(async move { ends.next().await.map(|end| end.execution_id) });
    rig.pass(Duration::from_mins(1)).await;
    assert!(!waiting.is_finished());

    let id = ended(&rig, Job::new("job", &2)).await;
    rig.settle().await;

    assert!(waiting.is_finished(), "no time has passed since the end");
    assert_eq!(waiting.await.unwrap().unwrap(), id);
}

#[tokio::test]
async fn an_end_between_the_subscription_and_the_first_wait_is_not_missed() {
    let rig = Rig::new();
    let mut ends = subscribe(&rig, CompletionsFrom::Now).await;

    let id = ended(&rig, Job::new("job", &1)).await;

    assert_eq!(next(&mut ends).await, id);
}

#[tokio::test]
async fn it_is_a_stream() {
    let rig = Rig::new();
    let mut ends = subscribe(&rig, CompletionsFrom::Start).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(ended(&rig, Job::new("job", &number)).await);
    }

    let mut seen = Vec::new();
    while seen.len() < ids.len() {
        let end = poll_fn(|cx| Pin::new(&mut ends).poll_next(cx)).await;
        seen.push(end.unwrap().unwrap().execution_id);
    }

    assert_eq!(seen, ids);
}

#[tokio::test]
async fn the_filter_narrows() {
    let rig = Rig::new();
    let filter = ScannerFilter::new().with_instance_tag("team", "red");
    let mut ends = rig.client.subscribe_completions(CompletionsFrom::Start, filter).await.unwrap();

    ended(&rig, Job::new("job", &1)).await;
    let ours = ended(&rig, Job::new("job", &2).tag("team", "red")).await;

    assert_eq!(next(&mut ends).await, ours);
}

#[tokio::test]
async fn a_place_leaves_out_only_what_was_handed_out() {
    let rig = Rig::new();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(ended(&rig, Job::new("job", &number)).await);
    }
    let mut ends = subscribe(&rig, CompletionsFrom::Start).await;
    for handed_out in 0..ids.len() {
        let place = serde_json::to_string(ends.place()).unwrap();
        let mut again = subscribe(&rig, serde_json::from_str(&place).unwrap()).await;
        let mut seen = vec![next(&mut again).await];
        while seen.last() != ids.last() {
            seen.push(next(&mut again).await);
        }
        assert!(seen.ends_with(&ids[handed_out..]), "behind {handed_out}: {seen:?}");
        assert_eq!(next(&mut ends).await, ids[handed_out]);
    }

    let mut behind = subscribe(&rig, ends.place().clone()).await;
    let late = ended(&rig, Job::new("job", &9)).await;
    assert_eq!(next(&mut behind).await, late);
}

#[tokio::test]
async fn a_gap_is_told_once_and_what_is_behind_it_comes() {
    let rig = Rig::new();
    let mut ends = subscribe(&rig, CompletionsFrom::Start).await;
    rig.backend.gaps_in_front.store(1, Relaxed);
    let id = ended(&rig, Job::new("job", &1)).await;

    assert!(matches!(ends.next().await, Err(CompletionsError::Gap)));
    assert_eq!(next(&mut ends).await, id);
}

#[tokio::test]
async fn a_dropped_wait_loses_nothing() {
    let rig = Rig::new();
    let mut ends = subscribe(&rig, CompletionsFrom::Now).await;
    for _ in 0..3 {
        tokio::select! {
            biased;
            end = ends.next() => panic!("nothing has ended: {end:?}"),
            () = rig.settle() => {}
        }
    }

    let id = ended(&rig, Job::new("job", &1)).await;

    assert_eq!(next(&mut ends).await, id);
}

#[tokio::test]
async fn an_outage_is_borne_and_a_long_one_told() {
    let rig = Rig::new();
    let mut ends = subscribe(&rig, CompletionsFrom::Now).await;
    rig.backend.away.store(true, Relaxed);
    let (refused, ()) = tokio::join!(ends.next(), rig.pass(120 * SECOND));
    let refused = refused.unwrap_err();
    assert!(
        matches!(&refused, CompletionsError::Engine(EngineError::Unavailable { .. })),
        "{refused}"
    );
    let back = async {
        rig.pass(SECOND).await;
        rig.backend.away.store(false, Relaxed);
        let id = ended(&rig, Job::new("job", &1)).await;
        rig.pass(30 * SECOND).await;
        id
    };

    let (end, id) = tokio::join!(ends.next(), back);

    assert_eq!(end.unwrap().execution_id, id);
}
