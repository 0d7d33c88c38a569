//! Crowds: more that wait than one call looks at, and entries that belong to nothing. What is sound
//! among them is found.

use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_conformance::{CaseError, CaseResult};
use ff_engine::{ClaimOps as _, ClaimRequest, ReclaimRequest, TickRequest};
use ff_types::backend::{CapabilitySet, ClaimPolicy, ScannerFilter};
use ff_types::{LaneId, Tags};
use ff_valkey_server::{Options, Server};

use crate::site::{LANE, Site, ensure, until};

const PATIENCE: Duration = Duration::from_secs(20);
/// More than one call looks at for one kind of work.
const CROWD: usize = 1_100;

/// Somebody who can take the work waits behind a crowd of those who cannot. A wake-up does not get
/// that far, and maintenance finds it.
#[tokio::test]
async fn who_waits_behind_a_crowd_is_found_by_maintenance() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let builder = ValkeyBackend::builder(&site.config()?)?.partitions(1);
    let living = builder.connect().await?;
    let other = site.connect().await?;
    let able: CapabilitySet = "y".parse()?;
    let claiming = tokio::spawn({
        let (ids, able) = (site.ids.clone(), able.clone());
        let policy = ClaimPolicy::immediate(ids.worker_id(), ids.worker_instance_id());
        let policy = policy.with_max_wait(Duration::from_mins(1));
        let request = ClaimRequest::new(ids.request_id(), LaneId::new(LANE)?, able, policy);
        async move { living.claim(&request).await }
    });
    let key = format!("ff:{{{}/0}}:w:{LANE}", site.namespace);
    let process = until("the process waits", PATIENCE, || async {
        let arms = server.command(&["ZRANGE", &key, "0", "-1"])?;
        let arm = arms.as_array().and_then(|arms| arms.first()?.as_str().map(str::to_owned));
        Ok(arm.and_then(|arm| Some(arm.split_once(' ')?.0.to_owned())))
    })
    .await?;
    for number in 0..CROWD {
        let unable = format!("{process} {} f x\t", 1_000_000 + number);
        server.command(&["ZADD", &key, "0", &unable])?.into_result()?;
    }

    other.submit(&site.submission()?.with_capabilities(able)).await?;
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(PATIENCE, claiming) => outcome???,
        ended = crate::child::maintain(other.as_ref()) => {
            return Err(CaseError::new(format!("no maintenance: {ended:?}")));
        }
    };

    ensure(outcome.tasks.len() == 1, || format!("{} tasks", outcome.tasks.len()))
}

/// A reclaim whose record is gone is dropped from the queue of its tag, and leaves alone what else
/// stands in the lane.
#[tokio::test]
async fn a_stray_of_a_tag_hides_nothing() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let backend = site.connect().await?;
    let worker = site.worker();
    let tagged = site.submission()?.with_tags(Tags::new().with("k", "v")?);
    let (lost, sound) = (tagged.id(), site.submission()?);
    let kept = sound.id();
    backend.submit(&tagged).await?;
    backend.submit(&sound).await?;
    let taken = worker.take(backend.as_ref(), 2, Duration::ZERO).await?;
    ensure(taken.len() == 2, || format!("{} tasks", taken.len()))?;
    until("both leases are lost", PATIENCE, || async {
        backend.tick(&TickRequest::all()).await?;
        let queued = format!("ff:{{{}/0}}:q:c:{LANE} ", site.namespace);
        let count = server.command(&["ZCARD", &queued])?;
        Ok((count.as_integer() == Some(2)).then_some(()))
    })
    .await?;
    let record = format!("ff:{{{}/0}}:e:{lost}", site.namespace);
    server.command(&["DEL", &record])?.into_result()?;

    let ask = |filter| -> CaseResult<_> {
        let (id, instance) = (site.ids.request_id(), site.ids.worker_instance_id());
        let request = ReclaimRequest::new(id, instance, LaneId::new(LANE)?, CapabilitySet::new());
        Ok(request.with_filter(filter))
    };
    let filter = ScannerFilter::new().with_instance_tag("k", "v");
    let of_tag = backend.reclaimable(&ask(filter)?).await?;
    let of_all = backend.reclaimable(&ask(ScannerFilter::NOOP)?).await?;

    ensure(of_tag.is_empty(), || "a stray was handed out".to_owned())?;
    let grants: Vec<_> = of_all.iter().map(ff_engine::Grant::of).collect::<Result<_, _>>()?;
    let ids: Vec<_> = grants.iter().map(|grant| grant.execution).collect();
    ensure(ids == [kept], || format!("{ids:?}"))
}
