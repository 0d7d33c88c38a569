//! The steps of a history that are about lanes, and what holds of these at any time.

use std::time::Duration;

use ff_engine::{AdjustLane, ExecutionView, LaneSettings, LaneState, LaneView, Rate};
use ff_types::LaneKey;

use super::op::{Op, SteerOp};
use super::world::{Step, World, lane_id};

/// The keys that executions may have.
pub(super) fn lane_key(which: u8) -> LaneKey {
    LaneKey::new(format!("key-{which}")).expect("the key is valid")
}

fn settings(op: &SteerOp) -> LaneSettings {
    let rate = |limit: u8| Rate::new(u32::from(limit), Duration::from_secs(1));
    let mut settings = LaneSettings::unlimited();
    settings.max_concurrency = op.leases.map(u32::from);
    settings.rate = op.rate.map(|limit| rate(limit).with_burst(1));
    settings.key_max_concurrency = op.key_leases.map(u32::from);
    settings.key_rate = op.key_rate.map(rate);
    settings.ageing = op.ageing.map(|ms| Duration::from_millis(u64::from(ms.max(1))));
    settings.max_queued = op.queued.map(u32::from);
    settings.time_to_live = op.time_to_live.map(|ms| Duration::from_millis(u64::from(ms.max(1))));
    if op.weighs {
        settings = settings.with_weight(lane_key(0), 3);
    }
    settings
}

impl World {
    /// The call of such a step.
    pub(super) fn steer_call(&self, op: &Op) -> Option<AdjustLane> {
        let Op::Steer(op) = op else { return None };
        let request = AdjustLane::new(self.ids.request_id(), lane_id(op.lane));
        let states = [LaneState::Active, LaneState::Paused, LaneState::Draining];
        Some(match op.state {
            Some(state) => request.with_state(states[usize::from(state) % states.len()]),
            None => request.with_settings(settings(op)),
        })
    }

    pub(super) async fn make_steer(&mut self, request: AdjustLane) -> Step {
        Step::quiet(&self.opened.backend.adjust_lane(&request).await)
    }

    /// How the lanes stand.
    pub(super) async fn lane_views(&self) -> Result<Vec<LaneView>, String> {
        let mut views = Vec::new();
        for lane in 0..2 {
            let view = self.opened.backend.describe_lane(&lane_id(lane)).await;
            views.push(view.map_err(|error| error.to_string())?);
        }
        Ok(views)
    }
}

/// What is wrong with a lane by the executions there are, and by how it stood before.
pub(super) fn faults<'v>(
    earlier: Option<&LaneView>,
    view: &LaneView,
    executions: impl Iterator<Item = &'v ExecutionView> + Clone,
) -> Vec<String> {
    let own = executions.filter(|one| one.lane == view.lane);
    let leases = own.clone().filter(|one| one.lease.is_some()).count() as u64;
    let tokens = own.filter(|one| one.token_outstanding).count() as u64;
    let held = |view: &LaneView| view.leases + view.tokens;
    let before = earlier.map_or(0, held);
    let most = view.settings.max_concurrency.map_or(u64::MAX, u64::from);
    let holds = [
        (view.leases == leases, "it counts the leases"),
        (view.tokens == tokens, "it counts the tokens"),
        (held(view) <= before.max(most), "what is held rises to the limit at most"),
        (
            view.state != LaneState::Paused || held(view) <= before,
            "a paused lane hands out nothing",
        ),
    ];
    let broken = holds.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, rule)| format!("lane {}: {rule}: {view:?}", view.lane)).collect()
}
