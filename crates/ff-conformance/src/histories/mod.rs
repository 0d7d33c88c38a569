//! Random histories: sequences of calls that nobody thought of.
//!
//! A history runs on the backend under test, and beside it on any number of others; answers and
//! described states must agree after every step, and the invariants must hold on each. The seed is
//! in the report, and a failing history is shrunk to the shortest that still fails.

mod flow_op;
mod flows;
mod invariants;
mod keeps;
mod lanes;
mod moves;
mod op;
mod recurring;
mod spending;
mod submission;
mod waits;
mod world;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ff_engine::EngineBackendExt;
use ff_engine::machine::lifecycle::Move;
use ff_types::backend::{CapabilitySet, ScannerFilter};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::coverage::Coverage;
use crate::harness::Harness;
use invariants::Views;
use op::Op;
use world::World;

/// How many histories, how long, and from which seed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct HistoryOptions {
    /// How many histories.
    pub count: u32,
    /// Steps of the longest.
    pub most_steps: usize,
    /// Determines all of them.
    pub seed: u64,
}

impl HistoryOptions {
    /// `count` histories of up to 180 steps.
    pub const fn new(count: u32, seed: u64) -> Self {
        Self { count, most_steps: 180, seed }
    }
}

/// A history that went wrong, shrunk.
#[derive(Debug)]
pub struct HistoryFailure {
    /// What was wrong.
    pub problem: String,
    /// The steps that lead there.
    pub steps: Vec<String>,
    /// The seed it was found with.
    pub seed: u64,
}

impl fmt::Display for HistoryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\nseed {}, {} steps:", self.problem, self.seed, self.steps.len())?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

impl std::error::Error for HistoryFailure {}

/// Runs histories on every harness, and compares each with the first.
///
/// # Errors
/// The shortest history found that breaks an invariant or on which the backends differ.
pub fn run(
    harnesses: &[Arc<dyn Harness>],
    options: HistoryOptions,
    coverage: &Coverage,
) -> Result<(), HistoryFailure> {
    let mut seed = [0_u8; 32];
    seed[..8].copy_from_slice(&options.seed.to_le_bytes());
    let config = Config {
        cases: options.count,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| HistoryFailure {
        problem: format!("no runtime: {error}"),
        steps: Vec::new(),
        seed: options.seed,
    })?;
    TestRunner::new_with_rng(config, rng)
        .run(&op::history(options.most_steps), |ops| {
            runtime.block_on(play(harnesses, &ops, coverage)).map_err(TestCaseError::fail)
        })
        .map_err(|error| match error {
            TestError::Fail(reason, ops) => HistoryFailure {
                problem: reason.to_string(),
                steps: ops.iter().map(|op| format!("{op:?}")).collect(),
                seed: options.seed,
            },
            TestError::Abort(reason) => HistoryFailure {
                problem: reason.to_string(),
                steps: Vec::new(),
                seed: options.seed,
            },
        })
}

async fn play(
    harnesses: &[Arc<dyn Harness>],
    ops: &[Op],
    coverage: &Coverage,
) -> Result<(), String> {
    let mut worlds = Vec::with_capacity(harnesses.len());
    for harness in harnesses {
        let opened = harness.open().await.map_err(|error| error.to_string())?;
        let mut world = World::new(opened);
        world.make_budgets().await.map_err(|error| error.to_string())?;
        let moment = Moment::of(&mut world).await?;
        worlds.push((harness.name(), world, moment));
    }
    for (number, op) in ops.iter().enumerate() {
        let mut first: Option<(String, _)> = None;
        for (name, world, moment) in &mut worlds {
            let told = |problem: String| format!("{name}, step {number}, {op:?}: {problem}");
            let (answer, moves) = observe(world, moment, op).await.map_err(told)?;
            for one in moves {
                coverage.record_move(one);
            }
            let views = &moment.views;
            match &first {
                None => first = Some((answer, Arc::clone(views))),
                Some((expected, _)) if *expected != answer => {
                    return Err(told(format!("answered\n  {answer}\nexpected\n  {expected}")));
                }
                Some((_, expected)) if expected != views => {
                    return Err(told(format!("left\n  {views:?}\nexpected\n  {expected:?}")));
                }
                Some(_) => {}
            }
        }
    }
    for (name, world, _) in &worlds {
        finish(world).await.map_err(|problem| format!("{name}, after the history: {problem}"))?;
    }
    Ok(())
}

/// What there is to see of a world between two steps.
struct Moment {
    views: Arc<Views>,
    snapshot: String,
}

impl Moment {
    async fn of(world: &mut World) -> Result<Self, String> {
        let schedules = world.find_occurrences().await?;
        let views = Arc::new(Views::of(world, schedules).await?);
        world.flows.seen.clone_from(views.flows());
        Ok(Self { views, snapshot: world.opened.inspect.snapshot().await })
    }
}

