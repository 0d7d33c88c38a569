//! A server behind a proxy that loses calls, and namespaces on it whose time the tests set.

use std::sync::Arc;

use ff_conformance::fixture::Setup;
use ff_conformance::{CaseError, CaseResult, Coverage, Fixture};
use ff_engine::EngineError;
use ff_valkey_server::{Options, Server};

use crate::call::Call;
use crate::support::harness::ValkeyHarness;
use crate::support::proxy::{Fault, Proxy};
use crate::support::servers::Servers;

/// Fixes the ids, so that two plays of a situation use the same.
const SEED: u64 = 7;

/// A server behind a proxy.
pub(crate) struct Lab {
    pub(crate) proxy: Proxy,
    harness: Arc<ValkeyHarness>,
    pub(crate) server: Server,
}

impl Lab {
    pub(crate) fn start(partitions: u16) -> CaseResult<Self> {
        let server = Server::start(&Options::new())?;
        let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into())?;
        let servers = Servers::Named(proxy.url());
        let harness = Arc::new(ValkeyHarness::new("valkey", servers, partitions));
        Ok(Self { proxy, harness, server })
    }

    pub(crate) async fn fixture(&self, spread: bool) -> CaseResult<Fixture> {
        let coverage = Arc::new(Coverage::new());
        let setup = Setup { coverage, faults: None, seed: SEED, spread };
        Fixture::open(self.harness.clone(), setup).await
    }

    /// Makes a call whose request or reply is lost, behind `skipped` others of its function.
    pub(crate) async fn lose(
        &self,
        fault: Fault,
        skipped: u32,
        call: &Call,
        fx: &Fixture,
    ) -> CaseResult {
        let fired = self.proxy.fired();
        self.proxy.lose(fault, &format!("fft_{}", call.function()), skipped);
        let lost = call.make(fx.backend.as_ref()).await;
        if self.proxy.fired() != fired + 1 {
            return Err(CaseError::new("the fault was not met"));
        }
        match lost {
            Err(EngineError::Unavailable { .. }) => Ok(()),
            other => Err(CaseError::new(format!("the lost call answers {other:?}"))),
        }
    }
}
