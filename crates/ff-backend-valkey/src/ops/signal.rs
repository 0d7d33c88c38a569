//! `deliver_signal`.

use async_trait::async_trait;
use ff_engine::{DeliverSignal, EngineError, SignalOps, SignalOutcome};

use crate::ValkeyBackend;
use crate::call::BadReply;
use crate::calls;
use crate::failures::bad_reply;

const OPERATION: &str = "deliver_signal";

#[async_trait]
impl SignalOps for ValkeyBackend {
    async fn deliver_signal(&self, request: &DeliverSignal) -> Result<SignalOutcome, EngineError> {
        request.validate()?;
        let inner = &self.inner;
        let namespace = &inner.keyspace.namespace;
        let verified = inner.with_ring(OPERATION, |ring| ring.verify(namespace, &request.token));
        let verify_until = verified.await??.verify_until;
        let verify_until = verify_until.map_or_else(String::new, |until| until.to_string());
        let principal = request.principal.as_ref();
        let source = principal.map_or_else(|| "t".to_owned(), |principal| format!("p{principal}"));
        let address = request.token.address();
        let call = calls::DeliverSignal {
            id: address.execution_id.as_u128(),
            waitpoint: address.waitpoint_id.as_u128(),
            key: address.key.as_str(),
            expires_at: address.expires_at,
            kid: request.token.hmac().kid(),
            verify_until: &verify_until,
            signal: request.signal_id.as_u128(),
            source: &source,
            name: &request.name,
            category: &request.category,
            correlated: request.correlation_id.is_some(),
            correlation: request.correlation_id.as_deref().unwrap_or(""),
            idempotency: request.idempotency_key.as_ref().map_or("", |key| key.as_str()),
            given: request.payload.is_some(),
            payload: request.payload.clone().unwrap_or_default(),
        };
        let answer = inner.about(OPERATION, address.execution_id, call).await?;
        outcome(&answer.outcome).ok_or_else(|| bad_reply(OPERATION, BadReply("outcome")))
    }
}

fn outcome(text: &str) -> Option<SignalOutcome> {
    Some(match text {
        "resumed" => SignalOutcome::Resumed,
        "recorded" => SignalOutcome::Recorded,
        "buffered" => SignalOutcome::Buffered,
        "not_matched" => SignalOutcome::NotMatched,
        "closed" => SignalOutcome::Closed,
        other => SignalOutcome::Duplicate(other.strip_prefix("duplicate ")?.parse().ok()?),
    })
}
