//! Claims that wait for work.
//!
//! What waits in the store is not a call but an *arm*: this process, in one partition, for one
//! offer. The store sets it only when it had nothing for the offer, and fires it at the next thing
//! that becomes ready. So while an arm stands there is nothing to ask for, and any number of calls
//! with the same offer wait behind it at no cost.
//!
//! An arm is named by a number of this process' own. Its firing may be told before the answer of
//! the call that set it: numbers that are under way remember that they fired. The firing of a
//! number that is not known any more is passed on to another process.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ff_types::backend::CapabilitySet;
use ff_types::{ExecutionId, LaneId, RequestId, WorkerInstanceId};
use tokio::sync::oneshot;

use super::locked;
use crate::calls::{Disarm, PassOn};
use crate::inner::Inner;

/// What a waiting claim would take.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Offer {
    pub(crate) lane: LaneId,
    pub(crate) capabilities: CapabilitySet,
    /// Whether it takes reclaims too.
    pub(crate) reclaims: bool,
    /// The tag of the reclaims it takes; empty for all.
    pub(crate) tag: String,
}

impl Offer {
    /// As the library spells it.
    pub(crate) const fn mode(&self) -> &'static str {
        if self.reclaims { "a" } else { "f" }
    }
}

/// Why a waiting claim looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wake {
    /// Where something became ready; everywhere it is not armed when `None`.
    pub(crate) partition: Option<usize>,
    /// What became ready, and has to be passed on when it is not taken.
    execution: Option<ExecutionId>,
}

impl Wake {
    /// What became ready in this partition.
    pub(crate) fn woken_in(&self, partition: usize) -> Option<ExecutionId> {
        self.execution.filter(|_| self.partition == Some(partition))
    }

    const LOOK: Self = Self { partition: None, execution: None };
}

/// The waiting claims of one process.
pub(crate) struct ClaimWaits {
    partitions: usize,
    rotation: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    offers: HashMap<Offer, Waiting>,
    arms: HashMap<u64, Arm>,
    /// The latest request of each kind, instance and lane, to tell a repeat.
    latest: HashMap<(Asked, WorkerInstanceId, LaneId), RequestId>,
}

/// Which verb asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    Claim,
    Reclaimable,
}

/// What waits behind one offer.
struct Waiting {
    /// The arms that stand, by partition.
    armed: Vec<Vec<u64>>,
    /// Firings that came while nobody waited, but a call was about to.
    missed: VecDeque<Wake>,
    claims: VecDeque<(u64, oneshot::Sender<Wake>)>,
    /// Calls that are asking.
    asking: usize,
}

struct Arm {
    offer: Offer,
    partition: usize,
    /// Whether the answer of the call that sets it has come.
    stands: bool,
    fired: Option<ExecutionId>,
}

impl ClaimWaits {
    pub(super) fn new(partitions: usize) -> Self {
        Self { partitions, rotation: AtomicUsize::new(0), state: Mutex::default() }
    }

    /// A number that differs from call to call.
    pub(crate) fn rotation(&self) -> usize {
        self.rotation.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether this request was made before by this process. The store knows that too, but for a
    /// repeat every partition has to be asked, and before any of them gives something new.
    pub(crate) fn is_repeat(
        &self,
        asked: Asked,
        instance: WorkerInstanceId,
        lane: &LaneId,
        request: RequestId,
    ) -> bool {
        let mut state = locked(&self.state);
        state.latest.insert((asked, instance, lane.clone()), request) == Some(request)
    }

    /// The partitions among `all` in which no arm stands for an offer.
    pub(crate) fn unarmed(&self, offer: &Offer, all: impl Iterator<Item = usize>) -> Vec<usize> {
        let state = locked(&self.state);
        let waiting = state.offers.get(offer);
        all.filter(|partition| waiting.is_none_or(|waiting| waiting.armed[*partition].is_empty()))
            .collect()
    }

    /// A call is about to ask a partition, and to arm it when there is nothing.
    pub(crate) fn begin<'w>(
        &'w self,
        inner: &'w Arc<Inner>,
        offer: &'w Offer,
        partition: usize,
        woken: Option<ExecutionId>,
    ) -> Arming<'w> {
        let mut state = locked(&self.state);
        let arm = state.next;
        state.next += 1;
        let waiting = state.waiting(offer, self.partitions);
        waiting.asking += 1;
        let crowded = !waiting.claims.is_empty();
        let offer_copy = offer.clone();
        state.arms.insert(arm, Arm { offer: offer_copy, partition, stands: false, fired: None });
        Arming { inner, offer, partition, arm, crowded, woken, settled: false }
    }

    /// A call has found nothing, and waits. It is woken at once when something became ready
    /// meanwhile, or an arm does not stand.
    pub(crate) fn enter<'w>(&'w self, inner: &'w Arc<Inner>, offer: &'w Offer) -> Ticket<'w> {
        let (wake, woken) = oneshot::channel();
        let mut state = locked(&self.state);
        let number = state.next;
        state.next += 1;
        let waiting = state.waiting(offer, self.partitions);
        let at_once = waiting
            .missed
            .pop_front()
            .or_else(|| waiting.armed.iter().any(Vec::is_empty).then_some(Wake::LOOK));
        match at_once {
            Some(reason) => {
                let _received = wake.send(reason);
            }
            None => waiting.claims.push_back((number, wake)),
        }
        drop(state);
        Ticket { inner, offer, number, woken, over: false }
    }

    /// An arm has fired.
    pub(super) fn fired(&self, inner: &Arc<Inner>, arm: u64, execution: ExecutionId) {
        let mut state = locked(&self.state);
        let Some(known) = state.arms.get_mut(&arm) else {
            drop(state);
            return pass_on(inner, execution);
        };
        if !known.stands {
            known.fired = Some(execution);
            return;
        }
        let (offer, partition) = (known.offer.clone(), known.partition);
        state.arms.remove(&arm);
        state.waiting(&offer, self.partitions).armed[partition].retain(|other| *other != arm);
        let wake = Wake { partition: Some(partition), execution: Some(execution) };
        let unwanted = state.hand_on(&offer, self.partitions, wake);
        state.forget_idle(&offer);
        drop(state);
        if unwanted {
            pass_on(inner, execution);
        }
    }

    /// Messages may have been missed: no arm is sure to stand, and everything that waits looks.
    pub(super) fn look_again(&self) {
        let mut state = locked(&self.state);
        state.arms.retain(|_, arm| !arm.stands);
        for waiting in state.offers.values_mut() {
            waiting.armed.iter_mut().for_each(Vec::clear);
            for (_, claim) in waiting.claims.drain(..) {
                let _gone = claim.send(Wake::LOOK);
            }
        }
    }
}

