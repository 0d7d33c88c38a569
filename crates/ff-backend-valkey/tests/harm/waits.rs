//! Waits that lose what they hang on: a waiting process that dies, and connections that are cut.
//! Nobody waits longer for it than it takes to notice.

use std::collections::BTreeSet;
use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_valkey_server::{Options, Server};
use tokio::time::Instant;

use crate::child::Child;
use crate::site::{LANE, Site, ensure, until};
use crate::support::proxy::Proxy;

/// How long the claims here would wait.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// How soon work has to find them.
const PROMPTLY: Duration = Duration::from_secs(2);
const ARMED: Duration = Duration::from_secs(10);

/// The arms that stand in the store.
fn arms(server: &Server, site: &Site) -> CaseResult<BTreeSet<String>> {
    let key = format!("ff:{{{}/0}}:w:{LANE}", site.namespace);
    let reply = server.command(&["ZRANGE", &key, "0", "-1"])?;
    let members = reply.as_array().unwrap_or_default();
    Ok(members.iter().filter_map(|member| member.as_str().map(str::to_owned)).collect())
}

/// The processes that wait, as the store knows them.
fn waiting(server: &Server, site: &Site) -> CaseResult<BTreeSet<String>> {
    let process = |arm: &String| arm.split(' ').next().unwrap_or_default().to_owned();
    Ok(arms(server, site)?.iter().map(process).collect())
}

/// Returns once so many processes wait, and answers which.
async fn armed(server: &Server, site: &Site, count: usize) -> CaseResult<BTreeSet<String>> {
    until("the processes wait", ARMED, || async {
        let waiting = waiting(server, site)?;
        Ok((waiting.len() == count).then_some(waiting))
    })
    .await
}

#[tokio::test]
async fn the_arm_of_a_waiting_process_that_died_is_passed_over() -> CaseResult {
    const DEAD: usize = 3;

    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let (mut waiters, mut dead) = (Vec::new(), BTreeSet::new());
    for number in 1..=DEAD {
        waiters.push(Child::start("waiter", &site)?);
        dead = armed(&server, &site, number).await?;
    }
    let (living, submitter) = (site.connect().await?, site.connect().await?);
    let claiming = tokio::spawn({
        let (worker, living) = (site.worker(), living.clone());
        async move { worker.take(living.as_ref(), 1, MAX_WAIT).await }
    });
    armed(&server, &site, DEAD + 1).await?;

    for waiter in &mut waiters {
        waiter.kill()?;
    }
    ensure(waiting(&server, &site)?.is_superset(&dead), || "the dead are forgotten".to_owned())?;
    let since = Instant::now();
    submitter.submit(&site.submission()?).await?;
    let tasks = tokio::time::timeout(PROMPTLY, claiming).await???;
    let took = since.elapsed();

    println!("woken {took:?} after the submit, behind {DEAD} that had died");
    ensure(tasks.len() == 1, || format!("{} tasks", tasks.len()))?;
    let left = waiting(&server, &site)?;
    ensure(left.is_disjoint(&dead), || "arms of the dead are left".to_owned())
}

/// The death of all that wait keeps nothing: the work is there for whoever comes.
#[tokio::test]
async fn work_that_wakes_only_the_dead_is_there_for_the_next() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let mut waiter = Child::start("waiter", &site)?;
    armed(&server, &site, 1).await?;
    let backend = site.connect().await?;

    waiter.kill()?;
    backend.submit(&site.submission()?).await?;
    let worker = site.worker();
    let tasks = worker.take(backend.as_ref(), 1, MAX_WAIT);
    let tasks = tokio::time::timeout(PROMPTLY, tasks).await??;

    ensure(tasks.len() == 1, || format!("{} tasks", tasks.len()))
}

/// A stopped process listens as far as the server knows, so that a wake-up goes to it. Once it goes
/// on it takes the work, or a maintainer finds the lost wake-up before.
#[tokio::test]
async fn a_wake_up_that_went_to_a_stopped_process_is_found_by_a_maintainer() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let waiter = Child::start("waiter", &site)?;
    armed(&server, &site, 1).await?;
    let (living, other) = (site.connect().await?, site.connect().await?);
    let claiming = tokio::spawn({
        let (worker, living) = (site.worker(), living.clone());
        async move { worker.take(living.as_ref(), 1, MAX_WAIT).await }
    });
    armed(&server, &site, 2).await?;

    waiter.stop()?;
    let since = Instant::now();
    other.submit(&site.submission()?).await?;
    let tasks = tokio::select! {
        tasks = tokio::time::timeout(PROMPTLY, claiming) => tasks???,
        ended = crate::child::maintain(other.as_ref()) => {
            return Err(CaseError::new(format!("no maintenance: {ended:?}")));
        }
    };
    let took = since.elapsed();

    println!("woken {took:?} after the submit, behind one that was stopped");
    ensure(tasks.len() == 1, || format!("{} tasks", tasks.len()))
}

/// A claim that waits while its connections are cut, again and again, is woken by what comes then.
/// The arms that it had before do not pile up, as each would have to fire before it is woken.
#[tokio::test]
async fn a_claim_that_waits_survives_its_connections() -> CaseResult {
    const CUTS: usize = 20;

    let server = Server::start(&Options::new())?;
    let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into())?;
    let site = Site::new(server.url(), 1)?;
    let submitter = site.connect().await?;
    let backend = site.at(proxy.url()).connect().await?;
    let claiming = tokio::spawn({
        let worker = site.worker();
        async move { worker.take(backend.as_ref(), 1, MAX_WAIT).await }
    });
    armed(&server, &site, 1).await?;

    for _ in 0..CUTS {
        let before = arms(&server, &site)?;
        proxy.cut();
        until("the wait is armed again", ARMED, || async {
            Ok((!arms(&server, &site)?.is_subset(&before)).then_some(()))
        })
        .await?;
    }
    let left = arms(&server, &site)?.len();
    let since = Instant::now();
    submitter.submit(&site.submission()?).await?;
    let tasks = tokio::time::timeout(PROMPTLY, claiming).await???;

    println!("woken {:?} after the submit, with {left} arms", since.elapsed());
    ensure(tasks.len() == 1, || format!("{} tasks", tasks.len()))?;
    ensure(left <= 2, || format!("{left} arms stand for one claim that waits"))
}

/// What is submitted while the connections of a waiting claim are cut is not missed.
#[tokio::test]
async fn work_that_comes_while_the_connections_are_cut_is_not_missed() -> CaseResult {
    const ROUNDS: usize = 20;

    let server = Server::start(&Options::new())?;
    let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into())?;
    for _ in 0..ROUNDS {
        let site = Site::new(server.url(), 1)?;
        let submitter = site.connect().await?;
        let backend = site.at(proxy.url()).connect().await?;
        let claiming = tokio::spawn({
            let worker = site.worker();
            async move { worker.take(backend.as_ref(), 1, MAX_WAIT).await }
        });
        armed(&server, &site, 1).await?;

        proxy.cut();
        submitter.submit(&site.submission()?).await?;
        let tasks = tokio::time::timeout(PROMPTLY, claiming).await???;

        ensure(tasks.len() == 1, || format!("{} tasks", tasks.len()))?;
    }
    Ok(())
}
