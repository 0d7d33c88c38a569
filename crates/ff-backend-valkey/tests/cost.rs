//! What each operation costs in commands, and that it does not grow with what is queued.
//!
//! A command inside a function costs about a microsecond of the one thread that bounds a
//! deployment, so a change of these numbers is a decision and shows in review.

use std::collections::BTreeMap;
use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_engine::{
    AdjustLane, AttemptOps, BackfillSchedule, BudgetLimit, BudgetOps, ClaimOps, ClaimRequest,
    CreateBudget, CreateSchedule, ExtendFlow, FlowEdge, FlowNode, FlowOps, FlowSpec, IdSource,
    LaneOps, LaneSettings, Rate, ReadOps, ReadStream, Recurrence, ResultRequest, ScheduleOps,
    ScheduleSpec, SeededEntropy, StreamCursor, Submission, SubmitOps, SystemClock, Task,
    TickRequest, TimerOps, UpdateSummary, UsageOutcome,
};
use ff_types::backend::{
    BackendConfig, CapabilitySet, ClaimPolicy, Frame, FrameKind, ScannerFilter, UsageDimensions,
};
use ff_types::{LaneId, LaneKey, NodeKey, Payload, TaskKind, TimestampMs, limits};
use ff_valkey_server::{Binary, Connection, Flavor, Options, Server};
use std::sync::Arc;

/// What each operation sends to the store, by the commands inside its function.
const COSTS: &[(&str, &str)] = &[
    ("submit", "fcall get hget hset sadd set time zadd×2 zrange"),
    ("claim", "fcall get hgetall hincrby hset mget set srandmember time zadd zrange zrem"),
    ("renew", "fcall hgetall hset time zadd"),
    ("progress", "fcall hgetall hset time"),
    ("append_frames", "fcall hmget time xadd xrevrange"),
    ("update_summary", "fcall get hmget set time"),
    ("read_stream", "fcall_ro get hmget xrange"),
    ("complete", "fcall hdel hgetall hincrby hset spop time xadd zadd"),
    ("describe_execution", "fcall_ro get hgetall time"),
    ("result", "fcall_ro get hgetall time"),
    ("tick", "fcall srandmember time xrange zrange×2"),
];

const QUEUED: [usize; 3] = [1, 100, 10_000];

struct Bench {
    backend: ValkeyBackend,
    stats: Connection,
    ids: IdSource,
    policy: ClaimPolicy,
}

