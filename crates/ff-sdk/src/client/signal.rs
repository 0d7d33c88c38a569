//! Signalling waitpoints.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use ff_engine::{DeliverSignal, EngineError, SignalOutcome};
use ff_types::backend::WaitpointToken;
use ff_types::{IdempotencyKey, SignalId};
use serde::Serialize;

use super::Client;
use crate::json;
use crate::task::{APPROVE, REJECT};

/// What can be read as the token of a waitpoint: the token itself, or the text that somebody sent.
///
/// A text that is none is refused as an unknown waitpoint is, so that its sender learns nothing.
pub trait IntoToken {
    /// The token.
    fn into_token(self) -> Result<WaitpointToken, EngineError>;
}

impl IntoToken for WaitpointToken {
    fn into_token(self) -> Result<WaitpointToken, EngineError> {
        Ok(self)
    }
}

impl IntoToken for &WaitpointToken {
    fn into_token(self) -> Result<WaitpointToken, EngineError> {
        Ok(self.clone())
    }
}

impl IntoToken for &str {
    fn into_token(self) -> Result<WaitpointToken, EngineError> {
        self.parse().map_err(|_malformed| EngineError::waitpoint_not_found())
    }
}

impl IntoToken for &String {
    fn into_token(self) -> Result<WaitpointToken, EngineError> {
        self.as_str().into_token()
    }
}

impl Client {
    /// Signals the waitpoint of a token. Await it.
    ///
    /// The answer says what became of the signal; a late one and a repeated one are answers, too.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for every token that is not good, alike;
    /// [`EngineError::LimitExceeded`] for what is too large, and for more signals than a waitpoint
    /// keeps; [`EngineError::Unavailable`] when the backend did not answer in time: send it again
    /// under the same [`SendSignal::id`] or idempotency key.
    ///
    /// ```
    /// use ff_sdk::prelude::*;
    /// use ff_sdk::SignalOutcome;
    ///
    /// /// A webhook: `body` is what a payment provider sent to the link it was given.
    /// async fn paid(client: &Client, link: &str, body: u64) -> Result<bool, EngineError> {
    ///     let outcome = client.signal(link, "paid").payload(&body).idempotency_key("tx-77").await?;
    ///     Ok(outcome != SignalOutcome::Closed)
    /// }
    /// # let _ = paid;
    /// ```
    pub fn signal(&self, token: impl IntoToken, name: impl Into<String>) -> SendSignal<'_> {
        let id = self.ids.signal_id();
        let request = token.into_token().map(|token| DeliverSignal::new(token, id, name));
        SendSignal { client: self, request, is_vote: false }
    }

    /// Says yes to an [`approval`](crate::ClaimedTask::approval). Name the person with
    /// [`SendSignal::principal`] where several have to agree.
    ///
    /// Each source has one voice at a waitpoint: of a second one it is answered that it is a
    /// [`SignalOutcome::Duplicate`] of the first, whatever it says.
    pub fn approve(&self, token: impl IntoToken) -> SendSignal<'_> {
        self.signal(token, APPROVE).vote()
    }

    /// Says no to an [`approval`](crate::ClaimedTask::approval), as [`Client::approve`] says yes.
    pub fn reject(&self, token: impl IntoToken) -> SendSignal<'_> {
        self.signal(token, REJECT).vote()
    }
}

/// A signal about to be sent by [`Client::signal`].
#[must_use = "a signal is sent when this is awaited"]
pub struct SendSignal<'c> {
    client: &'c Client,
    request: Result<DeliverSignal, EngineError>,
    is_vote: bool,
}

impl SendSignal<'_> {
    /// What it brings, as JSON: at most 64 KiB.
    pub fn payload<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.set(|request| {
            request.payload =
                json::encode("payload", value)?.map(|payload| payload.bytes().clone());
            Ok(())
        })
    }

    /// What it brings, as bytes: at most 64 KiB.
    pub fn raw_payload(self, payload: impl Into<Bytes>) -> Self {
        self.set(|request| {
            request.payload = Some(payload.into());
            Ok(())
        })
    }

    /// Makes it one with every other signal of this key at the same waitpoint.
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.set(|request| {
            request.idempotency_key = Some(IdempotencyKey::new(key)?);
            Ok(())
        })
    }

    /// What it belongs to: at most 256 bytes.
    pub fn correlation_id(self, correlation_id: impl Into<String>) -> Self {
        self.set(|request| {
            request.correlation_id = Some(correlation_id.into());
            Ok(())
        })
    }

    /// Who sends it: 1..=256 bytes. Call it only in code that has authenticated the sender, and
    /// never with something the sender wrote: it is what distinct sources are counted by.
    pub fn principal(self, principal: impl Into<String>) -> Self {
        self.set(|request| {
            request.principal = Some(principal.into());
            Ok(())
        })
    }

    /// What kind of signal it is: at most 64 bytes.
    pub fn category(self, category: impl Into<String>) -> Self {
        self.set(|request| {
            request.category = category.into();
            Ok(())
        })
    }

    /// Its id, to send the same signal again when nobody knows whether it arrived. Repeats within
    /// one sending have the same id by themselves.
    pub fn id(self, id: SignalId) -> Self {
        self.set(|request| {
            request.signal_id = id;
            Ok(())
        })
    }

    fn vote(mut self) -> Self {
        self.is_vote = true;
        self.set(|request| {
            request.correlation_id = Some(request.token.address().key.as_str().to_owned());
            Ok(())
        })
    }

    fn set(mut self, change: impl FnOnce(&mut DeliverSignal) -> Result<(), EngineError>) -> Self {
        self.request = self.request.and_then(|mut request| change(&mut request).map(|()| request));
        self
    }

    async fn send(self) -> Result<SignalOutcome, EngineError> {
        let mut request = self.request?;
        if self.is_vote && request.idempotency_key.is_none() {
            request.idempotency_key = voice(request.principal.as_deref());
        }
        self.client.repeat(|| self.client.backend.deliver_signal(&request)).await
    }
}

/// The key under which a source votes. A principal whose name cannot be part of one counts once as
/// well, and is only not told so.
fn voice(principal: Option<&str>) -> Option<IdempotencyKey> {
    let key = principal.map_or_else(|| "vote".to_owned(), |name| format!("vote of {name}"));
    IdempotencyKey::new(key).ok()
}

impl<'c> IntoFuture for SendSignal<'c> {
    type Output = Result<SignalOutcome, EngineError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for SendSignal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendSignal").field("request", &self.request).finish_non_exhaustive()
    }
}
