//! Whether the condition of a suspension holds, and whether it still can. Every condition is a list
//! of groups, and each group counts by itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use ff_types::backend::ResumeSignal;
use ff_types::{SignalId, TimestampMs, WaitpointId};

use super::waits::{KeptSignal, Suspension, WaitGroup, Waitpoint, Waits};
use crate::requests::Distinct;

/// What a group counts once.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Counted<'w> {
    Waitpoint(WaitpointId),
    Signal(SignalId),
    Source(&'w str, &'w str),
}

impl<'w> Counted<'w> {
    fn of(distinct: Distinct, waitpoint: &Waitpoint, kept: &'w KeptSignal) -> Self {
        let signal = &kept.signal;
        match distinct {
            Distinct::Waitpoints => Self::Waitpoint(waitpoint.id),
            Distinct::Signals => Self::Signal(signal.signal_id),
            Distinct::Sources => Self::Source(&signal.source_type, &signal.source_identity),
        }
    }
}

/// The signals that satisfy the suspension, in the order of their acceptance; `None` while a group
/// does not hold.
///
/// Of each group, in the order of acceptance, it is the first signal of each thing the group
/// counts, until there are enough. A signal that several groups take is there once.
pub(super) fn satisfying(waits: &Waits) -> Option<Vec<Arc<ResumeSignal>>> {
    let suspension = waits.suspension.as_ref()?;
    let mut taken: Vec<&KeptSignal> = Vec::new();
    for group in &suspension.groups {
        let first = first_of_each(waits, suspension, group);
        if first.len() < group.n as usize {
            return None;
        }
        taken.extend(first);
    }
    taken.sort_unstable_by_key(|kept| kept.order);
    taken.dedup_by_key(|kept| kept.order);
    Some(taken.into_iter().map(|kept| Arc::clone(&kept.signal)).collect())
}

/// Whether signals to come could satisfy what is not satisfied yet, with the waitpoints that are
/// open at `now`.
pub(super) fn is_possible(waits: &Waits, now: TimestampMs) -> bool {
    let Some(suspension) = &waits.suspension else { return false };
    suspension.groups.iter().all(|group| {
        let mut members = members(waits, suspension, group);
        match group.distinct {
            Distinct::Waitpoints => {
                let hopeful =
                    |waitpoint: &&Waitpoint| !waitpoint.kept.is_empty() || waitpoint.is_open(now);
                members.filter(hopeful).count() >= group.n as usize
            }
            Distinct::Signals | Distinct::Sources => {
                members.any(|waitpoint| waitpoint.is_open(now))
                    || first_of_each(waits, suspension, group).len() >= group.n as usize
            }
        }
    })
}

/// In the order of acceptance, the first signal of each thing that the group counts, at most `n`.
fn first_of_each<'w>(
    waits: &'w Waits,
    suspension: &'w Suspension,
    group: &'w WaitGroup,
) -> Vec<&'w KeptSignal> {
    let mut signals: Vec<(&Waitpoint, &KeptSignal)> = members(waits, suspension, group)
        .flat_map(|waitpoint| waitpoint.kept.iter().map(move |kept| (waitpoint, kept)))
        .collect();
    signals.sort_unstable_by_key(|(_, kept)| kept.order);
    let mut counted = BTreeSet::new();
    let mut first = Vec::new();
    for (waitpoint, kept) in signals {
        if first.len() >= group.n as usize {
            break;
        }
        if counted.insert(Counted::of(group.distinct, waitpoint, kept)) {
            first.push(kept);
        }
    }
    first
}

