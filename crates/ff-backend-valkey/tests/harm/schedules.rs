//! Schedules while the server is killed, again and again, and maintainers die between finding what is due and
//! submitting it: each occurrence has one execution, and none is left out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_engine::{
    AdjustSchedule, CreateSchedule, EngineBackend, EngineBackendExt as _, ListRequest, Misfire,
    Overlap, Recurrence, ScheduleChange, ScheduleSpec, TickRequest,
};
use ff_types::{ScheduleId, TimestampMs};
use ff_valkey_server::{Options, Server};
use tokio::task::{JoinSet, block_in_place};

use crate::child::maintain;
use crate::site::{Site, ensure, patiently, until};

/// How often the server is killed.
const KILLS: u64 = 5;
const SCHEDULES: usize = 8;
const MAINTAINERS: usize = 5;
/// How long a maintainer lives: a few calls.
const LIFE: Duration = Duration::from_millis(30);
const EVERY: Duration = Duration::from_secs(1);
/// Occurrences of each schedule between two kills.
const BETWEEN: u64 = 1;
const GOES_ON: Duration = Duration::from_secs(30);
/// More than all of them submit.
const MOST: usize = 10_000;

/// Looks after what is due, and dies, over and over.
async fn short_lived(site: Site) -> CaseResult {
    let backend = site.connect().await?;
    loop {
        let backend = Arc::clone(&backend);
        // It is over when its time is, wherever it is then.
        let _over =
            tokio::time::timeout(LIFE, async move { maintain(backend.as_ref()).await }).await;
    }
}

/// The fewest occurrences that one of the schedules has submitted.
async fn fewest(backend: &dyn EngineBackend, ids: &[ScheduleId]) -> CaseResult<u64> {
    let mut fewest = u64::MAX;
    for id in ids {
        let view = patiently(|| backend.describe_schedule(*id)).await?;
        fewest = fewest.min(view.counts.submitted);
    }
    Ok(fewest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_occurrence_is_submitted_once_over_kills_of_both_sides() -> CaseResult {
    let options = Options::new().config("appendonly", "yes").config("appendfsync", "always");
    let mut server = Server::start(&options)?;
    let site = Site::new(server.url(), 1)?;
    let backend = site.connect().await?;
    let mut ids = Vec::new();
    for _ in 0..SCHEDULES {
        let spec = ScheduleSpec::new(Recurrence::every(EVERY), site.submission()?)
            .with_overlap(Overlap::Allow)
            .with_misfire(Misfire::All { at_most: 100 });
        let request = CreateSchedule::new(site.ids.schedule_id(), spec);
        patiently(|| backend.create_schedule(&request)).await?;
        ids.push(request.id);
    }
    let mut maintainers = JoinSet::new();
    for _ in 0..MAINTAINERS {
        maintainers.spawn(short_lived(site.clone()));
    }

    for kill in 1..=KILLS {
        until("each schedule goes on", GOES_ON, || async {
            Ok((fewest(backend.as_ref(), &ids).await? >= kill * BETWEEN).then_some(()))
        })
        .await?;
        block_in_place(|| server.restart())?;
    }
    until("each schedule goes on", GOES_ON, || async {
        Ok((fewest(backend.as_ref(), &ids).await? > KILLS * BETWEEN).then_some(()))
    })
    .await?;
    for id in &ids {
        let pause = ScheduleChange::Pause { reason: "the test is over".to_owned() };
        let pause = AdjustSchedule::new(site.ids.request_id(), *id, pause);
        patiently(|| backend.adjust_schedule(&pause)).await?;
    }
    maintainers.abort_all();

    let mut occurrences: BTreeMap<ScheduleId, Vec<TimestampMs>> = BTreeMap::new();
    for item in backend.list_all(ListRequest::new(), MOST).await? {
        let view = backend.describe_execution(item.execution_id).await?;
        let occurrence = view.occurrence.ok_or_else(|| CaseError::new("it is no occurrence"))?;
        occurrences.entry(occurrence.schedule).or_default().push(occurrence.at);
    }
    for id in ids {
        let mut times = occurrences.remove(&id).unwrap_or_default();
        times.sort_unstable();
        let counts = backend.describe_schedule(id).await?.counts;
        ensure(counts.submitted == times.len() as u64 && counts.missed == 0, || {
            format!("{id} counts {counts:?} of {times:?}")
        })?;
        let gapless = times.windows(2).all(|two| two[1] == two[0].saturating_add(EVERY));
        ensure(gapless, || format!("{id} has {times:?}"))?;
    }
    site.store()?.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
}

/// A schedule whose stored work says nothing is told of, put off, and holds up no other.
#[tokio::test]
async fn a_broken_schedule_holds_up_no_other() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let backend = site.connect().await?;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let spec = ScheduleSpec::new(Recurrence::every(EVERY), site.submission()?);
        let spec = spec.with_overlap(Overlap::Allow);
        let request = CreateSchedule::new(site.ids.schedule_id(), spec);
        backend.create_schedule(&request).await?;
        ids.push(request.id);
    }
    // Of what is due at once, the entry that comes first.
    let (broken, sound) = (ids[0].min(ids[1]), ids[0].max(ids[1]));
    let key = format!("ff:{{{}/0}}:S:{broken}", site.namespace);
    server.command(&["HSET", &key, "wk", "broken"])?.into_result()?;

    let told = Mutex::new(Vec::new());
    until("the sound one goes on", GOES_ON, || async {
        if let Err(error) = backend.tick(&TickRequest::all()).await {
            told.lock().expect("nobody panics with it").push(error);
        }
        let counts = backend.describe_schedule(sound).await?.counts;
        Ok((counts.submitted >= 2).then_some(()))
    })
    .await?;

    let told = told.into_inner().expect("nobody panics with it");
    let [error] = &told[..] else {
        return Err(CaseError::new(format!("it is told of once a minute: {told:?}")));
    };
    ensure(error.code() == "corrupt" && error.to_string().contains(&broken.to_string()), || {
        format!("it is {error:?}")
    })
}
