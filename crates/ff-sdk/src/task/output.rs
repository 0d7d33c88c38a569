//! What a handler writes while it runs, for people who watch.
//!
//! Frames are gathered for a few milliseconds and appended together, in their order, by whoever comes
//! first: a full batch, the end of the delay, a flush, or the release of the lease.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use ff_engine::{EngineError, Fence};
use ff_types::backend::{Frame, FrameKind};
use ff_types::limits;
use serde::Serialize;
use tokio::io::AsyncWrite;

use super::ClaimedTask;
use super::attempt::Attempt;
use crate::json;

/// How long a frame waits for others.
const GATHERED_FOR: Duration = Duration::from_millis(5);
/// How long the release of a lease waits for frames to be stored.
pub(crate) const STORED_WITHIN: Duration = Duration::from_secs(2);
/// The same when a worker that stops hands a task back.
pub(crate) const HANDED_BACK_STORED_WITHIN: Duration = Duration::from_millis(200);
/// Bits of a number below the epoch of the lease: so numbers rise over the leases of an attempt.
const COUNTER_BITS: u32 = 40;

/// What is written and not stored yet.
#[derive(Default)]
pub(crate) struct Output {
    written: Mutex<Written>,
    /// Held by whoever appends, so that batches keep their order.
    appending: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Written {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// How many frames were ever written, and how many of them were stored or refused.
    count: u64,
    gone: u64,
    /// Why some were refused: told to whoever flushes next.
    refused: Option<EngineError>,
}

/// What has to be done about a frame that was written.
enum Then {
    Nothing,
    /// It is the first of a batch.
    AppendLater,
    /// The batch is full.
    AppendNow,
}

impl Output {
    fn locked(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self) -> bool {
        self.locked().is_full()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.locked().frames.is_empty()
    }
}

impl Written {
    fn is_full(&self) -> bool {
        let room = limits::FRAMES_PER_APPEND_MAX_BYTES.saturating_sub(self.bytes);
        self.frames.len() >= limits::FRAMES_PER_APPEND_MAX || room < limits::FRAME_MAX_BYTES
    }

    /// The frames that are appended next.
    fn batch(&self) -> Vec<Frame> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for frame in self.frames.iter().take(limits::FRAMES_PER_APPEND_MAX) {
            bytes += frame.bytes.len();
            if bytes > limits::FRAMES_PER_APPEND_MAX_BYTES {
                break;
            }
            batch.push(frame.clone());
        }
        batch
    }

    fn forget(&mut self, count: usize) {
        for frame in self.frames.drain(..count) {
            self.bytes -= frame.bytes.len();
            self.gone += 1;
        }
    }
}

impl Attempt {
    fn write(&self, frame: Frame) -> Result<Then, EngineError> {
        frame.validate()?;
        let epoch = Fence::of(&self.task.handle, self.task.handle.backend)?.epoch.0;
        let mut written = self.output.locked();
        let frame = frame.with_seq((epoch << COUNTER_BITS) | written.count);
        let is_first = written.frames.is_empty();
        written.count += 1;
        written.bytes += frame.bytes.len();
        written.frames.push_back(frame);
        Ok(match (written.is_full(), is_first) {
            (true, _) => Then::AppendNow,
            (false, true) => Then::AppendLater,
            (false, false) => Then::Nothing,
        })
    }

    /// Appends everything that is written by now. What is refused for good is dropped, and told once; what
    /// is not answered stays.
    pub(crate) async fn flush(&self) -> Result<(), EngineError> {
        let until = self.output.locked().count;
        let _in_order = self.output.appending.lock().await;
        loop {
            let batch = {
                let mut written = self.output.locked();
                if written.gone >= until || written.frames.is_empty() {
                    return written.refused.take().map_or(Ok(()), Err);
                }
                // They stay until they are stored: whoever drops this has not stored them.
                written.batch()
            };
            let backend = &self.desk.backend;
            match self.ask(|| backend.append_frames(&self.task.handle, &batch)).await {
                Ok(_) => self.output.locked().forget(batch.len()),
                Err(error) if error.is_retryable() && !self.lease.is_lost() => return Err(error),
                Err(error) => {
                    let mut written = self.output.locked();
                    written.forget(batch.len());
                    written.refused.get_or_insert(error);
                }
            }
        }
    }

    /// Appends what is left before the lease is given back, for a while: a store that takes no frames may
    /// still take the end.
    pub(crate) async fn flush_for_release(&self, within: Duration) {
        if self.output.is_empty() {
            return;
        }
        let stored = tokio::select! {
            stored = self.flush() => stored.map_err(|error| error.code()),
            () = self.lease.lost() => Err("lease_lost"),
            () = self.desk.clock.sleep(within) => Err("timeout"),
        };
        if let Err(code) = stored {
            tracing::warn!(execution = %self.task.execution_id, code, "frames were not stored");
        }
    }
}

