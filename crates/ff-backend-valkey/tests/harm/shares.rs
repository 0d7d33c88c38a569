//! Messages between a share of a budget and its home that are lost, and what happens while one is under way: nothing
//! is granted twice, nothing is lost, and nobody waits for longer than a message is waited for.

use ff_conformance::fixture::{LANE, LEASE_TTL_MS, failure};
use ff_conformance::{CaseError, CaseResult, Fixture};
use ff_engine::{
    AdjustBudget, BudgetLimit, BudgetView, CreateBudget, Submission, Task, TickRequest,
    UsageOutcome,
};
use ff_types::backend::{FailureClass, UsageDimensions};
use ff_types::{BudgetId, ExecutionId, limits};

use crate::lab::Lab;
use crate::site::{ensure, patiently};
use crate::support::proxy::Fault;

pub(crate) const PARTITIONS: u16 = 4;
/// Where the budget lies, and two places that draw on it from elsewhere.
pub(crate) const HOME: u16 = 1;
pub(crate) const NEAR: u16 = 2;
pub(crate) const FAR: u16 = 3;
pub(crate) const TOKENS: &str = "output_tokens";
/// What there is, what the first reserves and has reported, and what the second needs: it has to wait.
pub(crate) const HARD: u64 = 10;
const FIRST: u64 = 4;
const REPORTED: u64 = 1;
const SECOND: u64 = 8;
/// Less than the first has left of what it reserved, and more than that.
const WITHIN: u64 = 2;
const OVER: u64 = 5;
/// Time passes in steps; a message that is not answered is sent again after a second.
const STEP_MS: u64 = 100;
const STEPS_MAX: u32 = 25;
/// What was let go on and is not taken is kept for up to eight seconds; by seconds.
const RESTS_MAX: u32 = 10;
/// Most calls of one function in one exchange.
const CALLS: u32 = 3;

/// What happens while a message is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Completed,
    Failed,
    LeaseLost,
    Reported,
    ReportedMore,
    Submitted,
    Raised,
    Lowered,
}

impl Meanwhile {
    const ALL: [Self; 9] = [
        Self::Nothing,
        Self::Completed,
        Self::Failed,
        Self::LeaseLost,
        Self::Reported,
        Self::ReportedMore,
        Self::Submitted,
        Self::Raised,
        Self::Lowered,
    ];

    /// Whether it makes room for the second.
    const fn makes_room(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::LeaseLost | Self::Raised)
    }
}

/// A budget, and what has been counted in it.
pub(crate) struct Scene {
    pub(crate) fx: Fixture,
    pub(crate) budget: BudgetId,
    pub(crate) used: u64,
}

impl Scene {
    pub(crate) async fn open(lab: &Lab) -> CaseResult<Self> {
        let fx = lab.fixture(true).await?;
        let budget = fx.ids.budget_id().with_shard(HOME);
        let limit = BudgetLimit::hard(HARD);
        fx.backend.create_budget(&CreateBudget::new(budget).with_limit(TOKENS, limit)).await?;
        Ok(Self { fx, budget, used: 0 })
    }

    pub(crate) async fn submit(&self, place: u16, estimate: u64) -> CaseResult<ExecutionId> {
        let one = self.fx.submission("task")?;
        let id = one.id().with_shard(place);
        let (lane, kind, payload) = (one.lane.clone(), one.kind().clone(), one.payload.clone());
        let estimate = UsageDimensions::new().with_output_tokens(estimate);
        let one = Submission::new(id, lane, kind, payload).with_policy(one.policy);
        let one = one.with_shared_budget(self.budget).with_estimate(estimate);
        patiently(|| self.fx.backend.submit(&one)).await?;
        self.fx.advance(1).await;
        Ok(id)
    }

    /// What may be handed out or counted never passes the limit, wherever it is.
    pub(crate) async fn maintain(&self) -> CaseResult {
        let all = TickRequest::all();
        patiently(|| self.fx.backend.tick(&all)).await?;
        self.fx.check().await
    }

    pub(crate) async fn view(&self) -> CaseResult<BudgetView> {
        Ok(patiently(|| self.fx.backend.describe_budget(self.budget)).await?)
    }

    /// What can be claimed within a while, unless `is_over` before.
    async fn soon_unless(&self, is_over: impl Fn() -> bool) -> CaseResult<Option<Task>> {
        for _ in 0..STEPS_MAX {
            let request = self.fx.claim_request(LANE)?;
            let found = patiently(|| self.fx.backend.claim(&request)).await?.tasks.pop();
            if found.is_some() {
                return Ok(found);
            }
            self.maintain().await?;
            if is_over() {
                break;
            }
            self.fx.advance(STEP_MS).await;
        }
        Ok(None)
    }

    pub(crate) async fn soon(&self) -> CaseResult<Option<Task>> {
        self.soon_unless(|| false).await
    }

