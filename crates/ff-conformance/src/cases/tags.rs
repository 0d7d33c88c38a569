//! Tags that are set later.

use ff_engine::{EngineBackendExt as _, ListRequest, SetTags};
use ff_types::ExecutionState::{Delayed, Ready};
use ff_types::backend::ScannerFilter;
use ff_types::{ExecutionId, Tags, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, assert_too_large, cases, ensure, ensure_eq};
use crate::fixture::LEASE_TTL_MS;

pub(crate) const CASES: &[Case] = &cases!["tags":
    set_later,
    filters_follow,
    only_in_a_namespace,
    limits_are_enforced,
];

impl Fixture {
    fn tagging(&self, id: ExecutionId) -> SetTags {
        SetTags::new(self.ids.request_id(), id)
    }

    async fn tagged(&self, key: &str, value: &str) -> CaseResult<Vec<ExecutionId>> {
        let page = self.backend.list_executions(&ListRequest::new().with_tag(key, value)).await?;
        Ok(page.items.into_iter().map(|item| item.execution_id).collect())
    }
}

/// Tags are set, replaced and removed while an execution waits, runs and when it has ended; what was given at
/// submit stays.
pub(crate) async fn set_later(fx: Fixture) -> CaseResult {
    let given = Tags::new().with("team", "billing")?.with("ops.case", "1")?;
    let id = fx.submit(&fx.submission("task")?.with_tags(given)).await?;
    let request = fx.tagging(id).with_tag("ops.ticket", "T-7").with_tag("ops.case", "2");

    let tags = fx.backend.set_tags(&request).await?;

    let expected = Tags::new().with("team", "billing")?.with("ops.case", "2")?;
    let expected = expected.with("ops.ticket", "T-7")?;
    ensure_eq!(tags, expected);
    ensure_eq!(fx.backend.set_tags(&request).await?, expected, "a repeat");
    ensure_eq!(fx.tagged("ops.ticket", "T-7").await?, [id]);
    ensure!(fx.tagged("ops.case", "1").await?.is_empty(), "it was replaced");
    let task = fx.claim_one().await?;
    ensure_eq!(task.tags, expected);
    fx.backend.set_tags(&fx.tagging(id).without_tag("ops.ticket")).await?;
    ensure!(fx.tagged("ops.ticket", "T-7").await?.is_empty(), "it was removed");
    fx.backend.complete(&task.handle, None).await?;
    fx.backend.set_tags(&fx.tagging(id).with_tag("ops.seen", "yes")).await?;
    ensure_eq!(fx.tagged("ops.seen", "yes").await?, [id]);
    ensure_eq!(fx.describe(id).await?.tags.len(), 3);
    fx.check().await
}

/// Maintenance and the reclaim scanner go by the tags that an execution has now.
pub(crate) async fn filters_follow(fx: Fixture) -> CaseResult {
    let filter = |value: &str| ScannerFilter::new().with_instance_tag("ops.instance", value);
    let delayed = fx.submission("task")?.with_delay_until(fx.in_ms(10).await);
    let delayed = fx.submit(&delayed).await?;
    let lost = fx.running().await?;
    for value in ["a", "b"] {
        for id in [delayed, lost.execution_id] {
            fx.backend.set_tags(&fx.tagging(id).with_tag("ops.instance", value)).await?;
        }
    }
    fx.advance(LEASE_TTL_MS).await;
    fx.backend.tick_until_quiet(&filter("a")).await?;
    fx.assert_is(delayed, Delayed).await?;
    fx.backend.tick_until_quiet(&filter("b")).await?;
    fx.assert_is(delayed, Ready).await?;
    fx.assert_is(lost.execution_id, Ready).await?;

    let scan = fx.reclaim_request(5)?;
    ensure!(fx.backend.reclaimable(&scan.clone().with_filter(filter("a"))).await?.is_empty(), "a");
    let request = fx.tagging(lost.execution_id).with_tag("ops.instance", "a");
    fx.backend.set_tags(&request).await?;
    let scan =
        |value: &str| -> CaseResult<_> { Ok(fx.reclaim_request(5)?.with_filter(filter(value))) };
    ensure!(fx.backend.reclaimable(&scan("b")?).await?.is_empty(), "it is of a now");
    ensure_eq!(fx.backend.reclaimable(&scan("a")?).await?.len(), 1);
    fx.check().await
}

/// A key that is set later has a namespace, so that it never changes what a submitter has given without one.
pub(crate) async fn only_in_a_namespace(fx: Fixture) -> CaseResult {
    let given = Tags::new().with("instance", "a")?;
    let id = fx.submit(&fx.submission("task")?.with_tags(given)).await?;
    for key in ["instance", "Ops.case", "ops.", ".case", "9.a", "o ps.case", "ops/case", ""] {
        let set = fx.tagging(id).with_tag(key, "b");
        assert_code(fx.backend.set_tags(&set).await, "validation")?;
        assert_code(fx.backend.set_tags(&fx.tagging(id).without_tag(key)).await, "validation")?;
    }
    assert_code(fx.backend.set_tags(&fx.tagging(id)).await, "validation")?;
    ensure_eq!(fx.describe(id).await?.tags.get("instance"), Some("a"));
    let unknown = fx.tagging(fx.ids.execution_id()).with_tag("ops.case", "1");
    assert_code(fx.backend.set_tags(&unknown).await, "execution_not_found")
}

/// All tags together stay within their number, and each within its length.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let given = Tags::new().with("team", "billing")?;
    let id = fx.submit(&fx.submission("task")?.with_tags(given)).await?;
    let mut request = fx.tagging(id);
    for number in 1..limits::TAGS_MAX {
        request = request.with_tag(format!("ops.n{number}"), "x");
    }
    fx.backend.set_tags(&request).await?;
    let one_more = fx.tagging(id).with_tag("ops.more", "x");
    let max = limits::TAGS_MAX;
    assert_too_large(fx.backend.set_tags(&one_more).await, max, max + 1)?;
    let instead = fx.tagging(id).with_tag("ops.more", "x").without_tag("ops.n1");
    ensure_eq!(fx.backend.set_tags(&instead).await?.len(), limits::TAGS_MAX);
    let long = "v".repeat(limits::TAG_VALUE_MAX_BYTES + 1);
    let max = limits::TAG_VALUE_MAX_BYTES;
    let set = fx.tagging(id).with_tag("ops.n2", long);
    assert_too_large(fx.backend.set_tags(&set).await, max, max + 1)?;
    fx.check().await
}