impl Bench {
    async fn start(server: &Server) -> Self {
        let config = BackendConfig::from_url(&server.url()).expect("the URL is valid");
        let backend = ValkeyBackend::builder(&config).expect("it is one to Valkey");
        let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::new(7)));
        let policy = ClaimPolicy::immediate(ids.worker_id(), ids.worker_instance_id());
        let stats = server.connect().expect("the server answers");
        let backend = backend.connect().await.expect("the server is good");
        Self { backend, stats, ids, policy }
    }

    fn submission(&self) -> Submission {
        let lane = LaneId::new("main").expect("the lane is valid");
        let kind = TaskKind::new("task").expect("the kind is valid");
        Submission::new(self.ids.execution_id(), lane, kind, Payload::new(vec![7; 200]))
    }

    async fn queue(&self, count: usize) {
        let all: Vec<_> = (0..count).map(|_| self.submission()).collect();
        self.store(&all).await;
    }

    async fn store(&self, all: &[Submission]) {
        for batch in all.chunks(1_000) {
            for submitted in self.backend.submit_batch(batch).await.expect("it is stored") {
                submitted.expect("it is new");
            }
        }
    }

    async fn claim(&self) -> Task {
        let lane = LaneId::new("main").expect("the lane is valid");
        let id = self.ids.request_id();
        let request = ClaimRequest::new(id, lane, CapabilitySet::new(), self.policy)
            .with_reclaims(ScannerFilter::NOOP);
        let outcome = self.backend.claim(&request).await.expect("the lane answers");
        outcome.tasks.into_iter().next().expect("something is queued")
    }

    /// Returns in a later millisecond of the server's clock: a renewal in the same one changes nothing.
    fn next_millisecond(&mut self) {
        let start = self.millisecond();
        while self.millisecond() == start {}
    }

    fn millisecond(&mut self) -> u64 {
        let now = self.stats.command(&["TIME"]).expect("the server answers");
        let part = |at: usize| -> u64 {
            let digits = now.as_array().and_then(|now| now.get(at)?.as_str());
            digits.and_then(|digits| digits.parse().ok()).expect("a time has two parts")
        };
        part(0) * 1_000 + part(1) / 1_000
    }

    /// The commands that `call` makes, each with its count where it is not one.
    async fn cost<T>(&mut self, call: impl AsyncFnOnce(&Self) -> T) -> (String, T) {
        self.stats.command(&["CONFIG", "RESETSTAT"]).expect("the server answers");
        let answer = call(self).await;
        let words: Vec<String> = self
            .counts()
            .into_iter()
            .map(|(name, count)| if count == 1 { name } else { format!("{name}×{count}") })
            .collect();
        (words.join(" "), answer)
    }

    /// How often each command was executed since the counts were reset.
    fn counts(&mut self) -> BTreeMap<String, u64> {
        let info = self.stats.command(&["INFO", "commandstats"]).expect("the server answers");
        let info = info.as_str().expect("INFO is text").to_owned();
        let mut counts = BTreeMap::new();
        for line in info.lines() {
            let Some((name, rest)) =
                line.strip_prefix("cmdstat_").and_then(|line| line.split_once(":calls="))
            else {
                continue;
            };
            let calls: u64 = rest
                .split(',')
                .next()
                .and_then(|calls| calls.parse().ok())
                .expect("a count of calls");
            if !name.starts_with("config") && name != "info" && name != "ping" {
                counts.insert(name.to_owned(), calls);
            }
        }
        counts
    }
}

#[tokio::test]
async fn commands_an_operation_do_not_grow_with_the_queue() {
    let binary = Binary::find(Flavor::Valkey).expect("a server is found");
    let server = Server::start(&Options::new().binary(binary)).expect("a server starts");
    let mut bench = Bench::start(&server).await;
    for queued in QUEUED {
        bench.queue(queued + 1).await;
        let mut measured = Vec::new();

        let submission = bench.submission();
        let call = async |bench: &Bench| bench.backend.submit(&submission).await;
        let (cost, submitted) = bench.cost(call).await;
        submitted.expect("it is stored");
        measured.push(("submit", cost));

        let (cost, task) = bench.cost(async |bench: &Bench| bench.claim().await).await;
        measured.push(("claim", cost));

        bench.next_millisecond();
        let call = async |bench: &Bench| bench.backend.renew(&task.handle).await;
        let (cost, renewed) = bench.cost(call).await;
        renewed.expect("the lease lives");
        measured.push(("renew", cost));

        let half = ff_engine::ProgressRequest::new(50);
        let call = async |bench: &Bench| bench.backend.progress(&task.handle, &half).await;
        let (cost, told) = bench.cost(call).await;
        told.expect("the lease lives");
        measured.push(("progress", cost));

        let frame = [Frame::new(vec![7; 64], FrameKind::Stdout).with_seq(1)];
        let call = async |bench: &Bench| bench.backend.append_frames(&task.handle, &frame).await;
        let (cost, appended) = bench.cost(call).await;
        appended.expect("the lease lives");
        measured.push(("append_frames", cost));

        let update = UpdateSummary::new(0, "{}");
        let call = async |bench: &Bench| bench.backend.update_summary(&task.handle, &update).await;
        let (cost, updated) = bench.cost(call).await;
        updated.expect("the lease lives");
        measured.push(("update_summary", cost));

        let read = ReadStream::new(task.execution_id).with_summary_after(0);
        let call = async |bench: &Bench| bench.backend.read_stream(&read).await;
        let (cost, page) = bench.cost(call).await;
        assert_eq!(page.expect("it is there").frames.len(), 1);
        measured.push(("read_stream", cost));

        let call = async |bench: &Bench| bench.backend.complete(&task.handle, None).await;
        let (cost, done) = bench.cost(call).await;
        done.expect("the lease lives");
        measured.push(("complete", cost));

        let id = task.execution_id;
        let call = async |bench: &Bench| bench.backend.describe_execution(id).await;
        let (cost, view) = bench.cost(call).await;
        view.expect("it is there");
        measured.push(("describe_execution", cost));

        let call = async |bench: &Bench| bench.backend.result(&ResultRequest::new(id)).await;
        let (cost, result) = bench.cost(call).await;
        result.expect("it is there");
        measured.push(("result", cost));

        let call = async |bench: &Bench| bench.backend.tick(&TickRequest::all()).await;
        let (cost, ticked) = bench.cost(call).await;
        assert_eq!(ticked.expect("it ticks").handled(), 0);
        measured.push(("tick", cost));

        let expected: Vec<_> =
            COSTS.iter().map(|(name, cost)| (*name, (*cost).to_owned())).collect();
        assert_eq!(measured, expected, "with {queued} queued");
    }
}

