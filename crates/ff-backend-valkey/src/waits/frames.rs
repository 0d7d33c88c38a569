//! Reads that wait for the next frame of an execution.
//!
//! However many readers of a process wait at one place, one of them asks the store, and those that ask
//! while another one asks or waits there are given the same page.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use ff_engine::{EngineError, ReadStream, StreamPage, UnavailableKind};
use ff_types::ExecutionId;
use tokio::sync::{OnceCell, watch};

use super::locked;
use crate::inner::Inner;

/// How long an execution is listened to after the last reader, who may come back at once.
const LINGERS: Duration = Duration::from_secs(5);

/// The executions that readers of this process wait for.
#[derive(Default)]
pub(crate) struct FrameWaits {
    heard: Mutex<HashMap<ExecutionId, Heard>>,
}

/// An execution that is listened to.
#[derive(Default)]
struct Heard {
    readers: usize,
    shared: Arc<Shared>,
    /// How often readers have come.
    visits: u64,
    /// Whether somebody looks after a while whether readers still come.
    lingers: bool,
}

#[derive(Default)]
struct Shared {
    /// Counts what was heard.
    news: watch::Sender<u64>,
    /// What readers ask or have been told while they wait, by what they asked. It is theirs.
    answers: Mutex<HashMap<(ReadStream, usize), Weak<Answer>>>,
    listening: OnceCell<()>,
}

/// What the store says to one question.
struct Answer {
    /// The news it was asked after.
    news: u64,
    page: OnceCell<StreamPage>,
    /// Whether a question has failed: those behind it fail with it.
    has_failed: AtomicBool,
}

/// One reader.
pub(crate) struct FrameWait {
    inner: Arc<Inner>,
    id: ExecutionId,
    shared: Arc<Shared>,
    news: watch::Receiver<u64>,
    answer: Option<Arc<Answer>>,
}

impl FrameWaits {
    /// Listens to an execution. What happens once this has returned is heard.
    pub(crate) async fn listen(
        &self,
        inner: &Arc<Inner>,
        id: ExecutionId,
    ) -> Result<FrameWait, EngineError> {
        let shared = {
            let mut heard = locked(&self.heard);
            let one = heard.entry(id).or_default();
            one.readers += 1;
            one.visits += 1;
            Arc::clone(&one.shared)
        };
        let news = shared.news.subscribe();
        let wait = FrameWait { inner: Arc::clone(inner), id, shared, news, answer: None };
        let channel = inner.partition_of(id).stream_channel(id);
        wait.shared.listening.get_or_try_init(|| inner.subscribe(&channel)).await?;
        Ok(wait)
    }

    /// There is something new in the stream of an execution.
    pub(super) fn told(&self, id: ExecutionId) {
        if let Some(heard) = locked(&self.heard).get(&id) {
            heard.shared.news.send_modify(|news| *news += 1);
        }
    }

    /// Messages may have been missed.
    pub(super) fn look_again(&self) {
        for heard in locked(&self.heard).values() {
            heard.shared.news.send_modify(|news| *news += 1);
        }
    }
}

impl FrameWait {
    /// What the store says to this: the answer that another reader waits with or for, when there is one
    /// since the latest news, and never the one that this reader has had.
    pub(crate) async fn ask<F>(
        &mut self,
        request: &ReadStream,
        page_size: usize,
        ask: impl FnOnce() -> F,
    ) -> Result<StreamPage, EngineError>
    where
        F: Future<Output = Result<StreamPage, EngineError>>,
    {
        let news = *self.news.borrow_and_update();
        let had = self.answer.take();
        let answer = {
            let mut asked = request.clone();
            asked.max_wait = None;
            let mut answers = locked(&self.shared.answers);
            answers.retain(|_, answer| answer.strong_count() > 0);
            let theirs = answers.get(&(asked.clone(), page_size)).and_then(Weak::upgrade);
            let is_new = |answer: &Arc<Answer>| {
                let is_mine = had.as_ref().is_some_and(|had| Arc::ptr_eq(had, answer));
                answer.news == news && !is_mine && !answer.has_failed.load(Ordering::Relaxed)
            };
            theirs.filter(is_new).unwrap_or_else(|| {
                let answer = Arc::new(Answer {
                    news,
                    page: OnceCell::new(),
                    has_failed: AtomicBool::new(false),
                });
                answers.insert((asked, page_size), Arc::downgrade(&answer));
                answer
            })
        };
        let page = answer.page.get_or_try_init(|| async {
            if answer.has_failed.load(Ordering::Relaxed) {
                let kind = UnavailableKind::Unreachable;
                return Err(EngineError::Unavailable {
                    kind,
                    operation: "read_stream",
                    source: None,
                });
            }
            let page = ask().await;
            answer.has_failed.store(page.is_err(), Ordering::Relaxed);
            page
        });
        let page = page.await?.clone();
        self.answer = Some(answer);
        Ok(page)
    }

    /// Waits for news since the latest question.
    pub(crate) async fn news(&mut self) {
        // The sender lives as long as this does.
        let _closed = self.news.changed().await;
    }
}

impl Drop for FrameWait {
    fn drop(&mut self) {
        {
            let mut heard = locked(&self.inner.waits.frames.heard);
            let Some(one) = heard.get_mut(&self.id) else { return };
            one.readers -= 1;
            if one.readers > 0 || one.lingers {
                return;
            }
            one.lingers = true;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(leave_later(Arc::clone(&self.inner), self.id));
        }
    }
}

/// Stops listening to an execution once no reader has come for a while.
async fn leave_later(inner: Arc<Inner>, id: ExecutionId) {
    let mut seen = 0;
    loop {
        tokio::time::sleep(LINGERS).await;
        let mut heard = locked(&inner.waits.frames.heard);
        let Some(one) = heard.get_mut(&id) else { return };
        if one.readers > 0 {
            one.lingers = false;
            return;
        } else if one.visits == seen {
            heard.remove(&id);
            break;
        }
        seen = one.visits;
    }
    let channel = inner.partition_of(id).stream_channel(id);
    // Staying subscribed costs a little memory, and nothing else.
    let _left = inner.transport.unsubscribe(&channel).await;
    if locked(&inner.waits.frames.heard).contains_key(&id) {
        let _again = inner.subscribe(&channel).await;
        inner.waits.frames.told(id);
    }
}
