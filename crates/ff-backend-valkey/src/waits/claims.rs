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
use std::time::Duration;

use ff_engine::EngineError;
use ff_types::backend::CapabilitySet;
use ff_types::{ExecutionId, LaneId, RequestId, WorkerInstanceId};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::locked;
use crate::calls::{Disarm, PassOn};
use crate::inner::Inner;

/// Most requests that are remembered to tell a repeat: one for each instance and lane.
const LATEST_MAX: usize = 4_096;

/// How often, and how long apart, the take-down of an arm is repeated while the server does not
/// answer. One that stays all the same is taken down when it fires.
const DISARM_REPEATS: u32 = 30;
const DISARM_PAUSE: Duration = Duration::from_millis(200);

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
    /// Claims that are being made.
    asking: usize,
}

struct Arm {
    offer: Offer,
    partition: usize,
    /// Whether the answer of the call that sets it has come.
    stands: bool,
    /// Whether messages may have been missed since, so that it is not to be relied on.
    void: bool,
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
        if state.latest.len() >= LATEST_MAX {
            // Only a repeat in a divided keyspace needs it, and right behind its original.
            state.latest.clear();
        }
        state.latest.insert((asked, instance, lane.clone()), request) == Some(request)
    }

    /// A waiting claim begins. For as long as the visit lives, firings for its offer are kept.
    pub(crate) fn visit<'w>(&'w self, inner: &'w Arc<Inner>, offer: &'w Offer) -> Visit<'w> {
        locked(&self.state).waiting(offer, self.partitions).asking += 1;
        Visit { inner, offer, over: false }
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

    /// Messages may have been missed: no arm is sure to stand, not even one whose answer is still
    /// to come, and everything that waits looks.
    pub(super) fn look_again(&self, inner: &Arc<Inner>) {
        let mut doubtful = Vec::new();
        let mut state = locked(&self.state);
        state.arms.retain(|number, arm| {
            arm.void = true;
            if arm.stands {
                doubtful.push((arm.offer.clone(), vec![(*number, arm.partition)]));
            }
            !arm.stands
        });
        for waiting in state.offers.values_mut() {
            waiting.armed.iter_mut().for_each(Vec::clear);
            for (_, claim) in waiting.claims.drain(..) {
                let _gone = claim.send(Wake::LOOK);
            }
        }
        drop(state);
        for (offer, arms) in doubtful {
            spawn_disarm(inner, &offer, arms);
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

    /// Gives a wake-up to the claim that waits longest. Answers whether one waits.
    fn hand_to_waiting(&mut self, offer: &Offer, partitions: usize, wake: Wake) -> bool {
        let waiting = self.waiting(offer, partitions);
        while let Some((_, claim)) = waiting.claims.pop_front() {
            if claim.send(wake).is_ok() {
                return true;
            }
        }
        false
    }

    /// Gives a wake-up to a claim that waits, or keeps it for one that is about to. Answers whether
    /// nobody wants it.
    fn hand_on(&mut self, offer: &Offer, partitions: usize, wake: Wake) -> bool {
        if self.hand_to_waiting(offer, partitions, wake) {
            return false;
        }
        let waiting = self.waiting(offer, partitions);
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

    /// Takes down, on this side, every arm of an offer.
    fn take_down(&mut self, offer: &Offer) -> Vec<(u64, usize)> {
        let Some(waiting) = self.offers.get_mut(offer) else { return Vec::new() };
        let mut arms = Vec::new();
        for (partition, armed) in waiting.armed.iter_mut().enumerate() {
            arms.extend(armed.drain(..).map(|arm| (arm, partition)));
        }
        for (arm, _) in &arms {
            self.arms.remove(arm);
        }
        arms
    }
}

/// A waiting claim, from its first question to its end. However it ends, what fired meanwhile goes
/// to others.
pub(crate) struct Visit<'w> {
    inner: &'w Arc<Inner>,
    offer: &'w Offer,
    over: bool,
}

impl<'w> Visit<'w> {
    /// The partitions among `all` in which no arm stands.
    pub(crate) fn unarmed(&self, all: impl Iterator<Item = usize>) -> Vec<usize> {
        let state = locked(&self.inner.waits.claims.state);
        let waiting = state.offers.get(self.offer);
        all.filter(|partition| waiting.is_none_or(|waiting| waiting.armed[*partition].is_empty()))
            .collect()
    }

    /// The claim is about to ask a partition, and to arm it when there is nothing.
    pub(crate) fn begin(&self, partition: usize, woken: Option<ExecutionId>) -> Arming<'w> {
        let (inner, offer) = (self.inner, self.offer);
        let claims = &inner.waits.claims;
        let mut state = locked(&claims.state);
        let arm = state.next;
        state.next += 1;
        let crowded = !state.waiting(offer, claims.partitions).claims.is_empty();
        let (stands, void, fired) = (false, false, None);
        state.arms.insert(arm, Arm { offer: offer.clone(), partition, stands, void, fired });
        Arming { inner, offer, partition, arm, crowded, woken, settled: false }
    }

    /// The claim has found nothing, and waits. It is woken at once when something became ready
    /// meanwhile, or an arm does not stand.
    pub(crate) fn enter(&self) -> Ticket<'w> {
        let claims = &self.inner.waits.claims;
        let (wake, woken) = oneshot::channel();
        let mut state = locked(&claims.state);
        let number = state.next;
        state.next += 1;
        let waiting = state.waiting(self.offer, claims.partitions);
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
        Ticket { inner: self.inner, offer: self.offer, number, woken, over: false }
    }

    /// The claim got something. Arms that stand in other partitions go on to: the next claim of
    /// this process needs them.
    pub(crate) fn finish(mut self) {
        self.end(false);
    }

    /// The wait is over. Returns once the store knows.
    pub(crate) async fn leave(mut self) {
        let arms = self.end(true);
        disarm(self.inner, self.offer, arms).await;
    }

    /// Ends the visit, and answers the arms to take down in the store when nobody else waits.
    fn end(&mut self, nothing_found: bool) -> Vec<(u64, usize)> {
        self.over = true;
        let claims = &self.inner.waits.claims;
        let mut state = locked(&claims.state);
        let waiting = state.waiting(self.offer, claims.partitions);
        waiting.asking -= 1;
        let missed: Vec<Wake> = waiting.missed.drain(..).collect();
        let mut unwanted = Vec::new();
        for wake in missed {
            if state.hand_on(self.offer, claims.partitions, wake) {
                unwanted.extend(wake.execution);
            }
        }
        let waiting = state.waiting(self.offer, claims.partitions);
        let alone = waiting.asking == 0 && waiting.claims.is_empty();
        let arms = if alone && nothing_found { state.take_down(self.offer) } else { Vec::new() };
        state.forget_idle(self.offer);
        drop(state);
        for execution in unwanted {
            pass_on(self.inner, execution);
        }
        arms
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if !self.over {
            let arms = self.end(true);
            spawn_disarm(self.inner, self.offer, arms);
        }
    }
}

