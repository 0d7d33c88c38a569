//! Following every end, by the completion log.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ff_engine::{CompletionPage, CompletionsFrom, EngineError, ReadCompletions};
use ff_types::backend::{CompletionPayload, ScannerFilter};
use futures_core::Stream;

use super::Client;
use super::asking::Asking;

/// One wait inside the backend; the next follows at once.
const WAIT: Duration = Duration::from_secs(20);

/// Why there is no completion at this point of a subscription. Whoever goes on asking gets what comes
/// behind it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompletionsError {
    /// What stood between the place and the next completion is gone: too old, or lost with the store's
    /// data. How that ended is to be read from the executions themselves.
    #[error("the completion log has a gap: what stood here is gone")]
    Gap,
    /// The backend refused, or did not answer for as long as calls are repeated. Nothing is passed over.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

type Item = Result<CompletionPayload, CompletionsError>;

/// The ends of executions and flows as they come: see [`Client::subscribe_completions`]. It ends never.
pub struct Completions {
    client: Client,
    request: ReadCompletions,
    asking: Asking<CompletionPage>,
    ready: VecDeque<Item>,
    behind_ready: CompletionsFrom,
}

impl Client {
    /// Follows the ends of all executions and flows that the filter lets through, from the oldest that
    /// is kept, from now, or from a place that an earlier subscription had come to. Each is handed out
    /// at least once, those of one execution in their order, over lost connections and failovers
    /// `[completions.cursor_misses_nothing]`.
    ///
    /// Once this returns, no later end is missed.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ff_backend_mem::MemBackend;
    /// use ff_sdk::prelude::*;
    /// use ff_sdk::{CompletionsFrom, ScannerFilter};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let backend = Arc::new(MemBackend::new());
    /// # let client = Client::new(backend);
    /// let filter = ScannerFilter::new().with_instance_tag("team", "billing");
    /// let mut ends = client.subscribe_completions(CompletionsFrom::Now, filter).await?;
    /// # let job = Job::new("charge", &()).tag("team", "billing");
    /// # let id = client.submit(&job).await?.id();
    /// # client.cancel(id, "not needed").await?;
    ///
    /// let end = ends.next().await?;
    /// println!("{} has ended: {}", end.execution_id, end.outcome);
    /// let place = serde_json::to_string(&ends.place())?; // to go on from after a restart
    /// # assert_eq!(end.execution_id, id);
    /// # let _ = place;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a place in a store with other partitions;
    /// [`EngineError::Unavailable`] when the backend did not answer.
    pub async fn subscribe_completions(
        &self,
        from: CompletionsFrom,
        filter: ScannerFilter,
    ) -> Result<Completions, EngineError> {
        let request = ReadCompletions::new(from).with_filter(filter);
        let page = self.repeat(|| self.backend.read_completions(&request)).await?;
        let request = request.with_max_wait(WAIT);
        let behind_ready = request.from.clone();
        let client = self.clone();
        let (asking, ready) = (Asking::default(), VecDeque::new());
        let mut all = Completions { client, request, asking, ready, behind_ready };
        all.take(page);
        Ok(all)
    }
}

impl Completions {
    /// Waits for the next completion. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// See [`CompletionsError`]; the call after that goes on.
    pub async fn next(&mut self) -> Item {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// A place from which a later subscription hands out everything that this one has not handed out
    /// yet, and perhaps the latest hundred once more. It can be kept: it is `Serialize`.
    pub fn place(&self) -> &CompletionsFrom {
        if self.ready.is_empty() { &self.behind_ready } else { &self.request.from }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Poll::Ready(item);
            }
            self.request.from.clone_from(&self.behind_ready);
            let (client, request) = (&self.client, &self.request);
            let answer = self.asking.poll(cx, || {
                let (client, request) = (client.clone(), request.clone());
                async move { client.repeat(|| client.backend.read_completions(&request)).await }
            });
            let page = std::task::ready!(answer)?;
            self.take(page);
        }
    }

    fn take(&mut self, page: CompletionPage) {
        if page.gap {
            self.ready.push_back(Err(CompletionsError::Gap));
        }
        self.ready.extend(page.items.into_iter().map(Ok));
        self.behind_ready = CompletionsFrom::Cursor(page.next);
    }
}

impl Stream for Completions {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.poll(cx).map(Some)
    }
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").field("place", self.place()).finish_non_exhaustive()
    }
}
