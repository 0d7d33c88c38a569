//! The three who are asked.
//!
//! Here everybody may say who they are. A real server authenticates them first: the engine counts the
//! principals it is told.

use std::io::{self, Write};
use std::time::Duration;

use ff_sdk::SignalOutcome;
use ff_sdk::prelude::*;
use tokio::sync::mpsc;

use crate::Failure;
use crate::args::Args;

/// What the scripted people do, in this order. Ada is impatient, and Eve is late.
const SCRIPT: [(&str, bool); 4] = [("ada", true), ("ada", true), ("bob", true), ("eve", false)];

/// How long each of them thinks. The job holds nothing meanwhile.
const THOUGHT: Duration = Duration::from_millis(300);

/// Waits for the invitation and answers it, as `args` say.
pub(crate) async fn answer(
    client: Client,
    mut invitations: mpsc::Receiver<WaitpointToken>,
    args: Args,
) -> Result<(), Failure> {
    let Some(token) = invitations.recv().await else { return Ok(()) };
    if args.interactive {
        print(&token, &args)?;
    } else if !args.nobody {
        for (name, yes) in SCRIPT {
            tokio::time::sleep(THOUGHT).await;
            let outcome = say(&client, token.as_str(), name, yes).await?;
            let verb = if yes { "approves" } else { "rejects" };
            writeln!(io::stdout(), "{name} {verb}: {}", told(outcome))?;
        }
    }
    Ok(())
}

/// Sends one answer.
pub(crate) async fn say(
    client: &Client,
    token: &str,
    name: &str,
    yes: bool,
) -> Result<SignalOutcome, EngineError> {
    let vote = if yes { client.approve(token) } else { client.reject(token) };
    vote.principal(name).await
}

/// What a person is told.
pub(crate) const fn told(outcome: SignalOutcome) -> &'static str {
    match outcome {
        SignalOutcome::Resumed => "that decides it",
        SignalOutcome::Recorded => "noted, and one more has to answer",
        SignalOutcome::Buffered => "noted",
        SignalOutcome::Duplicate(_) => "answered before",
        SignalOutcome::Closed => "it is decided already",
        _ => "not what was asked",
    }
}

/// The whole token is printed here, because the reader is the one who is to have it.
fn print(token: &WaitpointToken, args: &Args) -> io::Result<()> {
    let Args { url, deadline, .. } = args;
    let (token, secs) = (token.as_str(), deadline.as_secs());
    let mut out = io::stdout().lock();
    writeln!(out, "two different people have {secs} s to answer, each from another terminal by")?;
    writeln!(out, "  approval signal {token} approve --as NAME --url {url}")?;
    writeln!(out, "or by `reject` in the place of `approve`")
}