/// A question to one partition. Dropped unanswered, it takes back what it may have set.
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

    /// The call was answered: whether the arm was set.
    pub(crate) fn settle(mut self, armed: bool) {
        self.settled = true;
        let claims = &self.inner.waits.claims;
        let mut state = locked(&claims.state);
        let arm = state.arms.remove(&self.arm);
        let mut doubtful = Vec::new();
        match arm {
            Some(Arm { fired: Some(execution), .. }) => {
                let wake = Wake { partition: Some(self.partition), execution: Some(execution) };
                // The claim that asks counts as asking, so that somebody wants it.
                let _kept = state.hand_on(self.offer, claims.partitions, wake);
            }
            Some(Arm { void: false, .. }) if armed => {
                let (offer, partition) = (self.offer.clone(), self.partition);
                state.waiting(self.offer, claims.partitions).armed[partition].push(self.arm);
                let (stands, void, fired) = (true, false, None);
                state.arms.insert(self.arm, Arm { offer, partition, stands, void, fired });
            }
            _ if armed => doubtful.push((self.arm, self.partition)),
            _ => {}
        }
        let mut unwanted = None;
        if self.crowded && !armed {
            let wake = Wake { partition: Some(self.partition), execution: self.woken };
            if !state.hand_to_waiting(self.offer, claims.partitions, wake) {
                unwanted = self.woken;
            }
        }
        drop(state);
        if let Some(execution) = unwanted {
            pass_on(self.inner, execution);
        }
        spawn_disarm(self.inner, self.offer, doubtful);
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
        let mut reasons: Vec<Option<ExecutionId>> =
            fired.into_iter().chain(self.woken).map(Some).collect();
        if reasons.is_empty() {
            // Others relied on this call to look.
            reasons.push(None);
        }
        let mut unwanted = Vec::new();
        for execution in reasons {
            let wake = Wake { partition: Some(self.partition), execution };
            if !state.hand_to_waiting(self.offer, claims.partitions, wake) {
                unwanted.extend(execution);
            }
        }
        drop(state);
        for execution in unwanted {
            pass_on(self.inner, execution);
        }
        spawn_disarm(self.inner, self.offer, vec![(self.arm, self.partition)]);
    }
}

/// A place in the line of those who wait. Given up, a wake-up that was not used goes to another.
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
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let claims = &self.inner.waits.claims;
        let mut state = locked(&claims.state);
        if let Some(waiting) = state.offers.get_mut(self.offer) {
            waiting.claims.retain(|(number, _)| *number != self.number);
        }
        self.woken.close();
        if let Ok(wake) = self.woken.try_recv() {
            // The visit that this ticket belongs to still counts as asking.
            let _kept = state.hand_on(self.offer, claims.partitions, wake);
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

/// Takes arms down in the store. A call that gets no answer is repeated in the background: the
/// connection may just be away.
async fn disarm(inner: &Arc<Inner>, offer: &Offer, arms: Vec<(u64, usize)>) {
    let mut calls = JoinSet::new();
    for (arm, partition) in arms {
        let (inner, offer) = (Arc::clone(inner), offer.clone());
        calls.spawn(async move {
            if let Err(error) = disarm_one(&inner, &offer, arm, partition).await
                && error.is_retryable()
            {
                spawn(async move {
                    for _ in 0..DISARM_REPEATS {
                        tokio::time::sleep(DISARM_PAUSE).await;
                        let repeated = disarm_one(&inner, &offer, arm, partition).await;
                        if !repeated.is_err_and(|error| error.is_retryable()) {
                            return;
                        }
                    }
                });
            }
        });
    }
    while calls.join_next().await.is_some() {}
}

async fn disarm_one(
    inner: &Inner,
    offer: &Offer,
    arm: u64,
    partition: usize,
) -> Result<(), EngineError> {
    let call = Disarm {
        lane: offer.lane.as_str(),
        process: inner.waits.process(),
        arm,
        mode: offer.mode(),
        offered: offer.capabilities.as_str(),
        tag: &offer.tag,
    };
    inner.call("claim", &inner.keyspace.partitions[partition], call).await.map(drop)
}

/// Outside a runtime the process is ending, and with it everything that waits.
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(task);
    }
}
