//! Those that find no room: a look at a budget lets some of them go on.

use ff_types::{BlockReason, ExecutionId, ExecutionState, TimestampMs, limits};

use super::admission::wanted;
use super::record::{BudgetRecord, earlier, has_others};
use crate::machine::record::{ExecutionRecord, RunState, state_of};
use crate::requests::{Amounts, OnBreach};

/// What a look at a budget does.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The budget becomes this.
    pub budget: BudgetRecord,
    /// And these executions this: let go on, set aside, or in line again.
    pub moved: Vec<(ExecutionId, RunState)>,
}

/// Decides a look at a budget that is due. `line` are those in line, in the order of their places, and
/// `aside` those that were set aside in an earlier generation than its next, oldest first; both as far as
/// asked for. `set_aside` is how many are set aside in all.
///
/// The line goes on in its order while the estimates fit together, and the first that does not fit is waited
/// for. One that something else keeps back, that fails when its turn comes, or whose flow is cancelled takes no
/// room; one that needs more than there can be is set aside. At most 32 move at once. When some went on, the
/// budget is looked at again after a second, in case they do not take what they were let go on for.
pub fn look<'r>(
    budget: &BudgetRecord,
    line: impl Iterator<Item = &'r ExecutionRecord>,
    aside: impl Iterator<Item = &'r ExecutionRecord>,
    set_aside: usize,
    now: TimestampMs,
) -> Look {
    let mut next = budget.clone();
    next.roll(now);
    let mut full = next.clone();
    let mut moved = Vec::new();
    let mut admitted = false;
    let mut stopped = None;
    let mut left_aside = set_aside;
    for record in line {
        if moved.len() == limits::BUDGET_MOVED_MAX {
            stopped = Some(true);
            break;
        }
        let mut run = record.run.clone();
        let wanted = wanted(record);
        if !has_turn(record, &next, &wanted) {
            if next.used_up(&wanted).is_some() {
                run.set_aside = Some(next.generation);
                left_aside += 1;
                moved.push((record.submission.id(), run));
                continue;
            }
            let takes = one_at_least(&next, wanted);
            if !full.fits(&takes) {
                stopped = Some(false);
                break;
            }
            full.settle(&Amounts::new(), &takes);
        }
        admitted = true;
        run.reasons = run.reasons.without(BlockReason::Budget);
        run.blocked_on = None;
        if run.state == ExecutionState::Blocked {
            run.state = state_of(run.reasons);
        }
        moved.push((record.submission.id(), run));
    }
    let mut again = stopped == Some(true);
    for record in aside {
        again = true;
        if moved.len() == limits::BUDGET_MOVED_MAX {
            break;
        }
        let mut run = record.run.clone();
        run.set_aside = None;
        moved.push((record.submission.id(), run));
    }
    let after = |ms| now.saturating_add(std::time::Duration::from_millis(ms));
    next.look_at = match stopped {
        _ if again => Some(now),
        None => next.window_end().filter(|_| left_aside > 0),
        Some(_) if admitted => {
            earlier(Some(after(limits::BUDGET_LOOK_AGAIN_MS)), next.window_end())
        }
        Some(_) => earlier(Some(after(limits::BUDGET_LINE_LOOK_MS)), next.window_end()),
    };
    Look { budget: next, moved }
}

/// Whether one in line goes on without taking room: it does not start then.
fn has_turn(record: &ExecutionRecord, budget: &BudgetRecord, wanted: &Amounts) -> bool {
    let fails = budget.spec.on_breach == OnBreach::Fail && budget.used_up(wanted).is_some();
    let is_over = record.flow_cancel.is_some() && !record.run.attempt.is_some_and(|one| one.open);
    fails || is_over || has_others(&record.run)
}

/// What one takes for certain: one of each limited dimension, if it is expected to use less.
fn one_at_least(budget: &BudgetRecord, mut wanted: Amounts) -> Amounts {
    for (name, dimension) in &budget.dimensions {
        if dimension.limit.hard.is_some() {
            let amount = wanted.entry(name.clone()).or_default();
            *amount = (*amount).max(1);
        }
    }
    wanted
}
