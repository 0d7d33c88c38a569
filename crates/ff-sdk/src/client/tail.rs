//! Following what an execution writes.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ff_engine::{
    EngineError, FrameView, ReadStream, StreamCursor, StreamEnd, StreamPage, SummaryView,
};
use ff_types::{AttemptIndex, ExecutionId};
use futures_core::Stream;

use super::Client;
use super::asking::Asking;

/// One wait inside the backend; the next follows at once.
const WAIT: Duration = Duration::from_secs(20);

/// What comes next in the stream of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TailEvent {
    /// Something was written.
    Frame(FrameView),
    /// What follows was written by a later attempt than this one, which is over.
    Superseded {
        /// The attempt that is over.
        attempt: AttemptIndex,
    },
    /// The running summary has changed. It comes when it is asked for; of many changes perhaps the latest
    /// only.
    Summary(SummaryView),
    /// What stood here is not kept any more.
    Gap,
    /// Nothing follows: the execution has ended, or the attempt that is followed is over.
    Ended(StreamEnd),
}

/// The frames of an execution as they come: see [`Client::tail`].
pub struct Tail {
    client: Client,
    request: ReadStream,
    asking: Asking<StreamPage>,
    ready: VecDeque<TailEvent>,
    place: StreamCursor,
    has_ended: bool,
}

impl Client {
    /// Follows what an execution writes, from its first frame, over its attempts, to its end. Every frame
    /// comes once and in order, over lost connections and restarts too.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ff_backend_mem::MemBackend;
    /// use ff_sdk::prelude::*;
    /// use ff_sdk::TailEvent;
    ///
    /// async fn count(task: ClaimedTask, to: u32) -> Result<(), TaskError> {
    ///     for number in 1..=to {
    ///         task.log(format!("{number} of {to}")).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let backend = Arc::new(MemBackend::new());
    /// # let client = Client::new(backend.clone());
    /// # let worker = Worker::builder(backend).handler("count", count).build()?.start();
    /// let id = client.submit(&Job::new("count", &3)).await?.id();
    /// let mut tail = client.tail(id);
    /// let mut lines = Vec::new();
    /// while let Some(event) = tail.next().await? {
    ///     if let TailEvent::Frame(view) = event {
    ///         lines.push(String::from_utf8(view.frame.bytes.to_vec())?);
    ///     }
    /// }
    /// assert_eq!(lines, ["1 of 3", "2 of 3", "3 of 3"]);
    /// # worker.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tail(&self, id: ExecutionId) -> Tail {
        Tail {
            client: self.clone(),
            request: ReadStream::new(id).with_max_wait(WAIT),
            asking: Asking::default(),
            ready: VecDeque::new(),
            place: StreamCursor::default(),
            has_ended: false,
        }
    }

    /// The running summary of an execution, if there is one.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for an unknown execution.
    pub async fn summary(&self, id: ExecutionId) -> Result<Option<SummaryView>, EngineError> {
        let request = ReadStream::new(id).with_limit(1).with_summary_after(0);
        Ok(self.read_stream(&request).await?.summary)
    }

    /// One page of what an execution has written.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], and [`EngineError::Validation`] for a page size out of range.
    pub async fn read_stream(&self, request: &ReadStream) -> Result<StreamPage, EngineError> {
        self.repeat(|| self.backend.read_stream(request)).await
    }
}

impl Tail {
    /// Follows this attempt only.
    #[must_use]
    pub const fn attempt(mut self, attempt: AttemptIndex) -> Self {
        self.request.attempt = Some(attempt);
        self
    }

    /// Also tells what the running summary is, and how it changes.
    #[must_use]
    pub const fn with_summary(mut self) -> Self {
        self.request.summary_after = Some(0);
        self
    }

    /// Goes on behind a frame: its [`place`](FrameView::place), or the id that an append gave it.
    #[must_use]
    pub const fn from(mut self, place: StreamCursor) -> Self {
        self.place = place;
        self
    }

    /// Waits for what comes next; `None` after the end. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the execution is not there, or not any more;
    /// [`EngineError::Unavailable`] when the backend did not answer for as long as calls are repeated. The
    /// call after that goes on where this one was.
    pub async fn next(&mut self) -> Result<Option<TailEvent>, EngineError> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<TailEvent>, EngineError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Ok(Some(event)));
            } else if self.has_ended {
                return Poll::Ready(Ok(None));
            }
            self.request.from = Some(self.place);
            let (client, request) = (&self.client, &self.request);
            let answer = self.asking.poll(cx, || {
                let (client, request) = (client.clone(), request.clone());
                async move { client.read_stream(&request).await }
            });
            let page = std::task::ready!(answer)?;
            self.take(page);
        }
    }

    fn take(&mut self, page: StreamPage) {
        if page.gap && (page.end.is_some() || !page.frames.is_empty()) {
            self.ready.push_back(TailEvent::Gap);
        }
        for view in page.frames {
            let attempt = self.place.attempt();
            if self.place.ordinal() > 0 && attempt < view.attempt {
                self.ready.push_back(TailEvent::Superseded { attempt });
            }
            self.place = view.place();
            self.ready.push_back(TailEvent::Frame(view));
        }
        if let Some(summary) = page.summary {
            self.request.summary_after = Some(summary.version);
            self.ready.push_back(TailEvent::Summary(summary));
        }
        if let Some(end) = page.end {
            self.has_ended = true;
            self.ready.push_back(TailEvent::Ended(end));
        }
    }
}

impl Stream for Tail {
    type Item = Result<TailEvent, EngineError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx).map(Result::transpose)
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail")
            .field("execution", &self.request.execution_id)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
