//! `read_completions`: the log of ends.

use std::sync::Arc;

use ff_engine::{CompletionCursor, CompletionPage, CompletionsFrom, LogPlace, ReadCompletions};
use ff_types::backend::{
    CancelFlowPolicy, CompletionOf, CompletionPayload, FailureClass, ScannerFilter,
};
use ff_types::{ExecutionId, Payload, Tags, TerminalOutcome, limits};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_invalid, cases, ensure, ensure_eq};
use crate::fixture::{failure, ms};

pub(crate) const CASES: &[Case] = &cases!["completions":
    one_event_an_end,
    event_is_filled,
    flow_ends_make_one,
    cursor_misses_nothing,
    from_now_shows_what_comes,
    wait_for_the_next,
    filter_narrows_at_the_source,
    flow_narrows_at_the_source,
    what_is_left_out_does_not_hold_up,
    trimmed_place_is_a_gap,
    limits_are_enforced,
];

/// How long events are kept.
const KEPT_MS: u64 = limits::COMPLETIONS_KEPT_MS;

impl Fixture {
    async fn completions(&self, from: CompletionsFrom) -> CaseResult<CompletionPage> {
        Ok(self.backend.read_completions(&ReadCompletions::new(from)).await?)
    }

    /// Every event behind a place, page by page of `page_size`, and the place behind the last.
    async fn all_completions(
        &self,
        mut from: CompletionsFrom,
        page_size: u32,
    ) -> CaseResult<(Vec<CompletionPayload>, CompletionsFrom)> {
        let mut all = Vec::new();
        loop {
            let request = ReadCompletions::new(from).with_limit(page_size);
            let page = self.backend.read_completions(&request).await?;
            ensure!(!page.gap && page.items.len() <= page_size as usize, "{page:?}");
            let is_last = page.items.is_empty();
            all.extend(page.items);
            from = CompletionsFrom::Cursor(page.next);
            if is_last {
                return Ok((all, from));
            }
        }
    }
}

fn ends(events: &[CompletionPayload]) -> Vec<(ExecutionId, TerminalOutcome)> {
    let mut ends: Vec<_> = events.iter().map(|event| (event.execution_id, event.outcome)).collect();
    ends.sort_unstable();
    ends
}

/// Every end makes exactly one event, whoever brings it about; what has not ended, and a call that is
/// repeated, makes none.
pub(crate) async fn one_event_an_end(fx: Fixture) -> CaseResult {
    use TerminalOutcome::{Cancelled, Completed, Expired, Failed};

    let completed = fx.running().await?;
    let (failed, retried) = (fx.running().await?, fx.running().await?);
    let (idle, expired) = (fx.submit_default().await?, fx.submission("task")?);
    let expired =
        expired.with_deadline(fx.in_ms(1_000).await).with_delay_until(fx.in_ms(9_000).await);
    let expired = fx.submit(&expired).await?;
    fx.backend.complete(&completed.handle, None).await?;
    fx.backend.complete(&completed.handle, None).await?;
    fx.backend.fail(&failed.handle, &failure(FailureClass::Permanent)).await?;
    fx.backend.fail(&retried.handle, &failure(FailureClass::Transient)).await?;
    let cancel = fx.cancel_request(idle, "enough");
    fx.backend.cancel_execution(&cancel).await?;
    fx.backend.cancel_execution(&cancel).await?;
    fx.advance(1_000).await;
    fx.settle().await?;

    let (events, _) = fx.all_completions(CompletionsFrom::Start, 100).await?;

    let mut expected = vec![
        (completed.execution_id, Completed),
        (failed.execution_id, Failed),
        (idle, Cancelled),
        (expired, Expired),
    ];
    expected.sort_unstable();
    ensure_eq!(ends(&events), expected);
    Ok(())
}

