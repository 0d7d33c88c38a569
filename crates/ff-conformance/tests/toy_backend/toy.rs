//! The store: rows in a table behind a lock, and the one way to change a row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ff_engine::machine::lane::LaneQueues;
use ff_engine::machine::{
    BudgetRecord, CompletionLog, Decision, ExecutionRecord, FlowRecord, Offers, ScheduleRecord,
};
use ff_engine::roles::BackendInfo;
use ff_engine::{Clock, EngineError, ExecutionResult, KeyRing, OsSecrets};
use ff_types::backend::BackendTag;
use ff_types::{
    BudgetId, ExecutionId, FlowId, IdempotencyKey, LaneId, Namespace, RequestId, ScheduleId,
    TaskKind, TimestampMs, WorkerInstanceId,
};
use tokio::sync::{Notify, oneshot};

// region: store
/// The toy. Its tag tells its handles from those of other backends.
pub(crate) struct Toy {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) changed: Notify,
    pub(crate) ring: KeyRing,
    namespace: Namespace,
    table: Mutex<Table>,
}

/// What would be six tables in a SQL store.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) rows: BTreeMap<ExecutionId, ExecutionRecord>,
    pub(crate) flows: BTreeMap<FlowId, FlowRecord>,
    pub(crate) budgets: BTreeMap<BudgetId, BudgetRecord>,
    pub(crate) lanes: BTreeMap<LaneId, LaneQueues>,
    pub(crate) offers: Offers,
    pub(crate) schedules: BTreeMap<ScheduleId, ScheduleRecord>,
    pub(crate) log: CompletionLog,
    pub(crate) keys:
        BTreeMap<(TaskKind, IdempotencyKey, Option<BudgetId>), (ExecutionId, TimestampMs)>,
    pub(crate) answers: BTreeMap<(WorkerInstanceId, LaneId, bool), Answer>,
    pub(crate) awaiting: Vec<(ExecutionId, oneshot::Sender<ExecutionResult>)>,
}

/// What a claim gave out, for a repeat of it.
pub(crate) struct Answer {
    pub(crate) request_id: RequestId,
    pub(crate) items: Vec<ExecutionId>,
    pub(crate) ends_at: TimestampMs,
}
// endregion

pub(crate) const TAG: BackendTag = BackendTag::Custom("toy");

impl Table {
    /// Tells who waits for the end of this row, if it has ended.
    pub(crate) fn tell(&mut self, id: ExecutionId) {
        let Some(result) = self.rows.get(&id).and_then(ExecutionResult::of) else { return };
        for (_, waiter) in self.awaiting.extract_if(.., |(awaited, _)| *awaited == id) {
            // A waiter that gave up has dropped its end.
            let _gone = waiter.send(result.clone());
        }
    }
}

impl BackendInfo for Toy {
    fn tag(&self) -> BackendTag {
        TAG
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }
}

impl Toy {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            changed: Notify::new(),
            ring: KeyRing::generate(&OsSecrets),
            namespace: Namespace::default(),
            table: Mutex::new(Table::default()),
        }
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ids of the keys that sign and verify waitpoint tokens.
    pub(crate) fn kids(&self) -> Vec<Arc<str>> {
        self.ring.kids(self.clock.now()).map(Arc::from).collect()
    }

    // region: change
    /// Loads a row, decides, and stores the answer and what follows from it: one transaction.
    pub(crate) fn change<T>(
        &self,
        id: ExecutionId,
        decide: impl FnOnce(&ExecutionRecord, TimestampMs) -> Result<Decision<T>, EngineError>,
    ) -> Result<T, EngineError> {
        let mut table = self.table();
        let now = self.clock.now();
        let row = table.rows.get(&id).ok_or_else(|| EngineError::execution_not_found(id))?;
        match decide(row, now)? {
            Decision::Keep(outcome) => Ok(outcome),
            Decision::Apply { next, outcome } => {
                table.apply(id, *next, now);
                self.changed.notify_waiters();
                Ok(outcome)
            }
        }
    }
    // endregion
}