/// What they send for an execution that draws on a budget, reserves, and reports. Budget by budget, that is
/// a read and a write more for a claim and for what ends the lease, and a look at its line while anybody waits there.
const COSTS_WITH_A_BUDGET: &[(&str, &str)] = &[
    ("submit", "exists fcall get hget hset sadd set time zadd×2 zrange"),
    ("claim", "fcall get hgetall×2 hincrby hset×2 mget set srandmember time zadd zrange zrem"),
    ("report_usage", "fcall hgetall×2 hset×2 time zadd"),
    ("complete", "del fcall hdel×2 hgetall×2 hincrby hset×2 spop time xadd zadd"),
];

#[tokio::test]
async fn commands_for_a_budget_do_not_grow_with_who_waits() {
    let binary = Binary::find(Flavor::Valkey).expect("a server is found");
    let server = Server::start(&Options::new().binary(binary)).expect("a server starts");
    let mut bench = Bench::start(&server).await;
    let tokens = |amount| UsageDimensions::new().with_output_tokens(amount);
    for queued in QUEUED {
        let budget = CreateBudget::new(bench.ids.budget_id());
        let budget = budget.with_limit("output_tokens", BudgetLimit::hard(1_000_000));
        bench.backend.create_budget(&budget).await.expect("it is made");
        let mut measured = Vec::new();
        let spending = |one: Submission| one.with_budget(budget.id).with_estimate(tokens(10));
        let all: Vec<_> = (0..queued).map(|_| spending(bench.submission())).collect();
        bench.store(&all).await;

        let submission = spending(bench.submission());
        let call = async |bench: &Bench| bench.backend.submit(&submission).await;
        let (cost, submitted) = bench.cost(call).await;
        submitted.expect("it is stored");
        measured.push(("submit", cost));
        let (cost, task) = bench.cost(async |bench: &Bench| bench.claim().await).await;
        measured.push(("claim", cost));
        let usage = tokens(3).with_dedup_key("first");
        let call = async |bench: &Bench| bench.backend.report_usage(&task.handle, &usage).await;
        let (cost, outcome) = bench.cost(call).await;
        outcome.expect("the lease lives");
        measured.push(("report_usage", cost));
        let call = async |bench: &Bench| bench.backend.complete(&task.handle, None).await;
        let (cost, done) = bench.cost(call).await;
        done.expect("the lease lives");
        measured.push(("complete", cost));

        let expected: Vec<_> =
            COSTS_WITH_A_BUDGET.iter().map(|(name, cost)| (*name, (*cost).to_owned())).collect();
        assert_eq!(measured, expected, "with {queued} queued");
    }
}

