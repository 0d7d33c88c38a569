//! The job: build, ask, deploy.

use std::io::{self, Write};
use std::time::Duration;

use ff_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub(crate) const KIND: &str = "deploy";
/// How many people have to approve.
pub(crate) const APPROVALS: u32 = 2;

/// What is to be deployed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Release {
    pub(crate) version: String,
    pub(crate) deadline_secs: u64,
}

/// What was.
#[derive(Serialize, Deserialize)]
pub(crate) struct Deployed {
    pub(crate) version: String,
    pub(crate) build: String,
    pub(crate) approved_by: Vec<String>,
}

/// How the people are reached.
pub(crate) struct Inbox(mpsc::Sender<WaitpointToken>);

impl Inbox {
    pub(crate) fn new() -> (Self, mpsc::Receiver<WaitpointToken>) {
        let (sender, invitations) = mpsc::channel(1);
        (Self(sender), invitations)
    }
}

/// The handler. It runs twice: until the question is asked, and from its first line on the answer.
pub(crate) async fn deploy(task: ClaimedTask, release: Release) -> Result<Deployed, TaskError> {
    let Release { version, deadline_secs } = release;
    let inbox = task.state::<Inbox>()?;
    // Once, whatever becomes of this attempt.
    let build: String = task
        .step("build", async |_| {
            writeln!(io::stdout(), "building {version}")?;
            Ok(format!("{version}-{}", task.execution_id()))
        })
        .await?;

    let question =
        task.approval("deploy").sources(APPROVALS).deadline(Duration::from_secs(deadline_secs));
    let decision =
        question.ask(async |token| Ok::<(), TaskError>(inbox.0.send(token).await?)).await?;
    let approvals = decision.approved()?;

    writeln!(io::stdout(), "deploying {build}")?;
    let approved_by = approvals.into_iter().map(|signal| signal.source_identity).collect();
    Ok(Deployed { version, build, approved_by })
}
