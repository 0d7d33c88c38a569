//! `deliver_signal`.

use async_trait::async_trait;
use ff_engine::machine;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::roles::BackendInfo;
use ff_engine::{DeliverSignal, EngineError, SignalOps, SignalOutcome};

use crate::MemBackend;

#[async_trait]
impl SignalOps for MemBackend {
    async fn deliver_signal(&self, request: &DeliverSignal) -> Result<SignalOutcome, EngineError> {
        request.validate()?;
        let distortion = self.inner.distortion;
        let verified = self.inner.ring.with(|ring| ring.verify(self.namespace(), &request.token));
        let verify_until = match verified {
            Ok(verified) => verified.verify_until,
            Err(_) if !distortion.verifies() => None,
            Err(refused) => return Err(refused),
        };
        let id = request.token.address().execution_id;
        let mut store = self.store();
        let now = distortion.signal_time(self.now());
        let record = store.record(id).map_err(|_unknown| EngineError::waitpoint_not_found())?;
        let decision = machine::deliver_signal(record, request, verify_until, now)?;
        Ok(store.settle(Verb::DeliverSignal, id, decision, now))
    }
}