impl State {
    fn waiting(&mut self, offer: &Offer, partitions: usize) -> &mut Waiting {
        self.offers.entry(offer.clone()).or_insert_with(|| Waiting {
            armed: vec![Vec::new(); partitions],
            missed: VecDeque::new(),
            claims: VecDeque::new(),
            asking: 0,
        })
    }

    /// Gives a wake-up to the claim that waits longest, or keeps it for one that is about to wait.
    /// Answers whether nobody wants it.
    fn hand_on(&mut self, offer: &Offer, partitions: usize, wake: Wake) -> bool {
        let waiting = self.waiting(offer, partitions);
        while let Some((_, claim)) = waiting.claims.pop_front() {
            if claim.send(wake).is_ok() {
                return false;
            }
        }
        if waiting.asking > 0 {
            waiting.missed.push_back(wake);
            return false;
        }
        true
    }

    /// Forgets an offer behind which nothing waits and for which nothing stands.
    fn forget_idle(&mut self, offer: &Offer) {
        let idle = self.offers.get(offer).is_some_and(|waiting| {
            waiting.asking == 0
                && waiting.claims.is_empty()
                && waiting.missed.is_empty()
                && waiting.armed.iter().all(Vec::is_empty)
        });
        if idle {
            self.offers.remove(offer);
        }
    }

    /// The arms of an offer that nobody waits behind, taken down on this side, and the firings
    /// that nobody is there for.
    fn abandoned(&mut self, offer: &Offer) -> (Vec<(u64, usize)>, Vec<ExecutionId>) {
        let Some(waiting) = self.offers.get_mut(offer) else { return Default::default() };
        if waiting.asking > 0 || !waiting.claims.is_empty() {
            return Default::default();
        }
        let missed = waiting.missed.drain(..).filter_map(|wake| wake.execution).collect();
        let mut arms = Vec::new();
        for (partition, armed) in waiting.armed.iter_mut().enumerate() {
            arms.extend(armed.drain(..).map(|arm| (arm, partition)));
        }
        for (arm, _) in &arms {
            self.arms.remove(arm);
        }
        self.forget_idle(offer);
        (arms, missed)
    }
}

/// A call that is asking a partition. Dropped unanswered, it takes back what it may have set.
pub(crate) struct Arming<'w> {
    inner: &'w Arc<Inner>,
    offer: &'w Offer,
    partition: usize,
    arm: u64,
    crowded: bool,
    woken: Option<ExecutionId>,
    settled: bool,
}