/// An event has the time of the end and the result; once another run has replaced that, no result.
pub(crate) async fn event_is_filled(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.advance(10).await;
    let end = fx.now().await;
    let result = vec![7; 10_000];
    fx.backend.complete(&task.handle, Some(&Payload::new(result.clone()))).await?;

    let (events, _) = fx.all_completions(CompletionsFrom::Start, 100).await?;
    let expected = CompletionPayload::new(task.execution_id, TerminalOutcome::Completed, end);
    ensure_eq!(events, [expected.clone().with_payload_bytes(result)]);

    fx.advance(10).await;
    fx.backend.replay(&fx.replay_request(task.execution_id)).await?;
    let (events, _) = fx.all_completions(CompletionsFrom::Start, 100).await?;
    ensure_eq!(events, [expected]);
    Ok(())
}

/// The end of a flow makes one event, behind those of its members, which name the flow.
pub(crate) async fn flow_ends_make_one(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c", "a>b a>c").await?;
    fx.end(id, "a", TerminalOutcome::Failed).await?;

    let (events, _) = fx.all_completions(CompletionsFrom::Start, 100).await?;

    let keys = ["a", "b", "c"];
    let mut members = Vec::new();
    for key in keys {
        members.push(fx.member(id, key).await?);
    }
    ensure!(events.iter().all(|event| event.flow_id == Some(id)), "{events:?}");
    let (last, before) = events.split_last().ok_or_else(|| CaseError::new("there is no event"))?;
    ensure_eq!(before.iter().map(|event| event.execution_id).collect::<Vec<_>>(), members);
    ensure!(before.iter().all(|event| event.ended == CompletionOf::Execution), "{events:?}");
    ensure_eq!((last.ended, last.outcome), (CompletionOf::Flow, TerminalOutcome::Failed));
    ensure_eq!(last.execution_id, members[2]);
    Ok(())
}

/// Following the cursors, also from a place kept before, gives every event once, and those of one
/// execution in their order, over a replay.
pub(crate) async fn cursor_misses_nothing(fx: Fixture) -> CaseResult {
    let first = fx.submit_many(7).await?;
    for task in fx.claim_up_to(7).await? {
        fx.backend.complete(&task.handle, None).await?;
    }
    let (events, place) = fx.all_completions(CompletionsFrom::Start, 2).await?;
    let mut expected: Vec<_> = first.iter().map(|id| (*id, TerminalOutcome::Completed)).collect();
    expected.sort_unstable();
    ensure_eq!(ends(&events), expected, "from the start");

    let id = first[3];
    fx.backend.replay(&fx.replay_request(id)).await?;
    let again = fx.claim_one().await?;
    fx.backend.fail(&again.handle, &failure(FailureClass::Permanent)).await?;
    let (events, behind) = fx.all_completions(place, 2).await?;
    ensure_eq!(ends(&events), [(id, TerminalOutcome::Failed)], "from the place");

    let (events, _) = fx.all_completions(behind, 2).await?;
    ensure!(events.is_empty(), "behind the last: {events:?}");
    let (events, _) = fx.all_completions(CompletionsFrom::Start, 3).await?;
    let of_one = events.iter().filter(|event| event.execution_id == id);
    let outcomes: Vec<_> = of_one.map(|event| event.outcome).collect();
    ensure_eq!(outcomes, [TerminalOutcome::Completed, TerminalOutcome::Failed]);
    Ok(())
}

/// From now on a reader is shown what comes and not what was.
pub(crate) async fn from_now_shows_what_comes(fx: Fixture) -> CaseResult {
    fx.completed().await?;
    let page = fx.completions(CompletionsFrom::Now).await?;
    ensure!(page.items.is_empty() && !page.gap, "{page:?}");

    let next = fx.completed().await?;

    let (events, _) = fx.all_completions(CompletionsFrom::Cursor(page.next), 100).await?;
    ensure_eq!(ends(&events), [(next.execution_id, TerminalOutcome::Completed)]);
    Ok(())
}

/// A waiting reader is given the next event as soon as there is one, and at the latest nothing when its
/// wait is over.
pub(crate) async fn wait_for_the_next(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let wait = |max_wait_ms| {
        let backend = Arc::clone(&fx.faultless);
        let request = ReadCompletions::new(CompletionsFrom::Start).with_max_wait(ms(max_wait_ms));
        tokio::spawn(async move { backend.read_completions(&request).await })
    };
    let (brief, long) = (wait(50), wait(limits::MAX_WAIT_MAX_MS));
    fx.let_others_run().await;
    ensure!(!brief.is_finished() && !long.is_finished(), "they did not wait");
    let page = fx.as_time_passes(50, brief).await??;
    ensure!(page.items.is_empty() && !page.gap, "{page:?}");

    fx.backend.complete(&task.handle, None).await?;

    let page = fx.promptly(long).await???;
    ensure_eq!(ends(&page.items), [(task.execution_id, TerminalOutcome::Completed)]);
    Ok(())
}

