//! Load that keeps the books: clients submit, workers claim, fail, pause and complete, all of them
//! repeat what is not answered, and in the end every acknowledgement is held against what is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ff_conformance::fixture::failure;
use ff_conformance::{CaseError, CaseResult};
use ff_engine::{
    DelayRequest, EngineBackend, EngineBackendExt as _, EngineError, ListRequest, Task, TickRequest,
};
use ff_types::backend::{FailureClass, HandleKind};
use ff_types::{ExecutionId, ExecutionState, Payload};
use tokio::task::JoinSet;

use crate::books::{Acknowledged, Books, Tally, locked};
use crate::site::{Site, ensure, patiently, until};

/// Between two submissions of a client, so that the workers keep up.
const PACE: Duration = Duration::from_millis(2);
/// How long a worker waits for work before it looks whether it is over.
const WAIT: Duration = Duration::from_millis(300);
/// Most that a worker takes at once, and how long it works on them.
const MOST: u32 = 4;
const WORK: Duration = Duration::from_millis(5);
/// Most executions that one test makes.
const LISTED_MAX: usize = 1_000_000;

/// Load that runs.
pub(crate) struct Load {
    books: Arc<Books>,
    tasks: JoinSet<CaseResult>,
}

impl Load {
    /// Starts clients, workers and a maintainer, each on the next of `backends`.
    pub(crate) fn start(
        site: &Site,
        backends: &[Arc<dyn EngineBackend>],
        clients: usize,
        workers: usize,
    ) -> Self {
        let books = Arc::new(Books::default());
        books.submitting.store(true, Ordering::Relaxed);
        books.working.store(true, Ordering::Relaxed);
        let mut backends = backends.iter().cycle().cloned();
        let mut backend = || backends.next().expect("a load has a backend");
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            tasks.spawn(submit(site.clone(), backend(), Arc::clone(&books)));
        }
        for _ in 0..workers {
            tasks.spawn(work(site.clone(), backend(), Arc::clone(&books)));
        }
        tasks.spawn(maintain(backend(), Arc::clone(&books)));
        Self { books, tasks }
    }

    /// What was acknowledged so far.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        locked(&self.books.acknowledged).clone()
    }

    /// How many completions were acknowledged.
    pub(crate) fn completed(&self) -> usize {
        self.acknowledged().completed.len()
    }

    /// Waits until `count` more completions are acknowledged than at this call.
    pub(crate) async fn progress(&mut self, count: usize, bound: Duration) -> CaseResult {
        let wanted = self.completed() + count;
        let books = Arc::clone(&self.books);
        let progress = until("the load goes on", bound, || {
            let done = locked(&books.acknowledged).completed.len() >= wanted;
            async move { Ok(done.then_some(())) }
        });
        tokio::select! {
            outcome = progress => outcome,
            Some(ended) = self.tasks.join_next() => {
                ended??;
                Err(CaseError::new("a part of the load ended early"))
            }
        }
    }

    /// Stops the clients, lets everything end, and checks that everything that was acknowledged
    /// stands. `reader` sees what the load left.
    pub(crate) async fn finish(
        mut self,
        reader: &dyn EngineBackend,
        bound: Duration,
    ) -> CaseResult<Tally> {
        self.end(reader, bound).await?;
        let tally = self.books.audit(reader, &self.acknowledged()).await?;
        ensure(tally.lost == 0, || format!("{} acknowledged submissions are lost", tally.lost))?;
        Ok(tally)
    }

    /// The same for a store that may have lost what it acknowledged later than `kept`. Of the rest
    /// it checks that it ended.
    pub(crate) async fn finish_with_loss(
        mut self,
        reader: &dyn EngineBackend,
        bound: Duration,
        kept: &Acknowledged,
    ) -> CaseResult<Tally> {
        self.end(reader, bound).await?;
        let all = self.acknowledged();
        for (id, results) in &kept.completed {
            let again = &all.completed[id];
            ensure(again == results, || {
                format!("{id} was completed as {results:?}, then {again:?}")
            })?;
        }
        let tally = self.books.audit(reader, kept).await?;
        ensure(tally.lost == 0, || format!("{} replicated submissions are lost", tally.lost))?;
        let mut lost = 0;
        for id in all.submitted.difference(&kept.submitted) {
            match patiently(|| reader.describe_execution(*id)).await {
                Ok(_) => {}
                Err(EngineError::NotFound { .. }) => lost += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Tally { submitted: all.submitted.len(), lost, ..tally })
    }

    async fn end(&mut self, reader: &dyn EngineBackend, bound: Duration) -> CaseResult {
        self.books.submitting.store(false, Ordering::Relaxed);
        let ended = until("everything ends", bound, || async {
            let open = open(reader).await?;
            Ok(open.is_empty().then_some(()))
        });
        let mut outcome = ended.await;
        if outcome.is_err() {
            let open = open(reader).await.unwrap_or_default();
            outcome = outcome.map_err(|error| {
                CaseError::new(format!("{error}: {} are open, as {:?}", open.len(), open.first()))
            });
        }
        self.books.working.store(false, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        outcome
    }
}

/// What has not ended.
async fn open(reader: &dyn EngineBackend) -> CaseResult<Vec<(ExecutionId, ExecutionState)>> {
    let mut request = ListRequest::new().with_limit(1_000);
    for state in [
        ExecutionState::Ready,
        ExecutionState::Active,
        ExecutionState::Delayed,
        ExecutionState::Blocked,
    ] {
        request = request.with_state(state);
    }
    let items = patiently(|| reader.list_all(request.clone(), LISTED_MAX)).await?;
    Ok(items.into_iter().map(|item| (item.execution_id, item.state)).collect())
}

async fn submit(site: Site, backend: Arc<dyn EngineBackend>, books: Arc<Books>) -> CaseResult {
    let mut alone = true;
    while books.submitting.load(Ordering::Relaxed) {
        let batch = [site.submission()?, site.submission()?];
        if alone {
            patiently(|| backend.submit(&batch[0])).await?;
            locked(&books.acknowledged).submitted.insert(batch[0].id());
        } else {
            for outcome in patiently(|| backend.submit_batch(&batch)).await? {
                locked(&books.acknowledged).submitted.insert(outcome?.id());
            }
        }
        alone = !alone;
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

async fn work(site: Site, backend: Arc<dyn EngineBackend>, books: Arc<Books>) -> CaseResult {
    let worker = site.worker();
    while books.working.load(Ordering::Relaxed) {
        let tasks = worker.take(backend.as_ref(), MOST, WAIT).await?;
        tokio::time::sleep(WORK).await;
        for task in tasks {
            let result = format!("{} {} {}", worker.instance, task.attempt, site.ids.request_id());
            match give_back(backend.as_ref(), &task, &result).await {
                // A server that lost it does not know it.
                Ok(false) | Err(EngineError::NotFound { .. }) => {}
                Ok(true) => {
                    let mut acknowledged = locked(&books.acknowledged);
                    acknowledged.completed.entry(task.execution_id).or_default().push(result);
                }
                // The lease ran out while the server was away; somebody else does the work.
                Err(EngineError::State { .. }) => {
                    books.refused.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Completes a task, or first fails or pauses some of those that are new. Answers whether it is
/// completed.
async fn give_back(
    backend: &dyn EngineBackend,
    task: &Task,
    result: &str,
) -> Result<bool, EngineError> {
    let handle = &task.handle;
    let is_new = task.attempt.0 == 0 && handle.kind == HandleKind::Fresh;
    match task.execution_id.as_u128() % 4 {
        0 if is_new => {
            let again = failure(FailureClass::Transient).with_retry_after(Duration::ZERO);
            patiently(|| backend.fail(handle, &again)).await.map(|_| false)
        }
        1 if is_new => {
            let later = DelayRequest::now();
            patiently(|| backend.delay(handle, &later)).await.map(|()| false)
        }
        _ => {
            let payload = Payload::new(result.to_owned());
            patiently(|| backend.complete(handle, Some(&payload))).await.map(|()| true)
        }
    }
}

async fn maintain(backend: Arc<dyn EngineBackend>, books: Arc<Books>) -> CaseResult {
    while books.working.load(Ordering::Relaxed) {
        let request = TickRequest::all().with_max_wait(WAIT);
        patiently(|| backend.tick(&request)).await?;
    }
    Ok(())
}