/// Appends frames after a moment, and again while the store does not answer.
async fn append_later(attempt: Arc<Attempt>) {
    loop {
        attempt.desk.clock.sleep(GATHERED_FOR).await;
        match attempt.flush().await {
            Err(error) if error.is_retryable() && !attempt.lease.is_lost() => {}
            Err(error) => {
                let (execution, code) = (attempt.task.execution_id, error.code());
                tracing::warn!(%execution, code, "frames were not stored");
                attempt.output.locked().refused.get_or_insert(error);
                return;
            }
            Ok(()) => return,
        }
        if attempt.outcome().is_some() {
            return;
        }
    }
}

/// Output that people watch while it is made.
///
/// It is kept with the execution, in the order in which it was written, over all attempts, and is read
/// with [`Client::tail`](crate::Client::tail). What is written is stored within milliseconds, a few
/// frames at a time, and at the latest before the attempt ends. A handler that has lost its lease writes
/// nothing any more.
impl ClaimedTask {
    /// Writes a line of text, of at most 64 KiB.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for a longer one; what the backend says when a batch of frames was
    /// to be stored first.
    ///
    /// ```
    /// use ff_sdk::prelude::*;
    ///
    /// async fn build(task: ClaimedTask, crates: Vec<String>) -> Result<usize, TaskError> {
    ///     for name in &crates {
    ///         task.log(format!("compiling {name}")).await?;
    ///     }
    ///     task.emit("built", &crates.len()).await?;
    ///     Ok(crates.len())
    /// }
    /// # let _ = build;
    /// ```
    pub async fn log(&self, line: impl Into<String>) -> Result<(), EngineError> {
        self.write_frame(Frame::new(line.into(), FrameKind::Stdout)).await
    }

    /// Writes an event of a type of the application's own, as JSON.
    ///
    /// # Errors
    /// As for [`ClaimedTask::log`]; [`EngineError::Validation`] for what is no JSON.
    pub async fn emit<T: Serialize + ?Sized>(
        &self,
        event_type: &str,
        event: &T,
    ) -> Result<(), EngineError> {
        let bytes =
            json::bytes_of(event).map_err(|problem| EngineError::validation("event", problem))?;
        self.write_frame(Frame::new(bytes, FrameKind::Event).with_frame_type(event_type)).await
    }

    /// Writes a frame. It is given a number, in place of its own.
    ///
    /// # Errors
    /// As for [`ClaimedTask::log`].
    pub async fn write_frame(&self, frame: Frame) -> Result<(), EngineError> {
        if self.attempt.output.is_full() {
            self.attempt.flush().await?;
        }
        match self.attempt.write(frame)? {
            Then::Nothing => Ok(()),
            Then::AppendLater => {
                tokio::spawn(append_later(Arc::clone(&self.attempt)));
                Ok(())
            }
            Then::AppendNow => self.attempt.flush().await,
        }
    }

    /// Returns once everything that was written before is stored.
    ///
    /// # Errors
    /// What the backend says when it refuses: what it refused is dropped, and what it did not answer is
    /// tried again later.
    pub async fn flush_output(&self) -> Result<(), EngineError> {
        self.attempt.flush().await
    }

    /// Writes bytes of any kind, as frames of this kind, for what takes an [`AsyncWrite`].
    pub fn writer(&self, kind: FrameKind) -> FrameWriter {
        FrameWriter { attempt: Arc::clone(&self.attempt), kind, appending: None }
    }
}

type Appending = Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send>>;

/// See [`ClaimedTask::writer`]. A flush returns once everything that was written is stored.
pub struct FrameWriter {
    attempt: Arc<Attempt>,
    kind: FrameKind,
    appending: Option<Appending>,
}

impl FrameWriter {
    /// Waits until what is being appended is stored.
    fn poll_appended(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(appending) = &mut self.appending else { return Poll::Ready(Ok(())) };
        appending.as_mut().poll(cx).map(|stored| {
            self.appending = None;
            stored.map_err(io::Error::other)
        })
    }

    fn append(&mut self) {
        let attempt = Arc::clone(&self.attempt);
        self.appending = Some(Box::pin(async move { attempt.flush().await }));
    }
}

impl AsyncWrite for FrameWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.appending.is_none() && self.attempt.output.is_full() {
            self.append();
        }
        std::task::ready!(self.poll_appended(cx))?;
        let some = &bytes[..bytes.len().min(limits::FRAME_MAX_BYTES)];
        if some.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let frame = Frame::new(Bytes::copy_from_slice(some), self.kind);
        match self.attempt.write(frame).map_err(io::Error::other)? {
            Then::Nothing => {}
            Then::AppendLater => {
                tokio::spawn(append_later(Arc::clone(&self.attempt)));
            }
            Then::AppendNow => self.append(),
        }
        Poll::Ready(Ok(some.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_appended(cx))?;
        if self.attempt.output.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.append();
        self.poll_appended(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameWriter").field("kind", &self.kind).finish_non_exhaustive()
    }
}