/// A reader gets what its filter lets through: a page is full of that, however much lies between, and
/// its place moves on over the rest.
pub(crate) async fn filter_narrows_at_the_source(fx: Fixture) -> CaseResult {
    let tags = Tags::new().with("team", "red")?;
    let mut ours = Vec::new();
    for index in 0..60_u32 {
        let mut submission = fx.submission("task")?;
        if index % 20 == 19 {
            submission = submission.with_tags(tags.clone());
            ours.push(submission.id());
        }
        let task = fx.submit_and_claim(&submission).await?;
        fx.backend.complete(&task.handle, None).await?;
    }
    let read = async |filter: ScannerFilter, limit| {
        let request = ReadCompletions::new(CompletionsFrom::Start).with_filter(filter);
        fx.backend.read_completions(&request.with_limit(limit)).await
    };
    let filter = ScannerFilter::new().with_instance_tag("team", "red");

    let page = read(filter.clone(), 100).await?;
    let mut seen: Vec<_> = page.items.iter().map(|event| event.execution_id).collect();
    seen.sort_unstable();
    ours.sort_unstable();
    ensure_eq!(seen, ours);
    ensure_eq!(read(filter.clone(), 2).await?.items.len(), 2, "a page of two");
    let rest = ReadCompletions::new(CompletionsFrom::Cursor(page.next)).with_filter(filter);
    ensure!(fx.backend.read_completions(&rest).await?.items.is_empty(), "the place did not move");
    let blue = ScannerFilter::new().with_instance_tag("team", "blue");
    ensure!(read(blue, 100).await?.items.is_empty(), "of another team");
    let foreign = ScannerFilter::new().with_namespace("elsewhere".parse()?);
    ensure!(read(foreign, 100).await?.items.is_empty(), "of another namespace");
    Ok(())
}

/// Asked for one flow, a reader gets the ends of its members and its own, and nothing else; a wait for
/// the next is one for the next of the flow.
pub(crate) async fn flow_narrows_at_the_source(fx: Fixture) -> CaseResult {
    let (ours, other) = (fx.submit_flow("a b", "a>b").await?, fx.submit_flow("c", "").await?);
    let task = fx.running().await?;
    let read = |from| ReadCompletions::new(from).with_flow(ours);
    let now = fx.backend.read_completions(&read(CompletionsFrom::Now)).await?.next;
    let waiting = {
        let backend = Arc::clone(&fx.faultless);
        let request = read(CompletionsFrom::Cursor(now)).with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
        tokio::spawn(async move { backend.read_completions(&request).await })
    };
    fx.let_others_run().await;
    fx.backend.complete(&task.handle, None).await?;
    fx.complete_nodes(other, "c").await?;
    fx.let_others_run().await;
    ensure!(!waiting.is_finished(), "the end of another one ended the wait");
    fx.complete_nodes(ours, "a").await?;
    let a = fx.member(ours, "a").await?;
    let page = fx.promptly(waiting).await???;
    ensure_eq!(ends(&page.items), [(a, TerminalOutcome::Completed)]);
    fx.complete_nodes(ours, "b").await?;

    let rest = fx.backend.read_completions(&read(CompletionsFrom::Cursor(page.next))).await?;
    let b = fx.member(ours, "b").await?;
    let seen = |page: &CompletionPage| -> Vec<_> {
        page.items.iter().map(|event| (event.execution_id, event.ended)).collect()
    };
    ensure_eq!(seen(&rest), [(b, CompletionOf::Execution), (b, CompletionOf::Flow)]);
    let whole = fx.backend.read_completions(&read(CompletionsFrom::Start)).await?;
    ensure_eq!(
        seen(&whole),
        [(a, CompletionOf::Execution), (b, CompletionOf::Execution), (b, CompletionOf::Flow)]
    );
    ensure_eq!(seen(&fx.backend.read_completions(&read(CompletionsFrom::Now)).await?), []);
    Ok(())
}