    async fn report(&mut self, task: &Task, amount: u64, key: &str) -> CaseResult {
        let usage = UsageDimensions::new().with_output_tokens(amount).with_dedup_key(key);
        match patiently(|| self.fx.backend.report_usage(&task.handle, &usage)).await? {
            UsageOutcome::Ok | UsageOutcome::AlreadyApplied => self.used += amount,
            other => return Err(CaseError::new(format!("{amount} are answered {other:?}"))),
        }
        Ok(())
    }

    pub(crate) async fn complete(&self, task: &Task) -> CaseResult {
        Ok(patiently(|| self.fx.backend.complete(&task.handle, None)).await?)
    }

    pub(crate) async fn limit(&self, hard: u64) -> CaseResult {
        let request = AdjustBudget::new(self.fx.ids.request_id(), self.budget);
        let request = request.with_limit(TOKENS, BudgetLimit::hard(hard));
        patiently(|| self.fx.backend.adjust_budget(&request)).await?;
        Ok(())
    }

    /// Everything comes to be told that was used, nothing is reserved, and nobody waits.
    pub(crate) async fn is_settled(&self) -> CaseResult {
        let mut last = None;
        for _ in 0..RESTS_MAX {
            self.maintain().await?;
            let view = self.view().await?;
            let tokens = view.dimensions[TOKENS];
            if (tokens.used, tokens.reserved, view.blocked) == (self.used, 0, 0) {
                return Ok(());
            }
            last = Some(view);
            self.fx.advance(limits::BUDGET_SHARE_KEPT_MS).await;
        }
        Err(CaseError::new(format!("{} were used: {last:?}", self.used)))
    }

    async fn happens(&mut self, meanwhile: Meanwhile, first: &Task) -> CaseResult {
        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Completed => self.complete(first).await?,
            Meanwhile::Failed => {
                let failed = failure(FailureClass::Permanent);
                patiently(|| self.fx.backend.fail(&first.handle, &failed)).await?;
            }
            Meanwhile::LeaseLost => self.fx.advance(LEASE_TTL_MS).await,
            Meanwhile::Reported => self.report(first, WITHIN, "more").await?,
            Meanwhile::ReportedMore => self.report(first, OVER, "more").await?,
            Meanwhile::Submitted => drop(self.submit(NEAR, 1).await?),
            Meanwhile::Raised => self.limit(2 * HARD).await?,
            Meanwhile::Lowered => self.limit(HARD / 2).await?,
        }
        self.fx.check().await
    }
}

/// Plays it once. Answers whether the call was made that was to be lost.
async fn play(
    lab: &Lab,
    word: &str,
    fault: Fault,
    skipped: u32,
    meanwhile: Meanwhile,
) -> CaseResult<bool> {
    let mut scene = Scene::open(lab).await?;
    let nobody = || CaseError::new("nothing could be claimed");
    scene.submit(NEAR, FIRST).await?;
    let first = scene.soon().await?.ok_or_else(nobody)?;
    scene.report(&first, REPORTED, "first").await?;
    let second = scene.submit(FAR, SECOND).await?;

    let fired = lab.proxy.fired();
    lab.proxy.lose(fault, word, skipped);
    let blocked = scene.soon_unless(|| lab.proxy.fired() > fired).await?;
    ensure(blocked.is_none(), || format!("there was no room for {blocked:?}"))?;
    scene.happens(meanwhile, &first).await?;
    let next = scene.soon().await?;
    if meanwhile.makes_room() {
        let next = next.ok_or_else(nobody)?;
        ensure(next.execution_id == second, || format!("{} overtook", next.execution_id))?;
        scene.report(&next, SECOND, "all").await?;
        scene.complete(&next).await?;
    } else if let Some(next) = next {
        // The budget may not have heard of the second yet.
        let came_before = meanwhile == Meanwhile::Submitted && next.execution_id != second;
        ensure(came_before, || format!("there was no room for {next:?}"))?;
        scene.complete(&next).await?;
    }

    scene.limit(10 * HARD).await?;
    while let Some(task) = scene.soon().await? {
        scene.report(&task, 1, "last").await?;
        scene.complete(&task).await?;
    }
    let late = patiently(|| scene.fx.backend.complete(&first.handle, None)).await;
    ensure(late.is_ok() || late.is_err_and(|error| error.state_kind().is_some()), || {
        "the first cannot end".to_owned()
    })?;
    scene.is_settled().await?;
    Ok(lab.proxy.fired() > fired)
}

async fn is_harmless(word: &str) -> CaseResult {
    let lab = Lab::start(PARTITIONS)?;
    for fault in [Fault::BeforeRequest, Fault::BeforeReply] {
        for skipped in 0..CALLS {
            for meanwhile in Meanwhile::ALL {
                let played = play(&lab, word, fault, skipped, meanwhile).await;
                let fired = played.map_err(|error| {
                    CaseError::new(format!("{fault:?} behind {skipped}, {meanwhile:?}: {error}"))
                })?;
                ensure(fired || skipped > 0, || format!("{meanwhile:?}: no call was lost"))?;
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_share_says_may_be_lost() -> CaseResult {
    is_harmless("fft_settle_share").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_share_is_told_may_be_lost() -> CaseResult {
    is_harmless("fft_advance_share").await
}
