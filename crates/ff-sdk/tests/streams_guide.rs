//! The code of the guide to streaming.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::Rig;
use ff_sdk::prelude::*;
use ff_sdk::{StreamEnd, TailEvent, TerminalOutcome};
use serde_json::json;

// region: write
async fn build(task: ClaimedTask, crates: Vec<String>) -> Result<usize, TaskError> {
    for (done, name) in (1..).zip(&crates) {
        task.log(format!("compiling {name}")).await?;
        task.emit("compiled", &json!({ "crate": name })).await?;
        task.update_summary(&json!({ "done": done, "of": crates.len() })).await?;
    }
    Ok(crates.len())
}
// endregion

// region: follow
async fn watch(client: &Client, id: ExecutionId) -> Result<Vec<String>, TaskError> {
    let mut shown = Vec::new();
    let mut tail = client.tail(id).with_summary();
    while let Some(event) = tail.next().await? {
        shown.push(match event {
            TailEvent::Frame(view) => String::from_utf8(view.frame.bytes.to_vec())?,
            TailEvent::Summary(view) => String::from_utf8(view.document.to_vec())?,
            TailEvent::Superseded { attempt } => format!("attempt {attempt} is over"),
            TailEvent::Gap => "what stood here is not kept any more".to_owned(),
            TailEvent::Ended(StreamEnd::Ended(outcome)) => format!("{outcome}"),
            other => format!("{other:?}"),
        });
    }
    Ok(shown)
}
// endregion

#[tokio::test]
async fn the_build_of_the_guide_is_watched_to_its_end() {
    let rig = Rig::new();
    let worker = rig.worker().handler("build", build).build().unwrap().start();
    let id = rig.submit(Job::new("build", &["types", "engine"])).await;

    let (shown, ()) = tokio::join!(watch(&rig.client, id), rig.pass(Duration::from_secs(5)));

    let shown = shown.unwrap();
    let lines: Vec<_> = shown.iter().filter(|line| line.starts_with("compiling")).collect();
    assert_eq!(lines, ["compiling types", "compiling engine"]);
    assert!(shown.contains(&r#"{"crate":"engine"}"#.to_owned()), "{shown:?}");
    assert!(shown.contains(&r#"{"done":2,"of":2}"#.to_owned()), "{shown:?}");
    assert_eq!(shown.last(), Some(&TerminalOutcome::Completed.to_string()));
    tokio::join!(worker.shutdown(), rig.pass(Duration::from_secs(1)));
}