/// What they send in a lane with limits, of an execution with a key: a look at the lane and its numbers, and at
/// those of the key; the turn of the key; and the counts.
const COSTS_WITH_A_KEY: &[(&str, &str)] = &[
    ("submit", "fcall get hget hset sadd set time zadd×3 zrange zscore"),
    (
        "claim",
        "fcall get hgetall hincrby hmget×2 hset×2 mget pexpireat set srandmember time zadd×3 zrange×3 zrem×3 zscore",
    ),
    ("complete", "exists fcall get hdel hgetall hincrby×2 hset spop time xadd zadd zscore"),
];

#[tokio::test]
async fn commands_for_a_key_do_not_grow_with_the_keys() {
    let binary = Binary::find(Flavor::Valkey).expect("a server is found");
    let server = Server::start(&Options::new().binary(binary)).expect("a server starts");
    let mut bench = Bench::start(&server).await;
    let rate = Rate::new(1_000_000, Duration::from_secs(1));
    let settings = LaneSettings::unlimited().with_max_concurrency(1_000).with_rate(rate);
    let settings = settings.with_key_max_concurrency(100).with_key_rate(rate);
    let lane = LaneId::new("main").expect("the lane is valid");
    let adjust = AdjustLane::new(bench.ids.request_id(), lane).with_settings(settings);
    bench.backend.adjust_lane(&adjust).await.expect("it is adjusted");
    for queued in QUEUED {
        // Of each key there is more than what is claimed.
        let keys = (queued + 1).min(1_000);
        let keyed = |one: Submission, at: usize| {
            let key = format!("tenant-{}", at % keys);
            one.with_lane_key(LaneKey::new(key).expect("the key is valid"))
        };
        let all: Vec<_> =
            (0..queued.max(3 * keys)).map(|at| keyed(bench.submission(), at)).collect();
        bench.store(&all).await;
        bench.backend.tick(&TickRequest::all()).await.expect("the store answers");
        // A claim forgets the past of a key, so there has to be one.
        let earlier = bench.claim().await;
        bench.backend.complete(&earlier.handle, None).await.expect("the lease lives");
        bench.next_millisecond();
        let mut measured = Vec::new();

        let submission = keyed(bench.submission(), 0);
        let call = async |bench: &Bench| bench.backend.submit(&submission).await;
        let (cost, submitted) = bench.cost(call).await;
        submitted.expect("it is stored");
        measured.push(("submit", cost));
        let (cost, task) = bench.cost(async |bench: &Bench| bench.claim().await).await;
        measured.push(("claim", cost));
        let call = async |bench: &Bench| bench.backend.complete(&task.handle, None).await;
        let (cost, done) = bench.cost(call).await;
        done.expect("the lease lives");
        measured.push(("complete", cost));

        let expected: Vec<_> =
            COSTS_WITH_A_KEY.iter().map(|(name, cost)| (*name, (*cost).to_owned())).collect();
        assert_eq!(measured, expected, "with {queued} queued");
    }
}

