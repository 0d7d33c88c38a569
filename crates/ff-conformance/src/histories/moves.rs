//! Which moves led an execution from one state to another.

use std::collections::BTreeSet;

use ff_engine::machine::lifecycle::{MOVES, Move, Verb};
use ff_types::ExecutionState;

/// How many moves one step makes of one execution at most: in a flow, one thing leads to another.
const MOVES_MAX: usize = 3;

/// The move that the verb made, or else its flow; none that is known for certain when it took
/// several; `None` when these make no way.
pub(super) fn moved(
    from: Option<ExecutionState>,
    to: Option<ExecutionState>,
    own: &[Verb],
    by_flow: Option<Verb>,
) -> Option<Vec<Move>> {
    let verbs = || own.iter().copied().chain(by_flow);
    let direct = |verb| Some(Move { from, verb, to }).filter(|made| MOVES.contains(made));
    if let Some(made) = verbs().find_map(direct) {
        return Some(vec![made]);
    }
    by_flow?;
    let mut reached = BTreeSet::from([from]);
    for _ in 0..MOVES_MAX {
        let next = MOVES
            .iter()
            .filter(|made| reached.contains(&made.from) && verbs().any(|verb| verb == made.verb));
        let next: Vec<_> = next.map(|made| made.to).collect();
        reached.extend(next);
    }
    reached.contains(&to).then(Vec::new)
}
