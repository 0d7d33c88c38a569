//! `tick`.

use std::time::Duration;

use async_trait::async_trait;
use ff_engine::roles::BackendInfo;
use ff_engine::{EngineError, TickOutcome, TickRequest, TimerOps};
use ff_types::TimestampMs;

use super::firing::Fired;
use crate::ValkeyBackend;
use crate::call::{BadReply, Values};
use crate::calls::{Tick, TickAnswer};
use crate::failures::bad_reply;
use crate::inner::Inner;
use crate::reply::Reply;
use crate::waits::{Rest, within};

/// Most executions that one call of the function handles: it holds the server up.
const PER_CALL: u64 = 100;
/// No wait is longer than this without another look, which bounds how late a step of the store's
/// clock is noticed. The library wakes a maintainer only for what is due sooner.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Between two looks that find nothing to do, however soon something is due.
const PAUSE_MIN: Duration = Duration::from_millis(1);

const OPERATION: &str = "tick";

#[async_trait]
impl TimerOps for ValkeyBackend {
    async fn tick(&self, request: &TickRequest) -> Result<TickOutcome, EngineError> {
        request.validate()?;
        let namespace = &request.filter.namespace;
        if namespace.as_ref().is_some_and(|namespace| namespace != self.namespace()) {
            return Ok(TickOutcome::default());
        }
        let tag = request
            .filter
            .instance_tag
            .as_ref()
            .map_or_else(String::new, |(key, value)| format!("{key} {value}"));
        let Some(max_wait) = request.max_wait else {
            return Ok(self.inner.tick_all(request.limit, &tag, None).await?.outcome);
        };
        self.inner.tick_waiting(request.limit, &tag, max_wait).await
    }
}

/// What one look at all partitions gave.
struct Ticked {
    outcome: TickOutcome,
    /// From now until something is due.
    until_due: Option<Duration>,
    /// What could not be handled.
    broken: String,
    /// Schedules were due, whoever fired them: something else may be.
    has_schedules: bool,
}

impl Inner {
    /// Ticks until something was handled or the wait is over. Of the calls of a process that wait
    /// under the same filter one looks; the others wait for their turn, and whoever gets it goes on
    /// with the rest of the one before, so that a change of turns costs no look.
    async fn tick_waiting(
        &self,
        limit: u32,
        tag: &str,
        max_wait: Duration,
    ) -> Result<TickOutcome, EngineError> {
        let mut over = self.clock.sleep(max_wait);
        let turn = self.waits.ticks.turn(tag);
        let mut latest = TickOutcome::default();
        let Some(mut mine) = within(turn.lock(), over.as_mut()).await else {
            return Ok(latest);
        };
        loop {
            if let Some(rest) = &mut mine.rest {
                tokio::select! {
                    biased;
                    () = &mut over => return Ok(latest),
                    _ = rest.sooner.recv() => {}
                    () = &mut rest.pause => {}
                }
                mine.rest = None;
            }
            let sooner = self.waits.ticks.sooner();
            self.waits.subscribe_all(self).await?;
            let Ticked { outcome, until_due, has_schedules, .. } =
                self.tick_all(limit, tag, Some(max_wait)).await?;
            if outcome.handled() > 0 {
                return Ok(outcome);
            } else if has_schedules {
                continue;
            }
            let pause = until_due.unwrap_or(HEARTBEAT).clamp(PAUSE_MIN, HEARTBEAT);
            mine.rest = Some(Rest { pause: self.clock.sleep(pause), sooner });
            latest = outcome;
        }
    }

