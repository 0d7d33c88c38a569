//! Two instances with a tag of their own on one keyspace, both under load and both losing leases: neither
//! touches what is the other's, and each looks after all that is its own.

use std::sync::Arc;
use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_engine::{ClaimRequest, EngineBackend, ListRequest, ReclaimRequest, Task, TickRequest};
use ff_types::backend::{CapabilitySet, ScannerFilter};
use ff_types::{ExecutionState, LaneId, Tags};
use ff_valkey_server::{Options, Server};
use tokio::time::Instant;

use crate::site::{LANE, Site, ensure, patiently, until};

const EACH: usize = 60;
/// Every so many leases are given up without a word.
const GIVEN_UP: usize = 3;
const TAG: &str = "instance";
const PAUSE: Duration = Duration::from_millis(10);
const BOUND: Duration = Duration::from_secs(40);

/// One instance: it maintains, and takes over, what has its tag.
struct Instance {
    name: &'static str,
    site: Site,
    backend: Arc<dyn EngineBackend>,
    filter: ScannerFilter,
}

impl Instance {
    async fn start(name: &'static str, site: &Site) -> CaseResult<Self> {
        let filter = ScannerFilter::new().with_instance_tag(TAG, name);
        Ok(Self { name, site: site.clone(), backend: site.connect().await?, filter })
    }

    /// A lane of its own for fresh work: what is lost comes back by the tag.
    fn lane(&self) -> CaseResult<LaneId> {
        Ok(LaneId::new(format!("{LANE}-{}", self.name))?)
    }

    async fn submit(&self, shared: &LaneId) -> CaseResult {
        for number in 0..EACH {
            let mut submission = self.site.submission()?;
            // A half in a lane that both claim lost work from.
            submission.lane = if number % 2 == 0 { self.lane()? } else { shared.clone() };
            let submission = submission.with_tags(Tags::new().with(TAG, self.name)?);
            patiently(|| self.backend.submit(&submission)).await?;
        }
        Ok(())
    }

    /// Takes what was lost and has the tag, from a lane.
    async fn take_over(&self, lane: LaneId) -> CaseResult<Vec<Task>> {
        let worker = self.site.worker();
        let (id, instance) = (self.site.ids.request_id(), worker.instance);
        let request = ReclaimRequest::new(id, instance, lane, CapabilitySet::new());
        let request = request.with_max_tokens(8).with_filter(self.filter.clone());
        let mut tasks = Vec::new();
        for token in patiently(|| self.backend.reclaimable(&request)).await? {
            let policy = worker.policy();
            let task = patiently(|| self.backend.claim_from_reclaim(&token, &policy)).await?;
            let own = task.tags.get(TAG) == Some(self.name);
            ensure(own, || format!("{} was given {:?}", self.name, task.tags))?;
            tasks.push(task);
        }
        Ok(tasks)
    }

    /// Works until all that is its own has completed.
    async fn run(&self, shared: LaneId) -> CaseResult {
        let worker = self.site.worker();
        let (start, mut taken, mut done) = (Instant::now(), 0, 0);
        while done < EACH {
            ensure(start.elapsed() < BOUND, || format!("{}: {done} are done", self.name))?;
            let tick = TickRequest::all().with_filter(self.filter.clone());
            patiently(|| self.backend.tick(&tick)).await?;
            let policy = worker.policy().with_max_tasks(4);
            let id = self.site.ids.request_id();
            let request = ClaimRequest::new(id, self.lane()?, CapabilitySet::new(), policy);
            let mut tasks = patiently(|| self.backend.claim(&request)).await?.tasks;
            for lane in [self.lane()?, shared.clone()] {
                tasks.extend(self.take_over(lane).await?);
            }
            let is_idle = tasks.is_empty();
            for task in tasks {
                taken += 1;
                if taken % GIVEN_UP != 0 {
                    patiently(|| self.backend.complete(&task.handle, None)).await?;
                    done += 1;
                }
            }
            if is_idle {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_of_one_keyspace_never_touch_each_other() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let shared = LaneId::new("shared")?;
    let instances = [Instance::start("one", &site).await?, Instance::start("two", &site).await?];
    for instance in &instances {
        instance.submit(&shared).await?;
    }
    // Of the shared lane all is claimed by somebody who goes away: it comes back by the tag alone.
    let stranger = site.worker();
    let backend = site.connect().await?;
    let mut held = 0;
    while held < EACH {
        let policy = stranger.policy().with_max_tasks(16);
        let id = site.ids.request_id();
        let request = ClaimRequest::new(id, shared.clone(), CapabilitySet::new(), policy);
        held += patiently(|| backend.claim(&request)).await?.tasks.len();
    }
    // An instance that looks after nobody else's: what the other has lost stays lost while it is away.
    let held = async |name: &str| -> CaseResult<usize> {
        let request = ListRequest::new().with_tag(TAG, name).with_limit(1_000);
        let page = patiently(|| backend.list_executions(&request)).await?;
        Ok(page.items.iter().filter(|item| item.state == ExecutionState::Active).count())
    };
    let tick = TickRequest::all().with_filter(instances[0].filter.clone());
    until("what is its own is lost", BOUND, || async {
        patiently(|| backend.tick(&tick)).await?;
        Ok((held("one").await? == 0).then_some(()))
    })
    .await?;
    let others = held("two").await?;
    ensure(others == EACH / 2, || format!("{others} leases of the other are held"))?;

    let [one, two] = &instances;
    let (one, two) = tokio::join!(one.run(shared.clone()), two.run(shared.clone()));
    one?;
    two?;

    site.store()?.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
}
