//! A question to the backend that is under way, for what is polled.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ff_engine::EngineError;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send>>;

/// At most one question. Dropping what polls it drops no answer.
pub(super) struct Asking<T>(Option<Answer<T>>);

impl<T> Default for Asking<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Asking<T> {
    /// The answer to the question under way, or else to this one.
    pub(super) fn poll<F>(
        &mut self,
        cx: &mut Context<'_>,
        ask: impl FnOnce() -> F,
    ) -> Poll<Result<T, EngineError>>
    where
        F: Future<Output = Result<T, EngineError>> + Send + 'static,
    {
        let answer = self.0.get_or_insert_with(|| Box::pin(ask()));
        let answer = answer.as_mut().poll(cx);
        if answer.is_ready() {
            self.0 = None;
        }
        answer
    }
}