    /// Handles what is due in every partition, up to `limit` in all.
    async fn tick_all(
        &self,
        limit: u32,
        tag: &str,
        sleeping: Option<Duration>,
    ) -> Result<Ticked, EngineError> {
        let (outcome, broken) = (TickOutcome::default(), String::new());
        let mut ticked = Ticked { outcome, until_due: None, broken, has_schedules: false };
        for (number, partition) in self.keyspace.partitions.iter().enumerate() {
            loop {
                let left = u64::from(limit.saturating_sub(ticked.outcome.handled()));
                let most = left.min(PER_CALL);
                let call = Tick {
                    most,
                    tag,
                    process: if sleeping.is_some() { self.waits.process() } else { "" },
                    wait: sleeping.map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(0)),
                };
                let mut answer = self
                    .call(OPERATION, partition, call)
                    .await?
                    .map_err(|_| bad_reply(OPERATION, BadReply("counts")))?;
                let due = std::mem::take(&mut answer.schedules);
                let mut fired = None;
                if !due.is_empty() {
                    fired = Some(self.fire(partition, tag, due, answer.now).await?);
                }
                for due in std::mem::take(&mut answer.shares) {
                    // Its timer is set for another try, and the rest of this partition is not held up.
                    if let Err(error) = self.advance_due(number, due).await {
                        tracing::warn!(%error, "a share of a budget is advanced later");
                    }
                }
                let handled = ticked.add(&answer, fired.as_ref())?;
                let done = u64::from(handled) < most && !answer.cut_off;
                if done || most < PER_CALL {
                    break;
                }
            }
        }
        if ticked.broken.is_empty() {
            return Ok(ticked);
        }
        // Everything else was handled, and these are tried again after a while.
        Err(EngineError::Corrupt { what: format!("due entries: {}", ticked.broken.trim_end()) })
    }
}

impl Inner {
    /// Advances what one call of `tick` found: the share of a budget in that partition, or the shares of one that
    /// lies there.
    async fn advance_due(&self, number: usize, due: Reply) -> Result<(), EngineError> {
        let mut values = Values::new(due.into_array().unwrap_or_default());
        let bad = |bad| bad_reply(OPERATION, bad);
        let budget = values.text().map_err(bad)?.parse();
        let budget = budget.map_err(|_| bad_reply(OPERATION, BadReply("id")))?;
        match values.text().map_err(bad)?.as_str() {
            "" => self.advance_share(OPERATION, number, budget, "").await.map(drop),
            others => self.advance_shares(OPERATION, others, budget).await,
        }
    }
}

impl Ticked {
    /// Adds what one call did, and what became of the schedules that it found; answers how much that was.
    fn add(&mut self, answer: &TickAnswer, fired: Option<&Fired>) -> Result<u32, EngineError> {
        let count = |number: u64| {
            u32::try_from(number).map_err(|_| bad_reply(OPERATION, BadReply("count")))
        };
        let before = self.outcome.handled();
        self.outcome.delays_over += count(answer.delays)?;
        self.outcome.leases_lost += count(answer.leases)?;
        self.outcome.attempts_timed_out += count(answer.timeouts)?;
        self.outcome.expired += count(answer.expired)?;
        self.outcome.grants_returned += count(answer.grants)?;
        self.outcome.removed += count(answer.removed)?;
        self.outcome.waits_timed_out += count(answer.waits)?;
        self.outcome.waitpoints_expired += count(answer.waitpoints)?;
        self.outcome.flows_expired += count(answer.flows_expired)?;
        self.outcome.flows_removed += count(answer.flows_removed)?;
        self.outcome.flows_advanced += count(answer.flows_advanced)?;
        self.outcome.budgets_looked_at += count(answer.budgets)?;
        self.outcome.lanes_looked_at += count(answer.lanes)?;
        if !answer.broken.is_empty() {
            self.broken.push_str(&answer.broken);
        }
        if answer.repaired > 0 {
            tracing::warn!(count = answer.repaired, "repaired lost wake-ups");
        }
        let (mut now, mut next_due) = (answer.now, answer.next_due.as_str());
        if let Some(fired) = fired {
            self.outcome.schedules_fired += count(fired.count)?;
            self.broken.push_str(&fired.broken);
            self.has_schedules = true;
            (now, next_due) = (fired.now, fired.next_due.as_str());
        }
        let next: Option<TimestampMs> = next_due.parse().ok().map(TimestampMs);
        if let Some(next) = next {
            let due = self.outcome.next_due.map_or(next, |due| due.min(next));
            self.outcome.next_due = Some(due);
            let until = next.saturating_since(now);
            self.until_due = Some(self.until_due.map_or(until, |earlier| earlier.min(until)));
        }
        Ok(self.outcome.handled() - before)
    }
}
