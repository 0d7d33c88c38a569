//! A reader of the completion log that goes on from its place whatever happens to the servers, and in
//! the end is held against what is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ff_conformance::CaseResult;
use ff_engine::{
    CompletionsFrom, EngineBackend, EngineBackendExt as _, EngineError, ListRequest,
    ReadCompletions,
};
use ff_types::{ExecutionId, ExecutionState};
use tokio::task::JoinHandle;

use crate::site::{ensure, patiently};

/// How long one read waits for the next end.
const WAIT: Duration = Duration::from_millis(500);
/// Ends of a page: few, so that there are many places to go on from.
const PAGE: u32 = 7;
/// Most executions that one test makes.
const LISTED_MAX: usize = 1_000_000;

/// A reader that runs.
pub(crate) struct Follower {
    over: Arc<AtomicBool>,
    reading: JoinHandle<Result<Told, EngineError>>,
}

/// What a reader was told.
#[derive(Default)]
struct Told {
    /// How often each execution was said to have ended.
    ends: BTreeMap<ExecutionId, u32>,
    gaps: u32,
    /// What had ended when the reader looked, because of a gap.
    looked: BTreeMap<ExecutionId, ExecutionState>,
}

impl Follower {
    /// Reads from the beginning of the log.
    pub(crate) fn start(backend: Arc<dyn EngineBackend>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let reading = tokio::spawn(follow(backend, Arc::clone(&over)));
        Self { over, reading }
    }

    /// Reads what is left, and checks that every end that is stored was told, once. Call it when
    /// everything has ended.
    pub(crate) async fn finish(self, reader: &dyn EngineBackend) -> CaseResult {
        let (told, ended) = self.end(reader).await?;
        ensure(told.gaps == 0, || format!("{} gaps in a log that lost nothing", told.gaps))?;
        for id in ended.keys() {
            let times = told.ends.get(id).copied().unwrap_or_default();
            ensure(times == 1, || format!("the end of {id} was told {times} times"))?;
        }
        Ok(())
    }

    /// The same for a store that may have lost what it acknowledged: every end that is stored was told,
    /// or seen when the reader was told of a gap. Answers how many gaps there were.
    pub(crate) async fn finish_with_loss(self, reader: &dyn EngineBackend) -> CaseResult<u32> {
        let (told, ended) = self.end(reader).await?;
        for id in ended.keys() {
            let known = told.ends.contains_key(id) || told.looked.contains_key(id);
            ensure(known, || format!("the end of {id} was never told; {} gaps", told.gaps))?;
        }
        Ok(told.gaps)
    }

    async fn end(
        self,
        reader: &dyn EngineBackend,
    ) -> CaseResult<(Told, BTreeMap<ExecutionId, ExecutionState>)> {
        self.over.store(true, Ordering::Relaxed);
        let told = self.reading.await??;
        let ended = ended(reader).await?;
        ensure(!ended.is_empty(), || "nothing has ended".to_owned())?;
        Ok((told, ended))
    }
}

async fn follow(
    backend: Arc<dyn EngineBackend>,
    over: Arc<AtomicBool>,
) -> Result<Told, EngineError> {
    let mut told = Told::default();
    let mut from = CompletionsFrom::Start;
    loop {
        let is_over = over.load(Ordering::Relaxed);
        let request = ReadCompletions::new(from.clone()).with_limit(PAGE).with_max_wait(WAIT);
        let page = patiently(|| backend.read_completions(&request)).await?;
        if page.gap {
            told.gaps += 1;
            told.looked.extend(ended(backend.as_ref()).await?);
        }
        if is_over && page.items.is_empty() {
            return Ok(told);
        }
        for end in page.items {
            *told.ends.entry(end.execution_id).or_default() += 1;
        }
        from = CompletionsFrom::Cursor(page.next);
    }
}

async fn ended(
    backend: &dyn EngineBackend,
) -> Result<BTreeMap<ExecutionId, ExecutionState>, EngineError> {
    let mut request = ListRequest::new().with_limit(1_000);
    for state in ExecutionState::ALL.into_iter().filter(|state| state.is_terminal()) {
        request = request.with_state(state);
    }
    let items = patiently(|| backend.list_all(request.clone(), LISTED_MAX)).await?;
    Ok(items.into_iter().map(|item| (item.execution_id, item.state)).collect())
}