fn members<'w>(
    waits: &'w Waits,
    suspension: &'w Suspension,
    group: &'w WaitGroup,
) -> impl Iterator<Item = &'w Waitpoint> {
    let id = |at: &u8| suspension.waitpoints.get(usize::from(*at));
    group.members.iter().filter_map(id).filter_map(|id| waits.waitpoint(*id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ff_types::WaitpointKey;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::requests::{TimeoutBehavior, WaitpointState};

    const NOW: TimestampMs = TimestampMs(1_000);

    /// A suspension for `groups` over as many waitpoints as `open` has, with a signal for each of
    /// `signals`: at which waitpoint, and by whom.
    fn waits(open: &[bool], signals: &[(usize, u8)], groups: Vec<WaitGroup>) -> Waits {
        let id = |at: usize| WaitpointId::from_u128(at as u128 + 1);
        let waitpoint = |(at, open): (usize, &bool)| Waitpoint {
            id: id(at),
            key: WaitpointKey::new(format!("key-{at}")).unwrap(),
            kid: "k".into(),
            state: if *open { WaitpointState::Active } else { WaitpointState::Closed },
            created_at: TimestampMs::ZERO,
            expires_at: TimestampMs::MAX,
            matcher: None,
            suspended_by: None,
            closed_by: None,
            kept: Vec::new(),
            seen: Vec::new(),
        };
        let mut waits = Waits {
            waitpoints: open.iter().enumerate().map(waitpoint).collect(),
            suspension: Some(Suspension {
                since: TimestampMs::ZERO,
                waitpoints: (0..open.len()).map(id).collect(),
                groups,
                timeout_at: None,
                behavior: TimeoutBehavior::Fail,
            }),
            ..Waits::default()
        };
        for (order, (at, who)) in (0_u64..).zip(signals) {
            let signal = Arc::new(ResumeSignal {
                signal_id: SignalId::from_u128(u128::from(order)),
                signal_name: "x".to_owned(),
                signal_category: String::new(),
                source_type: "principal".to_owned(),
                source_identity: who.to_string(),
                correlation_id: None,
                accepted_at: NOW,
                payload: None,
            });
            waits.waitpoints[at % open.len()].kept.push(KeptSignal { order, signal });
        }
        waits
    }

    fn group(members: Vec<u8>, n: u32, distinct: Distinct) -> WaitGroup {
        WaitGroup { members, n, distinct }
    }

    fn orders(signals: &[Arc<ResumeSignal>]) -> Vec<u128> {
        signals.iter().map(|signal| signal.signal_id.as_u128()).collect()
    }

    #[test]
    fn the_first_of_each_satisfies() {
        let signals = [(0, 1), (0, 1), (1, 1), (1, 2), (0, 3)];
        let satisfied = |n, distinct| {
            let waits = waits(&[true, true], &signals, vec![group(vec![0, 1], n, distinct)]);
            satisfying(&waits).map(|signals| orders(&signals))
        };

        assert_eq!(satisfied(2, Distinct::Waitpoints), Some(vec![0, 2]));
        assert_eq!(satisfied(3, Distinct::Signals), Some(vec![0, 1, 2]));
        assert_eq!(satisfied(2, Distinct::Sources), Some(vec![0, 3]));
        assert_eq!(satisfied(3, Distinct::Sources), Some(vec![0, 3, 4]));
        assert_eq!(satisfied(4, Distinct::Sources), None);
    }

    #[test]
    fn a_shared_signal_is_taken_once() {
        let groups = vec![
            group(vec![0, 1], 1, Distinct::Signals),
            group(vec![1, 2], 2, Distinct::Waitpoints),
        ];
        let waits = waits(&[true; 3], &[(2, 0), (1, 0), (1, 1)], groups);

        assert_eq!(satisfying(&waits).map(|signals| orders(&signals)), Some(vec![0, 1]));
    }

    #[test]
    fn closed_waitpoints_count_with_what_they_kept() {
        let possible = |open: &[bool], signals: &[(usize, u8)], n, distinct| {
            is_possible(&waits(open, signals, vec![group(vec![0, 1], n, distinct)]), NOW)
        };

        assert!(possible(&[true, false], &[(1, 1)], 2, Distinct::Waitpoints));
        assert!(!possible(&[true, false], &[(0, 1)], 2, Distinct::Waitpoints));
        assert!(possible(&[true, false], &[], 9, Distinct::Sources));
        assert!(!possible(&[false, false], &[(0, 1), (1, 1)], 2, Distinct::Sources));
        assert!(possible(&[false, false], &[(0, 1), (1, 2)], 2, Distinct::Sources));
    }

    fn distinct() -> impl Strategy<Value = Distinct> {
        prop_oneof![Just(Distinct::Waitpoints), Just(Distinct::Signals), Just(Distinct::Sources)]
    }

    proptest! {
        /// Counting in the plainest way agrees, what holds is possible, and one more signal never
        /// undoes it.
        #[test]
        fn it_holds_when_there_are_enough(
            open in vec(any::<bool>(), 1..5),
            signals in vec((0_usize..5, 0_u8..3), 0..12),
            n in 1_u32..6,
            distinct in distinct(),
        ) {
            let members: Vec<u8> = (0_u8..).take(open.len()).collect();
            let group = vec![group(members, n, distinct)];
            let kept = waits(&open, &signals, group.clone());

            let mut counted = BTreeMap::new();
            for (order, (at, who)) in signals.iter().enumerate() {
                let key = match distinct {
                    Distinct::Waitpoints => at % open.len(),
                    Distinct::Signals => order,
                    Distinct::Sources => usize::from(*who),
                };
                counted.entry(key).or_insert(order);
            }
            let holds = counted.len() >= n as usize;

            prop_assert_eq!(satisfying(&kept).is_some(), holds);
            prop_assert!(!holds || is_possible(&kept, NOW));
            if let Some(found) = satisfying(&kept) {
                prop_assert_eq!(found.len(), n as usize);
                prop_assert!(orders(&found).is_sorted());
                let more = [signals.as_slice(), &[(0, 9)]].concat();
                let later = satisfying(&waits(&open, &more, group));
                prop_assert_eq!(later.map(|later| orders(&later)), Some(orders(&found)));
            }
        }
    }
}