/// However many events a filter leaves out, one call finds what lies behind them.
pub(crate) async fn what_is_left_out_does_not_hold_up(fx: Fixture) -> CaseResult {
    const LEFT_OUT: usize = 1_200;
    let keys: Vec<_> = (0..LEFT_OUT).map(|index| format!("n{index}")).collect();
    let flow = fx.submit_flow(&keys.join(" "), "").await?;
    fx.cancel_flow(flow, CancelFlowPolicy::CancelAll).await?;
    fx.settle().await?;
    let submission = fx.submission("task")?.with_tags(Tags::new().with("team", "red")?);
    let task = fx.submit_and_claim(&submission).await?;
    fx.backend.complete(&task.handle, None).await?;

    let filter = ScannerFilter::new().with_instance_tag("team", "red");
    let request = ReadCompletions::new(CompletionsFrom::Start).with_filter(filter);
    let page = fx.backend.read_completions(&request).await?;

    ensure_eq!(ends(&page.items), [(task.execution_id, TerminalOutcome::Completed)]);
    Ok(())
}

/// Events go after 24 h. Whoever reads on from a place in front of one that is gone is told of a gap, and
/// then goes on; so is whoever has a place that the log has never reached, or another event's.
pub(crate) async fn trimmed_place_is_a_gap(fx: Fixture) -> CaseResult {
    let start = CompletionsFrom::Cursor(fx.completions(CompletionsFrom::Now).await?.next);
    fx.completed().await?;
    let (_, behind_first) = fx.all_completions(CompletionsFrom::Start, 100).await?;
    fx.completed().await?;
    fx.advance(KEPT_MS).await;
    fx.settle().await?;
    let late = fx.completed().await?;

    for (place, gap) in [(&start, true), (&behind_first, true), (&CompletionsFrom::Start, false)] {
        let page = fx.completions(place.clone()).await?;
        ensure_eq!(page.gap, gap, "from {place:?}");
        ensure_eq!(ends(&page.items), [(late.execution_id, TerminalOutcome::Completed)]);
        let page = fx.completions(CompletionsFrom::Cursor(page.next)).await?;
        ensure!(page.items.is_empty() && !page.gap, "behind it: {page:?}");
    }

    let CompletionsFrom::Cursor(behind) = &behind_first else {
        return Err(CaseError::new("no cursor"));
    };
    let ahead = |place: &LogPlace| LogPlace { seq: place.seq + 1_000, ..*place };
    let ahead = CompletionCursor::new(behind.places().iter().map(ahead).collect());
    ensure!(fx.completions(CompletionsFrom::Cursor(ahead)).await?.gap, "ahead of the log");
    let (_, last) = fx.all_completions(CompletionsFrom::Start, 100).await?;
    let CompletionsFrom::Cursor(last) = last else { return Err(CaseError::new("no cursor")) };
    let other = |place: &LogPlace| LogPlace { check: !place.check, ..*place };
    let other = CompletionCursor::new(last.places().iter().map(other).collect());
    ensure!(fx.completions(CompletionsFrom::Cursor(other)).await?.gap, "behind another event");
    Ok(())
}

/// Page sizes and waits out of range, and a cursor of a store with other partitions, are refused, and the
/// field is named.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let request = || ReadCompletions::new(CompletionsFrom::Start);
    for limit in [0, limits::LIST_LIMIT_MAX + 1] {
        let page = fx.backend.read_completions(&request().with_limit(limit)).await;
        assert_invalid(page, "limit")?;
    }
    let too_long = request().with_max_wait(ms(limits::MAX_WAIT_MAX_MS + 1));
    assert_invalid(fx.backend.read_completions(&too_long).await, "max_wait")?;
    let places = fx.completions(CompletionsFrom::Now).await?.next.places().len();
    let other = CompletionCursor::new(vec![LogPlace::default(); places + 1]);
    let request = ReadCompletions::new(CompletionsFrom::Cursor(other));
    assert_invalid(fx.backend.read_completions(&request).await, "cursor")
}