/// Does a step, checks everything that can be checked about it, and moves on to the moment after it.
async fn observe(
    world: &mut World,
    moment: &mut Moment,
    op: &Op,
) -> Result<(String, Vec<Move>), String> {
    let Some(step) = world.step(op).await else {
        return Ok((String::new(), Vec::new()));
    };
    let before = std::mem::replace(moment, Moment::of(world).await?);
    let now = world.opened.clock.now().await;
    if step.refused && before.snapshot != moment.snapshot {
        return Err(format!("a refused call left a trace: {}", step.answer));
    }
    let (faults, moves) = invariants::check(&before.views, &moment.views, &step, now);
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    world.opened.inspect.check().await.map_err(|faults| faults.join("\n"))?;
    Ok((step.answer, moves))
}

/// Every execution can still end, and when all have ended and their time has passed, nothing is
/// left.
async fn finish(world: &World) -> Result<(), String> {
    use ff_engine::{
        AdjustBudget, AdjustLane, BudgetLimit, ClaimRequest, LaneSettings, LaneState, ReleaseHold,
        ResumeExecution,
    };
    use ff_types::backend::ClaimPolicy;

    const ROUNDS: usize = 200;
    let backend = &world.opened.backend;
    let text = |error: ff_engine::EngineError| error.to_string();
    let ids = ff_engine::IdSource::new(
        Arc::new(ff_engine::ManualClock::default()),
        Arc::new(ff_engine::SeededEntropy::new(u64::MAX)),
    );
    let policy = ClaimPolicy::immediate(ids.worker_id(), ids.worker_instance_id())
        .with_max_tasks(16)
        .with_lease_ttl(Duration::from_secs(1));
    let offered = CapabilitySet::from_tokens(["a", "b"]).map_err(|error| error.to_string())?;
    for budget in &world.budgets {
        let request = AdjustBudget::new(ids.request_id(), *budget).with_reset();
        let request = request.with_limit("output_tokens", BudgetLimit::COUNTED);
        backend.adjust_budget(&request).await.map_err(text)?;
    }
    for lane in ["lane-0", "lane-1"] {
        let lane = ff_types::LaneId::new(lane).map_err(|error| error.to_string())?;
        let request = AdjustLane::new(ids.request_id(), lane).with_state(LaneState::Active);
        let request = request.with_settings(LaneSettings::unlimited());
        backend.adjust_lane(&request).await.map_err(text)?;
    }

    for schedule in &world.schedules {
        backend.delete_schedule(*schedule).await.map_err(text)?;
    }
    for _ in 0..ROUNDS {
        let views = world.views().await;
        if views.iter().all(|(_, view)| view.is_none()) {
            break;
        }
        for (id, _) in views {
            // One that has ended or is gone refuses; the others lose their hold and their wait.
            let _refused = backend.release_hold(&ReleaseHold::new(ids.request_id(), id)).await;
            let resume = ResumeExecution::new(ids.request_id(), id, "the history is over");
            let _refused = backend.resume_execution(&resume).await;
        }
        for lane in ["lane-0", "lane-1"] {
            let lane = ff_types::LaneId::new(lane).map_err(|error| error.to_string())?;
            let claim = ClaimRequest::new(ids.request_id(), lane, offered.clone(), policy);
            let outcome =
                backend.claim(&claim.with_reclaims(ScannerFilter::NOOP)).await.map_err(text)?;
            for task in outcome.tasks {
                backend.complete(&task.handle, None).await.map_err(text)?;
            }
            for token in outcome.reclaims {
                // One that another node needed no more is gone, and so is its token.
                if let Ok(task) = backend.claim_from_reclaim(&token, &policy).await {
                    backend.complete(&task.handle, None).await.map_err(text)?;
                }
            }
        }
        let quiet = backend.tick_until_quiet(&ScannerFilter::NOOP).await.map_err(text)?;
        if let Some(next) = quiet.next_due {
            let now = world.opened.clock.now().await;
            world.opened.clock.advance(next.saturating_since(now)).await;
        }
    }
    let still: Vec<_> = world.views().await.into_iter().filter_map(|(_, view)| view).collect();
    if let Some(view) = still.first() {
        return Err(format!("{} never ended: {:?}", view.execution_id, view.state));
    }
    world.opened.clock.advance(Duration::from_hours(25)).await;
    backend.tick_until_quiet(&ScannerFilter::NOOP).await.map_err(text)?;
    match world.opened.inspect.leftovers().await {
        0 => Ok(()),
        left => Err(format!("{left} things are kept when everything is over")),
    }
}
