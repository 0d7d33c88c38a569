//! `list_executions`: pages in the order of ids.

use std::collections::BTreeSet;

use ff_engine::{Cursor, EngineBackendExt, ListRequest, Submission};
use ff_types::{ExecutionId, ExecutionPolicy, ExecutionState, LaneId, Tags, TaskKind, limits};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_invalid, cases, ensure, ensure_eq};
use crate::fixture::ms;

pub(crate) const CASES: &[Case] = &cases!["list":
    cursor_is_stable,
    filters_narrow,
    examines_a_bounded_number,
    limits_are_enforced,
    hostile_cursor_is_refused,
];

/// Following the cursors shows every execution that is there throughout exactly once and in the
/// order of ids, although others come, end and go meanwhile.
pub(crate) async fn cursor_is_stable(fx: Fixture) -> CaseResult {
    let brief = ExecutionPolicy::default().with_retention(ms(0));
    let mut staying = BTreeSet::new();
    for index in 0..60 {
        if index % 3 == 0 {
            fx.submit(&fx.submission("brief")?.with_policy(brief).with_priority(1)).await?;
        } else {
            staying.insert(fx.submit_default().await?);
        }
    }

    let mut seen: Vec<ExecutionId> = Vec::new();
    let mut request = ListRequest::new().with_limit(7);
    loop {
        let page = fx.backend.list_executions(&request).await?;
        ensure!(page.items.len() <= 7, "a page of {}", page.items.len());
        seen.extend(page.items.iter().map(|item| item.execution_id));
        let Some(cursor) = page.next else { break };
        request = request.with_cursor(cursor);
        if let Some(task) = fx.claim_if_any().await? {
            fx.backend.complete(&task.handle, None).await?;
        }
        fx.settle().await?;
        if seen.len() < 200 {
            fx.submit(&fx.submission("brief")?.with_policy(brief).with_priority(1)).await?;
        }
    }

    ensure!(seen.is_sorted(), "not in the order of ids");
    let distinct: BTreeSet<_> = seen.iter().copied().collect();
    ensure_eq!(distinct.len(), seen.len(), "each shown once");
    let missed: Vec<_> = staying.difference(&distinct).collect();
    ensure!(missed.is_empty(), "not shown: {missed:?}");
    Ok(())
}

/// States, lane, kind and tag each narrow the list, and together; an unmatched filter gives an
/// empty list.
pub(crate) async fn filters_narrow(fx: Fixture) -> CaseResult {
    let tagged = |value: &str| CaseResult::Ok(Tags::new().with("team", value)?);
    let submit = async |submission: Submission| fx.submit(&submission).await;
    let plain = submit(fx.submission("resize")?).await?;
    let red = submit(fx.submission("resize")?.with_tags(tagged("red")?)).await?;
    let blue = submit(fx.submission("upload")?.with_tags(tagged("blue")?)).await?;
    let mut elsewhere = fx.submission("upload")?.with_tags(tagged("red")?);
    elsewhere.lane = LaneId::new("other")?;
    let elsewhere = submit(elsewhere).await?;
    fx.backend.cancel_execution(&fx.cancel_request(blue, "not needed")).await?;
    fx.backend.hold(&fx.hold_request(red)).await?;

    let all = ListRequest::new;
    let (ready, blocked) = (ExecutionState::Ready, ExecutionState::Blocked);
    let other = LaneId::new("other")?;
    let upload = TaskKind::new("upload")?;
    let expected = [
        (all(), vec![plain, red, blue, elsewhere]),
        (all().with_state(ready), vec![plain, elsewhere]),
        (all().with_state(ready).with_state(blocked), vec![plain, red, elsewhere]),
        (all().with_lane(other.clone()), vec![elsewhere]),
        (all().with_kind(upload.clone()), vec![blue, elsewhere]),
        (all().with_tag("team", "red"), vec![red, elsewhere]),
        (all().with_tag("team", "green"), vec![]),
        (all().with_tag("run", "red"), vec![]),
        (all().with_tag("team", "red").with_kind(upload).with_state(ready), vec![elsewhere]),
        (all().with_lane(other).with_state(blocked), vec![]),
    ];
    for (request, expected) in expected {
        for limit in [1, 100] {
            let request = request.clone().with_limit(limit);
            let found = fx.backend.list_all(request.clone(), usize::MAX).await?;
            let found: Vec<_> = found.into_iter().map(|item| item.execution_id).collect();
            ensure_eq!(found, expected, "{request:?}");
        }
    }
    Ok(())
}