/// Workers that wait in a lane whose rate is used up are woken for what becomes ready once, and not again and
/// again by each other or themselves.
#[tokio::test]
async fn a_used_up_rate_keeps_nobody_busy() {
    let binary = Binary::find(Flavor::Valkey).expect("a server is found");
    let server = Server::start(&Options::new().binary(binary)).expect("a server starts");
    let mut bench = Bench::start(&server).await;
    let rate = Rate::new(1, Duration::from_mins(1));
    for settings in
        [LaneSettings::unlimited().with_rate(rate), LaneSettings::unlimited().with_key_rate(rate)]
    {
        let lane = LaneId::new("main").expect("the lane is valid");
        let adjust = AdjustLane::new(bench.ids.request_id(), lane.clone());
        let adjust = adjust.with_settings(settings);
        bench.backend.adjust_lane(&adjust).await.expect("it is adjusted");
        let key = LaneKey::new("tenant").expect("the key is valid");
        let keyed = |bench: &Bench| bench.submission().with_lane_key(key.clone());
        bench.store(&[keyed(&bench)]).await;
        bench.claim().await;
        let wait = Duration::from_millis(300);
        let request = || {
            let (worker, instance) = (bench.ids.worker_id(), bench.ids.worker_instance_id());
            let policy = ClaimPolicy::immediate(worker, instance).with_max_wait(wait);
            ClaimRequest::new(bench.ids.request_id(), lane.clone(), CapabilitySet::new(), policy)
        };
        let (one, other, submission) = (request(), request(), keyed(&bench));
        let mut stats = server.connect().expect("the server answers");
        let backend = &bench.backend;
        let submit = async {
            let waiting = |stats: &mut Connection| {
                let waiting = stats.command(&["ZCARD", "ff:{default/0}:w:main"]);
                waiting.expect("the server answers").as_integer()
            };
            while waiting(&mut stats) != Some(2) {
                tokio::task::yield_now().await;
            }
            stats.command(&["CONFIG", "RESETSTAT"]).expect("the server answers");
            backend.submit(&submission).await.expect("it is stored");
        };

        let (one, other, ()) = tokio::join!(backend.claim(&one), backend.claim(&other), submit);

        for outcome in [one, other] {
            assert!(outcome.expect("the lane answers").tasks.is_empty(), "the rate is used up");
        }
        let calls = bench.counts().remove("fcall").unwrap_or(0);
        assert!((2..20).contains(&calls), "{calls} calls for two that wait");
    }
}

/// What they send for a schedule. Of a tick that fires, one call finds what is due and one submits it.
const COSTS_OF_A_SCHEDULE: &[(&str, &str)] = &[
    ("create_schedule", "fcall fcall_ro hgetall hset time×2 zadd×3 zrange"),
    (
        "tick",
        "exists fcall×2 get hget hgetall hmget hset×2 sadd set srandmember time×2 xrange zadd×4 zrange×4",
    ),
    (
        "backfill_schedule",
        "exists fcall fcall_ro get hgetall×2 hset×2 sadd set time×2 zadd×4 zrange",
    ),
    ("delete_schedule", "fcall hgetall unlink zrem×3"),
];

#[tokio::test]
async fn commands_for_a_schedule_do_not_grow_with_the_others() {
    let binary = Binary::find(Flavor::Valkey).expect("a server is found");
    let server = Server::start(&Options::new().binary(binary)).expect("a server starts");
    let mut bench = Bench::start(&server).await;
    let hour = Duration::from_hours(1);
    let at = |ms: u64| TimestampMs(i64::try_from(ms).expect("the clock is right"));
    for others in [1, 100, 1_000] {
        let schedule = |bench: &Bench, anchor| {
            let recurrence = Recurrence::every(hour).with_anchor(anchor);
            let spec = ScheduleSpec::new(recurrence, bench.submission());
            CreateSchedule::new(bench.ids.schedule_id(), spec)
        };
        for _ in 0..others {
            let now = at(bench.millisecond());
            let other = schedule(&bench, now);
            bench.backend.create_schedule(&other).await.expect("it is made");
        }
        let due = bench.millisecond() + 50;
        let request = schedule(&bench, at(due));
        let mut measured = Vec::new();
        let call = async |bench: &Bench| bench.backend.create_schedule(&request).await;
        let (cost, made) = bench.cost(call).await;
        made.expect("it is made");
        measured.push(("create_schedule", cost));
        while bench.millisecond() < due {}
        let call = async |bench: &Bench| bench.backend.tick(&TickRequest::all()).await;
        let (cost, ticked) = bench.cost(call).await;
        assert_eq!(ticked.expect("it ticks").schedules_fired, 1);
        measured.push(("tick", cost));
        let earlier = at(due - 3_600_000);
        let backfill = BackfillSchedule::new(request.id, earlier, at(due));
        let call = async |bench: &Bench| bench.backend.backfill_schedule(&backfill).await;
        let (cost, outcome) = bench.cost(call).await;
        assert_eq!(outcome.expect("it is there").runs.len(), 1);
        measured.push(("backfill_schedule", cost));
        let call = async |bench: &Bench| bench.backend.delete_schedule(request.id).await;
        let (cost, deleted) = bench.cost(call).await;
        deleted.expect("it goes");
        measured.push(("delete_schedule", cost));

        let expected: Vec<_> =
            COSTS_OF_A_SCHEDULE.iter().map(|(name, cost)| (*name, (*cost).to_owned())).collect();
        assert_eq!(measured, expected, "with {others} others");
    }
}

