//! Questions to people, and what is made of their answers.

mod common;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::Mailbox;
use ff_backend_mem::MemBackend;
use ff_sdk::SignalOutcome;
use ff_sdk::prelude::*;
use ff_sdk::testing::TestEngine;
use ff_types::TerminalOutcome;

const DAY: Duration = Duration::from_hours(24);

/// Asks two people, and answers with the names of those who approve.
async fn deploy(task: ClaimedTask, (): ()) -> Result<Vec<String>, TaskError> {
    let signals = ask(&task, "deploy", 2).await?.approved()?;
    Ok(signals.into_iter().map(|signal| signal.source_identity).collect())
}

async fn ask(task: &ClaimedTask, key: &str, sources: u32) -> Result<Decision, TaskError> {
    let mailbox = task.state::<Mailbox>()?;
    let invite = async |token| {
        mailbox.post(token);
        Ok::<(), TaskError>(())
    };
    task.approval(key).sources(sources).deadline(DAY).ask(invite).await
}

struct Office {
    engine: TestEngine,
    mailbox: Arc<Mailbox>,
}

impl Office {
    fn new(handlers: Handlers) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        let handlers = handlers.shared_state(Arc::clone(&mailbox));
        let engine = TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build()))
            .handlers(handlers);
        Self { engine, mailbox }
    }

    /// Submits a deployment and runs it until it waits.
    async fn submit(&self) -> ExecutionId {
        let job = Job::new("deploy", &());
        let id = self.engine.client().submit(&job).await.expect("it is accepted").id();
        self.run().await;
        id
    }

    async fn run(&self) {
        self.engine.run_ready().await.expect("the engine is up");
    }

    fn token(&self) -> WaitpointToken {
        self.mailbox.latest()
    }

    async fn approve(&self, principal: &str) -> SignalOutcome {
        let vote = self.engine.client().approve(self.token()).principal(principal);
        vote.await.expect("the token is good")
    }

    async fn reject(&self, principal: &str) -> SignalOutcome {
        let vote = self.engine.client().reject(self.token()).principal(principal);
        vote.await.expect("the token is good")
    }

    async fn cancelled(&self, id: ExecutionId) -> String {
        match self.engine.client().result::<serde_json::Value>(id).await {
            Err(ResultError::Cancelled { reason }) => reason,
            other => panic!("expected a cancellation, got {other:?}"),
        }
    }
}

fn office() -> Office {
    Office::new(Handlers::new().handler("deploy", deploy))
}

#[tokio::test]
async fn two_people_approve_however_often_they_click() {
    let office = office();
    let id = office.submit().await;

    assert_eq!(office.approve("ada").await, SignalOutcome::Recorded);
    assert!(matches!(office.approve("ada").await, SignalOutcome::Duplicate(_)));
    assert!(matches!(office.reject("ada").await, SignalOutcome::Duplicate(_)));
    assert_eq!(office.approve("bob").await, SignalOutcome::Resumed);
    assert_eq!(office.approve("eve").await, SignalOutcome::Closed);
    office.run().await;

    let names = office.engine.client().result::<Vec<String>>(id).await.unwrap();
    assert_eq!(names, ["ada", "bob"]);
    assert_eq!(office.mailbox.all().len(), 1);
}

#[tokio::test]
async fn nobody_is_asked_for_a_number_of_answers_that_cannot_be() {
    for sources in [0, 65] {
        let handler = move |task: ClaimedTask, (): ()| async move {
            ask(&task, "deploy", sources).await?.approved().map(drop)
        };
        let office = Office::new(Handlers::new().handler("deploy", handler));

        let id = office.submit().await;

        let result = office.engine.client().result::<()>(id).await;
        let error = result.expect_err("it fails").to_string();
        let problem = format!("sources must be within 1..=64, is {sources}");
        assert!(error.contains(&problem), "{error}");
        assert!(office.mailbox.all().is_empty(), "somebody was asked");
    }
}

#[tokio::test]
async fn one_rejection_decides() {
    let office = office();
    let id = office.submit().await;

    office.reject("eve").await;
    office.approve("ada").await;
    office.run().await;

    assert_eq!(office.cancelled(id).await, "rejected by principal eve");
}

#[tokio::test]
async fn what_is_no_approval_is_a_rejection_or_does_not_count() {
    let office = office();
    let id = office.submit().await;
    let client = office.engine.client();
    let foreign = client.signal(office.token(), "approve").await.unwrap();
    assert_eq!(foreign, SignalOutcome::NotMatched, "it does not say which question it answers");

    let odd = client.signal(office.token(), "perhaps").correlation_id("deploy");
    odd.principal("eve").await.unwrap();
    client.approve(office.token()).await.unwrap();
    office.run().await;

    assert_eq!(office.cancelled(id).await, "rejected by principal eve");
}