/// A page holds 1 to 1,000 items, and 100 unless the caller says otherwise.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let most = limits::LIST_LIMIT_MAX;
    fx.submit_many(most as usize + 1).await?;

    for limit in [0, most + 1] {
        let request = ListRequest::new().with_limit(limit);
        assert_invalid(fx.backend.list_executions(&request).await, "limit")?;
    }

    let default = limits::LIST_LIMIT_DEFAULT as usize;
    let request = ListRequest::new();
    for (request, expected) in
        [(request.clone(), default), (request.clone().with_limit(1), 1), (request.with_limit(most), most as usize)]
    {
        let page = fx.backend.list_executions(&request).await?;
        ensure_eq!(page.items.len(), expected, "the page size of {request:?}");
        ensure!(page.next.is_some(), "there is more behind");
    }
    Ok(())
}

/// One call looks at a bounded number of executions: when none of them matches, its page is empty
/// and has a successor. Following the cursors comes to what is behind, however far.
pub(crate) async fn examines_a_bounded_number(fx: Fixture) -> CaseResult {
    let submitted = fx.submit_many(limits::LIST_EXAMINED_MAX).await?;
    let last = fx.submit(&fx.submission("rare")?).await?;
    ensure!(submitted.iter().all(|id| *id < last), "the last is not behind all others");
    let request = ListRequest::new().with_kind(TaskKind::new("rare")?);

    let first = fx.backend.list_executions(&request).await?;
    ensure_eq!(first.items.len(), 0, "items of the first page");

    let mut found = Vec::new();
    let mut place = first.next;
    ensure!(place.is_some(), "an empty page without a successor hides what is behind");
    while let Some(cursor) = place {
        let page = fx.backend.list_executions(&request.clone().with_cursor(cursor)).await?;
        found.extend(page.items.iter().map(|item| item.execution_id));
        place = page.next;
        let goes_on = place.is_none_or(|next| next.position() > cursor.position());
        ensure!(goes_on, "the cursor {cursor} leads back");
    }
    ensure_eq!(found, [last]);
    Ok(())
}

/// A text that no page gave is no cursor; one that a page gave is the same place again.
pub(crate) async fn hostile_cursor_is_refused(fx: Fixture) -> CaseResult {
    let id = fx.submit_many(2).await?[0];
    let page = fx.backend.list_executions(&ListRequest::new().with_limit(1)).await?;
    let cursor = page.next.ok_or_else(|| CaseError::new("there is more behind"))?;
    let good = cursor.to_string();
    let hostile = [
        String::new(),
        id.to_string(),
        "v1.".to_owned(),
        format!("v1.{}", "g".repeat(32)),
        format!("v1.{}", "\u{e4}".repeat(16)),
        format!("v1.+{}", "0".repeat(31)),
        format!("v1.{}", "0".repeat(100_000)),
        format!("v2.{id}"),
        format!("v1{id}"),
        format!("v1.v1.{id}"),
        good[..good.len() - 1].to_owned(),
        format!("{good}0"),
        format!("{good}\0"),
        format!(" {good}"),
        format!("{good}\n"),
        good.to_uppercase(),
    ];

    for text in hostile {
        assert_invalid(text.parse::<Cursor>(), "cursor")?;
        assert_invalid(Cursor::try_from(text), "cursor")?;
    }

    ensure_eq!(good.parse::<Cursor>()?, cursor);
    ensure_eq!(Cursor::try_from(good)?, cursor);
    Ok(())
}
