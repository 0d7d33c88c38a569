//! Waitpoints and signals: a token is signed and verified here, and all else is a decision.

use async_trait::async_trait;
use ff_engine::machine;
use ff_engine::roles::BackendInfo;
use ff_engine::{
    CreateWaitpoint, DeliverSignal, EngineError, Fence, ListWaitpoints, SignalOps, SignalOutcome,
    SuspendOutcome, SuspendRequest, WaitpointCursor, WaitpointPage,
};
use ff_types::backend::{Handle, PendingWaitpoint};

use crate::toy::{TAG, Toy};

// region: waits
impl Toy {
    pub(crate) fn create_waitpoint_now(
        &self,
        handle: &Handle,
        request: &CreateWaitpoint,
    ) -> Result<PendingWaitpoint, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        let kids = self.kids();
        let parts = self.change(fence.execution, |row, now| {
            machine::create_waitpoint(row, &fence, request, &kids, now)
        })?;
        parts.signed(&self.ring, self.namespace())
    }

    pub(crate) fn suspend_now(
        &self,
        handle: &Handle,
        request: &SuspendRequest,
    ) -> Result<SuspendOutcome, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        request.validate()?;
        request.verify(&self.ring, self.namespace(), fence.execution)?;
        let kids = self.kids();
        let suspended = self.change(fence.execution, |row, now| {
            machine::suspend(row, &fence, request, &kids, now)
        })?;
        suspended.into_outcome(&fence, TAG, &self.ring, self.namespace())
    }
}

#[async_trait]
impl SignalOps for Toy {
    async fn deliver_signal(&self, request: &DeliverSignal) -> Result<SignalOutcome, EngineError> {
        request.validate()?;
        let verified = self.ring.verify(self.namespace(), &request.token)?;
        let id = request.token.address().execution_id;
        let delivered = self.change(id, |row, now| {
            machine::deliver_signal(row, request, verified.verify_until, now)
        });
        // A token for an execution that is gone is refused as any other that is no good.
        match delivered {
            Err(EngineError::NotFound { .. }) => Err(EngineError::waitpoint_not_found()),
            answer => answer,
        }
    }
}
// endregion

impl Toy {
    pub(crate) fn waitpoints(
        &self,
        request: &ListWaitpoints,
    ) -> Result<WaitpointPage, EngineError> {
        let page_size = request.page_size()?;
        let table = self.table();
        let now = self.clock.now();
        if let Some(id) = request.execution_id
            && !table.rows.contains_key(&id)
        {
            return Err(EngineError::execution_not_found(id));
        }
        let mut items: Vec<_> = table
            .rows
            .iter()
            .filter(|(id, _)| request.execution_id.is_none_or(|wanted| wanted == **id))
            .flat_map(|(_, row)| row.run.waits().waitpoints.iter().map(move |one| (row, one)))
            .filter(|(_, one)| one.is_open(now))
            .map(|(row, one)| one.view(row))
            .map(|view| (WaitpointCursor::after(view.waitpoint_id, view.execution_id), view))
            .filter(|(place, _)| request.cursor.is_none_or(|cursor| *place > cursor))
            .collect();
        items.sort_unstable_by_key(|(place, _)| *place);
        let more = items.len() > page_size;
        items.truncate(page_size);
        let next = items.last().filter(|_| more).map(|(place, _)| *place);
        Ok(WaitpointPage::new(items.into_iter().map(|(_, view)| view).collect(), next))
    }
}