/// Of the keys of reports the latest are kept, so that a long run neither grows nor is refused.
#[tokio::test]
async fn the_latest_keys_of_reports_are_kept() {
    const BEYOND: usize = 10;
    let binary = Binary::find(Flavor::Valkey).expect("a server is found");
    let server = Server::start(&Options::new().binary(binary)).expect("a server starts");
    let mut bench = Bench::start(&server).await;
    bench.queue(1).await;
    let task = bench.claim().await;
    let usage = |number: usize| {
        let usage = UsageDimensions::new().with_output_tokens(1);
        usage.with_dedup_key(format!("key-{number}"))
    };
    for number in 0..limits::USAGE_REPORTS_MAX + BEYOND {
        let outcome = bench.backend.report_usage(&task.handle, &usage(number)).await;
        assert_eq!(outcome.expect("the lease lives"), UsageOutcome::Ok);
    }

    let key = format!("ff:{{default/0}}:U:{}", task.execution_id);
    let kept = bench.stats.command(&["ZCARD", &key]).expect("it answers").as_integer();
    assert_eq!(kept, i64::try_from(limits::USAGE_REPORTS_MAX).ok());
    for (number, expected) in [(BEYOND, UsageOutcome::AlreadyApplied), (0, UsageOutcome::Ok)] {
        let outcome = bench.backend.report_usage(&task.handle, &usage(number)).await;
        assert_eq!(outcome.expect("the lease lives"), expected, "{number}");
    }
}

/// Most calls for one frame that readers of one process wait for: the append, the page that they share, and
/// those of readers that came between.
const CALLS_FOR_A_FRAME: usize = 4;

/// Readers cost the writer one message, whether there are one or a thousand, and whether or not they go on:
/// a page is asked for and never sent.
#[tokio::test]
async fn an_append_costs_the_same_however_many_follow() {
    let binary = Binary::find(Flavor::Valkey).expect("a server is found");
    let server = Server::start(&Options::new().binary(binary)).expect("a server starts");
    let mut bench = Bench::start(&server).await;
    bench.queue(1).await;
    let task = bench.claim().await;
    let config = BackendConfig::from_url(&server.url()).expect("the URL is valid");
    let builder = ValkeyBackend::builder(&config).expect("it is one to Valkey");
    let reader = Arc::new(builder.connect().await.expect("the server is good"));
    for (number, readers) in [(1, 1), (2, 1_000)] {
        let behind = StreamCursor::new(task.attempt, number - 1);
        let follow = ReadStream::new(task.execution_id).with_from(behind);
        let follow = follow.with_max_wait(Duration::from_mins(1));
        let waiting: Vec<_> = (0..readers)
            .map(|_| {
                let (reader, follow) = (Arc::clone(&reader), follow.clone());
                tokio::spawn(async move { reader.read_stream(&follow).await })
            })
            .collect();
        // The first of them marks the execution.
        let key = format!("ff:{{default/0}}:e:{}", task.execution_id);
        while bench.stats.command(&["HEXISTS", &key, "tw"]).expect("it answers").as_integer()
            != Some(1)
        {
            tokio::task::yield_now().await;
        }
        let frame = [Frame::new(vec![7; 64], FrameKind::Stdout).with_seq(number)];
        let call = async |bench: &Bench| {
            bench.backend.append_frames(&task.handle, &frame).await.expect("the lease lives");
            for read in waiting {
                let page = read.await.expect("it did not panic").expect("it is there");
                assert_eq!(page.frames.len(), 1);
            }
        };

        let (cost, ()) = bench.cost(call).await;

        let told: Vec<_> = cost.split(' ').filter(|word| word.starts_with("spublish")).collect();
        assert_eq!(told, ["spublish"], "{readers} readers: {cost}");
        let calls = cost.split(' ').find_map(|word| word.strip_prefix("fcall"));
        let calls = calls.and_then(|times| times.strip_prefix('×')).map_or(Ok(1), str::parse);
        let calls: usize = calls.expect("a count");
        assert!((2..=CALLS_FOR_A_FRAME).contains(&calls), "{readers} readers: {cost}");
    }
}

