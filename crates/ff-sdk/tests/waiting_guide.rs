//! The code of the guide about waiting, compiled and run.

#![allow(
    clippy::duration_suboptimal_units,
    clippy::unnecessary_wraps,
    clippy::unused_async,
    reason = "the guide shows seconds throughout, and systems that may fail"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_engine::{Clock, KeyRing, ManualClock, WaitpointSecret};
use ff_sdk::prelude::*;
use ff_sdk::testing::TestEngine;
use ff_sdk::{SignalOutcome, TimeoutBehavior};

/// Where links go.
#[derive(Default)]
struct Mail(Mutex<Vec<String>>);

impl Mail {
    async fn send(&self, link: String) -> Result<(), std::io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(link);
        Ok(())
    }

    /// The end of the link that was sent last.
    fn token(&self) -> String {
        let sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let link = sent.last().expect("a link was sent");
        link.rsplit('/').next().expect("a text has an end").to_owned()
    }
}

// region: approval
async fn deploy(task: ClaimedTask, version: String) -> Result<String, TaskError> {
    let mail = task.state::<Mail>()?;
    let day = Duration::from_secs(24 * 3_600);

    let question = task.approval("deploy").sources(2).deadline(day);
    let link = async |token: WaitpointToken| {
        mail.send(format!("https://deploy.example/{}", token.as_str())).await
    };
    question.ask(link).await?.approved()?;

    Ok(format!("{version} is out"))
}
// endregion

// region: click
/// What the web server does with a click on the link, once it knows who clicked.
async fn clicked(client: &Client, token: &str, user: &str, yes: bool) -> &'static str {
    let vote = if yes { client.approve(token) } else { client.reject(token) };
    match vote.principal(user).await {
        Ok(SignalOutcome::Duplicate(_)) => "you have answered before",
        Ok(SignalOutcome::Closed) => "this has been decided",
        Ok(_) => "thank you",
        Err(error) if error.is_retryable() => "try again later",
        Err(_) => "this link is not valid",
    }
}
// endregion

// region: webhook
async fn ship(task: ClaimedTask, order: u32) -> Result<String, TaskError> {
    if let Some(paid) = task.resume_signals().await?.first() {
        let cents: u64 = paid.json()?;
        return Ok(format!("order {order} is paid with {cents} and shipped"));
    }
    if task.resumed().await?.reason.is_some() {
        return Err(TaskError::cancelled("not paid in time"));
    }
    let day = Duration::from_secs(24 * 3_600);
    let payment = task.create_waitpoint("payment").expires_in(2 * day).await?;
    let mail = task.state::<Mail>()?;
    mail.send(format!("https://shop.example/paid/{}", payment.token().as_str())).await?;
    let paid = WaitOn::from(&payment).named("paid");
    Err(TaskError::suspend(Wait::on(paid).timeout(day, TimeoutBehavior::Resume)))
}
// endregion

async fn hook(client: &Client, token: &str, cents: u64) -> Result<SignalOutcome, EngineError> {
    // region: signal
    let outcome = client.signal(token, "paid").payload(&cents).idempotency_key("tx-4711").await?;
    // endregion
    Ok(outcome)
}

fn backend(
    clock: Arc<dyn Clock>,
    new: [u8; 32],
    old: [u8; 32],
    until: TimestampMs,
) -> Result<MemBackend, EngineError> {
    // region: keys
    let ring = KeyRing::new("2026-07", WaitpointSecret::new(new)?)?.with_previous(
        "2026-01",
        WaitpointSecret::new(old)?,
        until,
    )?;
    let backend = MemBackend::builder().clock(clock).key_ring(ring).build();
    // endregion
    Ok(backend)
}

struct Guide {
    engine: TestEngine,
    mail: Arc<Mail>,
}

impl Guide {
    fn new() -> Self {
        let mail = Arc::new(Mail::default());
        let handlers = Handlers::new()
            .shared_state(Arc::clone(&mail))
            .handler("deploy", deploy)
            .handler("ship", ship);
        let engine = TestEngine::new(|clock| {
            let until = clock.now().saturating_add(Duration::from_secs(3_600));
            Arc::new(backend(clock, [7; 32], [8; 32], until).expect("the keys are good"))
        });
        Self { engine: engine.handlers(handlers), mail }
    }

    async fn submit(&self, job: Job) -> ExecutionId {
        let id = self.engine.client().submit(&job).await.expect("it is accepted").id();
        self.engine.run_ready().await.expect("the engine is up");
        id
    }
}

#[tokio::test]
async fn the_approval_of_the_guide_is_given_by_two_people() {
    let guide = Guide::new();
    let client = guide.engine.client();
    let id = guide.submit(Job::new("deploy", "v7")).await;
    let token = guide.mail.token();

    assert_eq!(clicked(client, &token, "ada", true).await, "thank you");
    assert_eq!(clicked(client, &token, "ada", false).await, "you have answered before");
    assert_eq!(clicked(client, "w1.nonsense", "eve", true).await, "this link is not valid");
    assert_eq!(clicked(client, &token, "bob", true).await, "thank you");
    assert_eq!(clicked(client, &token, "eve", false).await, "this has been decided");
    guide.engine.run_ready().await.expect("the engine is up");

    assert_eq!(client.result::<String>(id).await.expect("it completed"), "v7 is out");
}

#[tokio::test]
async fn the_order_of_the_guide_is_paid_once() {
    let guide = Guide::new();
    let client = guide.engine.client();
    let id = guide.submit(Job::new("ship", &7_u32)).await;
    let token = guide.mail.token();

    let first = hook(client, &token, 250).await.expect("the token is good");
    let again = hook(client, &token, 250).await.expect("the token is good");
    guide.engine.run_ready().await.expect("the engine is up");

    assert_eq!(first, SignalOutcome::Resumed);
    assert!(matches!(again, SignalOutcome::Duplicate(_)));
    let end = client.result::<String>(id).await.expect("it completed");
    assert_eq!(end, "order 7 is paid with 250 and shipped");
}

#[tokio::test]
async fn an_order_that_nobody_pays_is_cancelled() {
    let guide = Guide::new();
    let id = guide.submit(Job::new("ship", &7_u32)).await;

    guide.engine.run_until_ended(id).await.expect("it ends");

    let end = guide.engine.client().result::<String>(id).await;
    assert!(matches!(end, Err(ResultError::Cancelled { reason }) if reason == "not paid in time"));
}

#[test]
fn the_keys_of_the_guide_are_two() {
    let clock = ManualClock::default();
    let until = clock.now().saturating_add(Duration::from_secs(60));

    assert!(backend(Arc::new(clock), [7; 32], [8; 32], until).is_ok());
}