impl Arming<'_> {
    pub(crate) const fn arm(&self) -> u64 {
        self.arm
    }

    /// Whether others wait behind the same offer, so that an arm is wanted in any case.
    pub(crate) const fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// What the store has to pass on when this call does not take it. Where others of the process
    /// wait it is theirs first.
    pub(crate) const fn passed_on(&self) -> Option<ExecutionId> {
        if self.crowded { None } else { self.woken }
    }

    /// The call was answered: whether the arm was set, and whether it got something.
    pub(crate) fn settle(mut self, armed: bool, found: bool) {
        self.settled = true;
        let claims = &self.inner.waits.claims;
        let mut state = locked(&claims.state);
        let fired = state.arms.remove(&self.arm).and_then(|arm| arm.fired);
        state.waiting(self.offer, claims.partitions).asking -= 1;
        let mut unwanted = None;
        match fired {
            Some(execution) => {
                let wake = Wake { partition: Some(self.partition), execution: Some(execution) };
                // This call itself may be the one that waits next.
                let waiting = state.waiting(self.offer, claims.partitions);
                waiting.asking += usize::from(!found);
                if state.hand_on(self.offer, claims.partitions, wake) {
                    unwanted = Some(execution);
                }
                state.waiting(self.offer, claims.partitions).asking -= usize::from(!found);
            }
            None if armed => {
                let (offer, partition) = (self.offer.clone(), self.partition);
                state.waiting(self.offer, claims.partitions).armed[partition].push(self.arm);
                let arm = Arm { offer, partition, stands: true, fired: None };
                state.arms.insert(self.arm, arm);
            }
            None => {}
        }
        if found && !armed && self.crowded {
            let wake = Wake { partition: Some(self.partition), execution: self.woken };
            if state.hand_on(self.offer, claims.partitions, wake) {
                unwanted = self.woken;
            }
        }
        let (arms, missed) = if found { state.abandoned(self.offer) } else { Default::default() };
        state.forget_idle(self.offer);
        drop(state);
        for execution in unwanted.into_iter().chain(missed) {
            pass_on(self.inner, execution);
        }
        spawn_disarm(self.inner, self.offer, arms);
    }
}

impl Drop for Arming<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let claims = &self.inner.waits.claims;
        let mut state = locked(&claims.state);
        let fired = state.arms.remove(&self.arm).and_then(|arm| arm.fired);
        state.waiting(self.offer, claims.partitions).asking -= 1;
        let (mut arms, mut missed) = state.abandoned(self.offer);
        state.forget_idle(self.offer);
        drop(state);
        arms.push((self.arm, self.partition));
        missed.extend(fired);
        missed.extend(self.woken);
        for execution in missed {
            pass_on(self.inner, execution);
        }
        spawn_disarm(self.inner, self.offer, arms);
    }
}

/// A claim that waits. However it ends, a wake-up that it did not use goes to another, and the last
/// one takes the arms down.
pub(crate) struct Ticket<'w> {
    inner: &'w Arc<Inner>,
    offer: &'w Offer,
    number: u64,
    woken: oneshot::Receiver<Wake>,
    over: bool,
}

impl Ticket<'_> {
    /// Resolves when there is a reason to look again.
    pub(crate) async fn woken(&mut self) -> Wake {
        let wake = (&mut self.woken).await.unwrap_or(Wake::LOOK);
        self.over = true;
        wake
    }

    /// Stops to wait, and returns once the store knows.
    pub(crate) async fn leave(mut self) {
        let arms = self.stop();
        disarm(self.inner, self.offer, arms).await;
    }

    fn stop(&mut self) -> Vec<(u64, usize)> {
        self.over = true;
        let claims = &self.inner.waits.claims;
        let mut state = locked(&claims.state);
        if let Some(waiting) = state.offers.get_mut(self.offer) {
            waiting.claims.retain(|(number, _)| *number != self.number);
        }
        self.woken.close();
        let mut unwanted = None;
        if let Ok(wake) = self.woken.try_recv()
            && state.hand_on(self.offer, claims.partitions, wake)
        {
            unwanted = wake.execution;
        }
        let (arms, missed) = state.abandoned(self.offer);
        state.forget_idle(self.offer);
        drop(state);
        for execution in unwanted.into_iter().chain(missed) {
            pass_on(self.inner, execution);
        }
        arms
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.over {
            let arms = self.stop();
            spawn_disarm(self.inner, self.offer, arms);
        }
    }
}

/// Has the store wake another process for what this one has nobody for.
fn pass_on(inner: &Arc<Inner>, execution: ExecutionId) {
    let inner = Arc::clone(inner);
    spawn(async move {
        let call = PassOn { id: execution.as_u128() };
        // What is not passed on now is found by the next maintenance call.
        let _repaired_later = inner.about("claim", execution, call).await;
    });
}

fn spawn_disarm(inner: &Arc<Inner>, offer: &Offer, arms: Vec<(u64, usize)>) {
    if !arms.is_empty() {
        let (inner, offer) = (Arc::clone(inner), offer.clone());
        spawn(async move { disarm(&inner, &offer, arms).await });
    }
}

/// Takes arms down in the store. One that stays is taken down when it fires.
async fn disarm(inner: &Inner, offer: &Offer, arms: Vec<(u64, usize)>) {
    for (arm, partition) in arms {
        let call = Disarm {
            lane: offer.lane.as_str(),
            process: inner.waits.process(),
            arm,
            mode: offer.mode(),
            offered: offer.capabilities.as_str(),
            tag: &offer.tag,
        };
        let _fires_into_nothing =
            inner.call("claim", &inner.keyspace.partitions[partition], call).await;
    }
}

/// Outside a runtime the process is ending, and with it everything that waits.
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(task);
    }
}
