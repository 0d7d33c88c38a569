//! The code of the guide about steps and state, compiled and run.

#![allow(
    clippy::duration_suboptimal_units,
    clippy::unnecessary_wraps,
    clippy::unused_async,
    reason = "the guide shows seconds throughout, and systems that may fail"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_sdk::prelude::*;
use ff_sdk::testing::TestEngine;

/// A bank, a post office and a source of pages, which remember what they were asked.
#[derive(Default)]
struct World(Mutex<Vec<String>>);

impl World {
    async fn note(&self, what: String) -> Result<usize, std::io::Error> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(what);
        Ok(asked.len())
    }

    async fn charge(&self, key: &str, cents: u64) -> Result<String, std::io::Error> {
        self.note(format!("charge {cents} {key}")).await?;
        Ok(format!("receipt over {cents}"))
    }

    async fn ship(&self, key: &str) -> Result<String, std::io::Error> {
        match self.note(format!("ship {key}")).await? {
            2 => Err(std::io::Error::other("the post is closed")),
            _ => Ok("parcel 7".to_owned()),
        }
    }

    async fn mail(&self, link: String) -> Result<(), std::io::Error> {
        self.note(link).await.map(drop)
    }

    async fn import(&self, page: u32) -> Result<(), std::io::Error> {
        self.note(format!("page {page}")).await.map(drop)
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

// region: steps
async fn order(task: ClaimedTask, cents: u64) -> Result<String, TaskError> {
    let world = task.state::<World>()?;
    let charge = async |key: StepKey| Ok(world.charge(key.as_str(), cents).await?);
    let receipt: String = task.step("charge", charge).await?;

    let ship = async |key: StepKey| Ok(world.ship(key.as_str()).await?);
    let parcel: String = task.step("ship", ship).await?; // a failure here charges nobody again
    Ok(format!("{receipt}, {parcel}"))
}
// endregion

// region: waits
async fn release(task: ClaimedTask, version: String) -> Result<String, TaskError> {
    let mut approved_by = Vec::new();
    for question in ["legal", "tech"] {
        let approval = async |_| {
            let decision = task.approval(question).ask(async |token| invite(&task, token).await);
            Ok(decision.await?.approved()?[0].source_identity.clone())
        };
        approved_by.push(task.step::<String, _, _>(question, approval).await?);
    }
    Ok(format!("{version} is approved by {}", approved_by.join(" and ")))
}
// endregion

async fn invite(task: &ClaimedTask, token: WaitpointToken) -> Result<(), TaskError> {
    Ok(task.state::<World>()?.mail(token.as_str().to_owned()).await?)
}

// region: state
async fn import(task: ClaimedTask, pages: u32) -> Result<u32, TaskError> {
    let world = task.state::<World>()?;
    let mut done: u32 = task.saved_state_json()?.unwrap_or(0);
    while done < pages {
        world.import(done).await?;
        done += 1;
        if done.is_multiple_of(100) {
            let minute = TaskError::pause(Duration::from_secs(60));
            return Err(minute.with_state_json(&done)); // saved together with the pause
        }
        task.save_state_json(&done).await?;
    }
    Ok(done)
}
// endregion

fn engine() -> (TestEngine, Arc<World>) {
    let world = Arc::new(World::default());
    let handlers = Handlers::new()
        .shared_state(Arc::clone(&world))
        .handler("order", order)
        .handler("release", release)
        .handler("import", import);
    let engine = TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build()));
    (engine.handlers(handlers), world)
}

async fn submit(engine: &TestEngine, job: Job) -> ExecutionId {
    engine.client().submit(&job).await.expect("it is accepted").id()
}

#[tokio::test]
async fn the_order_of_the_guide_charges_once() {
    let (engine, world) = engine();
    let id = submit(&engine, Job::new("order", &250_u64)).await;

    engine.run_until_ended(id).await.expect("it ends");

    let end = engine.client().result::<String>(id).await.expect("it completed");
    assert_eq!(end, "receipt over 250, parcel 7");
    let ship = format!("ship {id}/ship");
    assert_eq!(world.asked(), [format!("charge 250 {id}/charge"), ship.clone(), ship]);
}

#[tokio::test]
async fn the_release_of_the_guide_waits_twice() {
    let (engine, world) = engine();
    let id = submit(&engine, Job::new("release", "v7")).await;

    for (person, questions) in [("ada", 1), ("bob", 2)] {
        engine.run_ready().await.expect("the engine is up");
        let asked = world.asked();
        assert_eq!(asked.len(), questions);
        let token = asked.last().expect("a question was asked").clone();
        engine.client().approve(&token).principal(person).await.expect("the token is good");
    }
    engine.run_ready().await.expect("the engine is up");

    let end = engine.client().result::<String>(id).await.expect("it completed");
    assert_eq!(end, "v7 is approved by ada and bob");
    assert_eq!(world.asked().len(), 2);
}

#[tokio::test]
async fn the_import_of_the_guide_does_every_page_once() {
    let (engine, world) = engine();
    let id = submit(&engine, Job::new("import", &250_u32)).await;

    engine.run_until_ended(id).await.expect("it ends");

    assert_eq!(engine.client().result::<u32>(id).await.expect("it completed"), 250);
    assert_eq!(world.asked().len(), 250);
}
