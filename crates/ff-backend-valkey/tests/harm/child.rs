//! Other processes of a test: this binary, started again in a role.

use std::io::{BufRead as _, BufReader};
use std::process::{Child as Process, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ff_conformance::fixture::failure;
use ff_conformance::{CaseError, CaseResult};
use ff_engine::{DelayRequest, EngineBackend, ProgressRequest, Task, TickRequest};
use ff_types::Payload;
use ff_types::backend::FailureClass;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;

use crate::site::{Site, Worker, patiently};

const ROLE: &str = "FF_HARM_ROLE";
const URL: &str = "FF_HARM_URL";
const NAMESPACE: &str = "FF_HARM_NAMESPACE";
/// What the lines that are meant for the test start with.
const MARK: &str = "harm: ";
/// How long a line may take.
const PROMPTLY: Duration = Duration::from_secs(15);
const LINES: usize = 1_000;
/// How often a holder renews.
const RENEWAL: Duration = Duration::from_millis(250);
/// How long a call of a child waits.
const WAIT: Duration = Duration::from_mins(1);

/// A running child. It is killed with its value.
pub(crate) struct Child {
    process: Process,
    lines: mpsc::Receiver<String>,
}

impl Child {
    /// Starts a child in `role` on a site of one partition.
    pub(crate) fn start(role: &str, site: &Site) -> CaseResult<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["child::plays_its_role", "--exact", "--ignored", "--nocapture"])
            .env(ROLE, role)
            .env(URL, &site.url)
            .env(NAMESPACE, site.namespace.as_str())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().expect("the output is piped");
        let (tell, lines) = mpsc::channel(LINES);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Some((_, said)) = line.split_once(MARK) else { continue };
                if tell.blocking_send(said.to_owned()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { process, lines })
    }

    /// The next line that it says.
    pub(crate) async fn line(&mut self) -> CaseResult<String> {
        let line = tokio::time::timeout(PROMPTLY, self.lines.recv()).await?;
        line.ok_or_else(|| CaseError::new("the child has ended"))
    }

    /// Reads on until it says exactly this.
    pub(crate) async fn says(&mut self, wanted: &str) -> CaseResult {
        while self.line().await? != wanted {}
        Ok(())
    }

    /// Kills it, as a crash would, and returns once it is gone.
    pub(crate) fn kill(&mut self) -> CaseResult {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Stops it: it keeps its connections and does nothing.
    pub(crate) fn stop(&self) -> CaseResult {
        Ok(kill_process(Pid::from_child(&self.process), Signal::STOP)?)
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) -> CaseResult {
        Ok(kill_process(Pid::from_child(&self.process), Signal::CONT)?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only for a process that is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(clippy::print_stdout, reason = "the test reads it there")]
fn say(line: &str) {
    println!("{MARK}{line}");
}

/// Not a test: where a child begins.
#[tokio::test]
#[ignore = "is the other process of a test"]
async fn plays_its_role() -> CaseResult {
    let Ok(role) = std::env::var(ROLE) else { return Ok(()) };
    let site = Site::open(std::env::var(URL)?, &std::env::var(NAMESPACE)?, 1)?;
    let backend = site.connect().await?;
    let worker = site.worker();
    match role.as_str() {
        "holder" => hold(backend.as_ref(), &worker).await,
        "maintaining holder" => {
            let maintained = Arc::clone(&backend);
            tokio::spawn(async move { maintain(maintained.as_ref()).await });
            hold(backend.as_ref(), &worker).await
        }
        "waiter" => {
            let tasks = worker.take(backend.as_ref(), 1, WAIT).await?;
            say(&format!("got {}", tasks.len()));
            Ok(())
        }
        other => Err(CaseError::new(format!("{other} is no role"))),
    }
}

/// Does what is due for as long as the process lives.
pub(crate) async fn maintain(backend: &dyn EngineBackend) -> CaseResult {
    let request = TickRequest::all().with_max_wait(WAIT);
    loop {
        patiently(|| backend.tick(&request)).await?;
    }
}

/// Takes all work and holds it; once a renewal is refused, tries to write all the same.
async fn hold(backend: &dyn EngineBackend, worker: &Worker) -> CaseResult {
    let tasks = worker.take(backend, 16, WAIT).await?;
    say(&format!("holds {}", tasks.len()));
    let handles: Vec<_> = tasks.iter().map(|task| task.handle.clone()).collect();
    let mut renewals = 0;
    loop {
        tokio::time::sleep(RENEWAL).await;
        let answers = patiently(|| backend.renew_batch(&handles)).await?;
        if answers.iter().any(Result::is_err) {
            break;
        }
        renewals += 1;
        say(&format!("renewed {renewals}"));
    }
    for task in &tasks {
        write_late(backend, task).await;
    }
    say("over");
    Ok(())
}

async fn write_late(backend: &dyn EngineBackend, task: &Task) {
    let handle = &task.handle;
    let result = Payload::new("late");
    let failure = failure(FailureClass::Permanent);
    let answers = [
        ("renew", backend.renew(handle).await.map(drop)),
        ("progress", backend.progress(handle, &ProgressRequest::new(99)).await),
        ("complete", backend.complete(handle, Some(&result)).await),
        ("fail", backend.fail(handle, &failure).await.map(drop)),
        ("cancel", backend.cancel(handle, "late").await),
        ("delay", backend.delay(handle, &DelayRequest::now()).await),
    ];
    for (verb, answer) in answers {
        let code = answer.as_ref().err().map_or("accepted", ff_engine::EngineError::code);
        say(&format!("late {verb} {} {code}", task.execution_id));
    }
}
