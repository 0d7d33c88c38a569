//! The keys of waitpoint tokens through the embedded engine: rotation, grace, and a key that is lost.

use std::sync::Arc;
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_engine::{
    AttemptOps, ClaimOps, ClaimRequest, CreateWaitpoint, DeliverSignal, IdSource, KeyRing,
    ManualClock, SeededEntropy, SignalOps, SignalOutcome, Submission, SubmitOps, WaitpointSecret,
};
use ff_types::backend::{CapabilitySet, ClaimPolicy, Handle, PendingWaitpoint, WaitpointKey};
use ff_types::{LaneId, Payload, TaskKind};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const GRACE: Duration = Duration::from_secs(10);

struct Running {
    backend: MemBackend,
    clock: ManualClock,
    ids: IdSource,
    handle: Handle,
}

impl Running {
    async fn new(ring: Option<KeyRing>) -> Outcome<Self> {
        let clock = ManualClock::default();
        let builder = MemBackend::builder().clock(Arc::new(clock.clone()));
        let backend = match ring {
            Some(ring) => builder.key_ring(ring).build(),
            None => builder.build(),
        };
        let ids = IdSource::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1)));
        let (lane, kind) = (LaneId::new("main")?, TaskKind::new("task")?);
        let payload = Payload::default();
        backend.submit(&Submission::new(ids.execution_id(), lane.clone(), kind, payload)).await?;
        let policy = ClaimPolicy::immediate(ids.worker_id(), ids.worker_instance_id());
        let policy = policy.with_lease_ttl(Duration::from_mins(10));
        let claim = ClaimRequest::new(ids.request_id(), lane, CapabilitySet::new(), policy);
        let handle = backend.claim(&claim).await?.tasks.remove(0).handle;
        Ok(Self { backend, clock, ids, handle })
    }

    async fn create(&self) -> Outcome<PendingWaitpoint> {
        let key = WaitpointKey::new("approval")?;
        let request = CreateWaitpoint::new(self.ids.waitpoint_id(), key);
        Ok(self.backend.create_waitpoint(&self.handle, &request).await?)
    }

    async fn send(&self, waitpoint: &PendingWaitpoint) -> Result<SignalOutcome, &'static str> {
        let signal = DeliverSignal::new(waitpoint.token(), self.ids.signal_id(), "approved");
        self.backend.deliver_signal(&signal).await.map_err(|error| error.code())
    }

    fn rotate(&self, kid: &str, byte: u8) -> Outcome {
        Ok(self.backend.rotate_key(kid, WaitpointSecret::new([byte; 32])?, GRACE)?)
    }
}

#[tokio::test]
async fn a_key_is_made_on_first_use() -> Outcome {
    let running = Running::new(None).await?;
    let waitpoint = running.create().await?;

    assert!(waitpoint.hmac_token.kid().starts_with(KeyRing::AUTO_KID));
    assert_eq!(running.send(&waitpoint).await, Ok(SignalOutcome::Buffered));
    Ok(())
}

#[tokio::test]
async fn an_old_token_is_good_until_the_grace_ends() -> Outcome {
    let ring = KeyRing::new("k1", WaitpointSecret::new([1; 32])?)?;
    let running = Running::new(Some(ring)).await?;
    let old = running.create().await?;
    running.rotate("k2", 2)?;

    assert_eq!(running.create().await?, old, "the link that was handed out stays good");
    running.clock.advance(GRACE.saturating_sub(Duration::from_millis(1)));
    assert_eq!(running.send(&old).await, Ok(SignalOutcome::Buffered));
    running.clock.advance(Duration::from_millis(1));
    assert_eq!(running.send(&old).await, Err("waitpoint_not_found"));
    running.backend.check().unwrap();
    Ok(())
}

#[tokio::test]
async fn a_waitpoint_outlives_the_key_of_its_token() -> Outcome {
    let ring = KeyRing::new("k1", WaitpointSecret::new([1; 32])?)?;
    let running = Running::new(Some(ring)).await?;
    let old = running.create().await?;
    running.rotate("k2", 2)?;
    running.clock.advance(GRACE);

    let new = running.create().await?;

    assert_eq!((new.waitpoint_id, new.expires_at), (old.waitpoint_id, old.expires_at));
    assert_eq!(new.hmac_token.kid(), "k2");
    assert_eq!(running.send(&old).await, Err("waitpoint_not_found"));
    assert_eq!(running.send(&new).await, Ok(SignalOutcome::Buffered));
    Ok(())
}

#[tokio::test]
async fn a_known_key_id_with_another_secret_is_a_conflict() -> Outcome {
    let ring = KeyRing::new("k1", WaitpointSecret::new([1; 32])?)?;
    let running = Running::new(Some(ring)).await?;

    assert!(running.rotate("k1", 2).is_err());

    let waitpoint = running.create().await?;
    assert_eq!(running.send(&waitpoint).await, Ok(SignalOutcome::Buffered));
    Ok(())
}
