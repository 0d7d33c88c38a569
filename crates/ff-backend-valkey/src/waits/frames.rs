//! Reads that wait for the next frame of an execution.
//!
//! However many readers of a process wait at one place, one of them asks the store, and the others are
//! given the same page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ff_engine::{EngineError, ReadStream, StreamPage};
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
struct Heard {
    readers: usize,
    shared: Arc<Shared>,
    /// How often readers have come: who comes while the last is leaving is noticed.
    visits: u64,
}

#[derive(Default)]
struct Shared {
    /// Counts what was heard.
    news: watch::Sender<u64>,
    /// What the store said since the latest news, by what was asked.
    pages: Mutex<(u64, Pages)>,
    listening: OnceCell<()>,
}

type Pages = HashMap<(ReadStream, usize), Arc<OnceCell<StreamPage>>>;

/// One reader.
pub(crate) struct FrameWait {
    inner: Arc<Inner>,
    id: ExecutionId,
    shared: Arc<Shared>,
    news: watch::Receiver<u64>,
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
            let one = heard.entry(id).or_insert_with(Heard::new);
            one.readers += 1;
            one.visits += 1;
            Arc::clone(&one.shared)
        };
        let news = shared.news.subscribe();
        let wait = FrameWait { inner: Arc::clone(inner), id, shared, news };
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

impl Heard {
    fn new() -> Self {
        Self { readers: 0, shared: Arc::default(), visits: 0 }
    }
}

impl FrameWait {
    /// What the store says to this, asked at most once since the latest news.
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
        let page = {
            let mut pages = locked(&self.shared.pages);
            if pages.0 != news {
                *pages = (news, Pages::new());
            }
            let mut asked = request.clone();
            asked.max_wait = None;
            Arc::clone(pages.1.entry((asked, page_size)).or_default())
        };
        page.get_or_try_init(ask).await.cloned()
    }

    /// Waits for news since the latest question.
    pub(crate) async fn news(&mut self) {
        // The sender lives as long as this does.
        let _closed = self.news.changed().await;
    }
}

impl Drop for FrameWait {
    fn drop(&mut self) {
        let visits = {
            let mut heard = locked(&self.inner.waits.frames.heard);
            let Some(one) = heard.get_mut(&self.id) else { return };
            one.readers -= 1;
            if one.readers > 0 {
                return;
            }
            one.visits
        };
        let (inner, id) = (Arc::clone(&self.inner), self.id);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(LINGERS).await;
                let is_left = |heard: &Heard| heard.readers == 0 && heard.visits == visits;
                {
                    let mut heard = locked(&inner.waits.frames.heard);
                    if !heard.get(&id).is_some_and(is_left) {
                        return;
                    }
                    heard.remove(&id);
                }
                let channel = inner.partition_of(id).stream_channel(id);
                // Staying subscribed costs a little memory, and nothing else.
                let _left = inner.transport.unsubscribe(&channel).await;
                if locked(&inner.waits.frames.heard).contains_key(&id) {
                    let _again = inner.subscribe(&channel).await;
                    inner.waits.frames.told(id);
                }
            });
        }
    }
}