#[tokio::test]
async fn a_missed_deadline_cancels_and_a_retry_does_not_prolong_it() {
    let office = Office::new(Handlers::new().handler("deploy", async |task, ()| {
        let first = task.retries() == 0 && !task.is_resumed();
        match deploy(task, ()).await {
            Err(_) if first => Err(TaskError::retry_after(DAY / 2, "the mail server is away")),
            answer => answer,
        }
    }));
    let start = office.engine.now();
    let id = office.submit().await;

    let end = office.engine.run_until_ended(id).await.unwrap();

    assert_eq!(end.outcome, TerminalOutcome::Cancelled);
    assert_eq!(office.cancelled(id).await, "not approved in time");
    assert_eq!(office.engine.now().saturating_since(start), DAY);
    let tokens = office.mailbox.all();
    assert_eq!(tokens.len(), 2, "invited again, as the first time may have failed");
    assert_eq!(tokens[0], tokens[1], "with the link that was given out");
}

#[tokio::test]
async fn an_approval_that_comes_before_the_wait_counts() {
    let early = Arc::new(OnceLock::<Client>::new());
    let handlers = Handlers::new().shared_state(Arc::clone(&early));
    let office = Office::new(handlers.handler("deploy", async |task, ()| {
        let early = task.state::<OnceLock<Client>>()?;
        let client = early.get().expect("the test gave it");
        let invite = async |token: WaitpointToken| client.approve(&token).await.map(drop);
        task.approval("deploy").ask(invite).await?.approved().map(|signals| signals.len())
    }));
    assert!(early.set(office.engine.client().clone()).is_ok());

    let id = office.submit().await;

    assert_eq!(office.engine.client().result::<usize>(id).await.unwrap(), 1);
}

#[tokio::test]
async fn a_withdrawn_question_is_told_as_such() {
    let office = office();
    let id = office.submit().await;

    office.engine.client().resume_execution(id, "superseded").await.unwrap();
    office.run().await;

    assert_eq!(office.cancelled(id).await, "the question was withdrawn: superseded");
}

#[tokio::test]
async fn the_answer_to_one_question_answers_no_other() {
    let office = Office::new(Handlers::new().handler("deploy", async |task, ()| {
        ask(&task, "build", 1).await?.approved()?;
        ask(&task, "deploy", 1).await?.approved()?;
        Ok::<(), TaskError>(())
    }));
    let id = office.submit().await;

    office.approve("ada").await;
    office.run().await;

    let keys: Vec<_> =
        office.mailbox.all().iter().map(|token| token.address().key.to_string()).collect();
    assert_eq!(keys, ["build", "deploy"]);
    let view = office.engine.client().describe(id).await.unwrap();
    assert_eq!(view.state, ExecutionState::Suspended);
}

#[tokio::test]
async fn an_answer_that_is_remembered_elsewhere_is_not_taken_for_the_next_one() {
    let handlers = Handlers::new().state(AtomicBool::new(false));
    let office = Office::new(handlers.handler("deploy", async |task, ()| {
        let built = task.state::<AtomicBool>()?;
        if !built.load(Relaxed) {
            ask(&task, "build", 1).await?.approved()?;
            built.store(true, Relaxed);
            return Err(TaskError::retry_after(DAY, "before the second question"));
        }
        ask(&task, "deploy", 1).await?.approved()?;
        Ok("deployed")
    }));
    let id = office.submit().await;
    office.approve("ada").await;
    office.run().await;
    office.engine.advance(DAY);
    office.run().await;
    let view = office.engine.client().describe(id).await.unwrap();
    assert_eq!((view.state, view.retries), (ExecutionState::Suspended, 1));

    office.approve("bob").await;
    office.run().await;

    assert_eq!(office.engine.client().result::<String>(id).await.unwrap(), "deployed");
}

#[tokio::test]
async fn a_question_can_be_asked_again_after_its_deadline() {
    let office = Office::new(Handlers::new().handler("deploy", async |task, ()| {
        while ask(&task, "deploy", 1).await? == Decision::TimedOut {}
        Ok::<_, TaskError>("decided")
    }));
    let id = office.submit().await;
    office.engine.advance(DAY);
    office.run().await;
    let tokens = office.mailbox.all();
    assert_ne!(tokens[0], tokens[1]);

    office.approve("ada").await;
    office.run().await;

    assert_eq!(office.engine.client().result::<String>(id).await.unwrap(), "decided");
    assert_eq!(office.mailbox.all().len(), 2);
}