/// Completing a node that lets another run: the flow, and the child with its place in the queue.
const PROMOTION: &str = "fcall hdel hgetall×3 hincrby hset×3 sadd spop time xadd zadd zrange zrem";

#[tokio::test]
async fn a_promotion_costs_a_few_commands_more() {
    let binary = Binary::find(Flavor::Valkey).expect("a server is found");
    let server = Server::start(&Options::new().binary(binary)).expect("a server starts");
    let mut bench = Bench::start(&server).await;
    let key = |text: &str| NodeKey::new(text).expect("the key is valid");
    let mut spec = FlowSpec::new(bench.ids.flow_id());
    for text in ["a", "b"] {
        spec.add_node(FlowNode::new(key(text), bench.submission()));
    }
    spec.add_edge(FlowEdge::new(key("a"), key("b")));
    bench.backend.submit_flow(&spec).await.expect("it is stored");
    let task = bench.claim().await;

    let call = async |bench: &Bench| bench.backend.complete(&task.handle, None).await;
    let (cost, done) = bench.cost(call).await;

    done.expect("the lease lives");
    assert_eq!(cost, PROMOTION);
}

/// What handing in a flow of a node and extending it by another send. The extension reads the graph and the flow
/// before. With a budget each looks whether that is there.
const FLOW: [&str; 2] = [
    "fcall get×2 hgetall hset×2 sadd set time zadd×3 zrange",
    "fcall fcall_ro×2 get hgetall×3 hmget×2 hset×2 sadd set time zadd×2 zrange",
];

#[tokio::test]
async fn only_a_flow_with_budgets_pays_for_them() {
    let binary = Binary::find(Flavor::Valkey).expect("a server is found");
    let server = Server::start(&Options::new().binary(binary)).expect("a server starts");
    let mut bench = Bench::start(&server).await;
    let budget = CreateBudget::new(bench.ids.budget_id());
    let budget = budget.with_limit("output_tokens", BudgetLimit::hard(10));
    bench.backend.create_budget(&budget).await.expect("it is made");
    let node = |bench: &Bench, key: &str| {
        FlowNode::new(NodeKey::new(key).expect("the key is valid"), bench.submission())
    };
    for (budgets, more) in [(vec![], ""), (vec![budget.id], "exists ")] {
        let spec = FlowSpec::new(bench.ids.together(budget.id.shard()).flow_id());
        let spec = spec.with_budgets(budgets).expect("it has no nodes");
        let spec = spec.with_node(node(&bench, "a"));
        let call = async |bench: &Bench| bench.backend.submit_flow(&spec).await;
        let (submit, submitted) = bench.cost(call).await;
        let id = submitted.expect("it is stored").flow_id;
        let request = ExtendFlow::new(bench.ids.request_id(), id, 1, 1);
        let request = request.with_node(node(&bench, "b"));
        let call = async |bench: &Bench| bench.backend.extend_flow(&request).await;
        let (extend, extended) = bench.cost(call).await;
        extended.expect("the flow is open");

        assert_eq!([submit, extend], FLOW.map(|cost| format!("{more}{cost}")));
    }
}
