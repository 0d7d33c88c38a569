//! What a load was promised, and the audit that holds it against what is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ff_conformance::{CaseError, CaseResult};
use ff_engine::{EngineBackend, EngineError};
use ff_types::{ExecutionId, ExecutionState};

use crate::site::{ensure, patiently};

/// What was acknowledged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Acknowledged {
    pub(crate) submitted: BTreeSet<ExecutionId>,
    /// With the results, of which there has to be one each.
    pub(crate) completed: BTreeMap<ExecutionId, Vec<String>>,
}

/// The books of one load.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) submitting: AtomicBool,
    pub(crate) working: AtomicBool,
    pub(crate) refused: AtomicUsize,
    pub(crate) acknowledged: Mutex<Acknowledged>,
}

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Submissions that were acknowledged.
    pub(crate) submitted: usize,
    /// Late writes of holders that had lost their lease.
    pub(crate) refused: usize,
    /// Submissions that were acknowledged and are not there.
    pub(crate) lost: usize,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Books {
    /// Checks what is stored against what was acknowledged.
    pub(crate) async fn audit(
        &self,
        reader: &dyn EngineBackend,
        acknowledged: &Acknowledged,
    ) -> CaseResult<Tally> {
        let mut lost = 0;
        for id in &acknowledged.submitted {
            let view = match patiently(|| reader.describe_execution(*id)).await {
                Err(EngineError::NotFound { .. }) => {
                    lost += 1;
                    continue;
                }
                view => view?,
            };
            ensure(view.state == ExecutionState::Completed, || {
                format!("{id} is {:?}, last failure {:?}", view.state, view.last_failure)
            })?;
            let stored = view.result.as_ref().map(|result| result.bytes().to_vec());
            match acknowledged.completed.get(id).map(Vec::as_slice) {
                Some([result]) => ensure(stored.as_deref() == Some(result.as_bytes()), || {
                    format!("{id} keeps {stored:?}, acknowledged was {result}")
                })?,
                Some(results) => {
                    return Err(CaseError::new(format!("{id} was completed as {results:?}")));
                }
                // A completion that was acknowledged later than these books were closed.
                None => {}
            }
        }
        let refused = self.refused.load(Ordering::Relaxed);
        Ok(Tally { submitted: acknowledged.submitted.len(), refused, lost })
    }
}
