//! The job: words, written one by one as a model writes tokens, and paid for from a budget.

use std::time::Duration;

use ff_sdk::prelude::*;
use ff_sdk::{Frame, FrameKind, UsageDimensions, UsageOutcome};

pub(crate) const KIND: &str = "write";
/// The dimension that is paid for.
pub(crate) const WORDS: &str = "words";
/// The type of the event that says that a limit was met.
pub(crate) const BUDGET: &str = "budget";

/// How many words the job writes between two reports, and reserves to begin with.
pub(crate) const PORTION: u64 = 4;

/// The handler. It pays for each portion under a key of its own and saves how far it is, so that every word is
/// paid for once, whatever interrupts it. Answers how many words it wrote.
pub(crate) async fn write(task: ClaimedTask, words: u64) -> Result<u64, TaskError> {
    let mut written: u64 = task.saved_state_json()?.unwrap_or(0);
    let mut warned = false;
    while written < words {
        let portion = PORTION.min(words - written);
        let usage = UsageDimensions::new()
            .with_custom(WORDS, portion)
            .with_dedup_key(format!("words from {written}"));
        match task.report_usage(usage).await? {
            UsageOutcome::HardBreach(breach) => {
                task.emit(BUDGET, &format!("used up: {breach}")).await?;
                task.flush_output().await?;
                // What is left is too little. Once nothing is left, the attempt is not resumed before
                // there is room again; until then it asks from time to time.
                return Err(TaskError::pause(Duration::from_millis(100)).with_state_json(&written));
            }
            UsageOutcome::SoftBreach(breach) if !warned => {
                warned = true;
                task.emit(BUDGET, &format!("running low: {breach}")).await?;
            }
            _ => {}
        }
        for word in written..written + portion {
            task.write_frame(Frame::new(spoken(word), FrameKind::Stdout)).await?;
        }
        written += portion;
        task.save_state_json(&written).await?;
    }
    Ok(written)
}

/// The word at a place: of a text that repeats, and never ends.
fn spoken(place: u64) -> String {
    const TEXT: &str = "every word that is written here was paid for before it was written and \
                        none of them is paid for twice";
    let words: Vec<&str> = TEXT.split(' ').collect();
    let place = usize::try_from(place).unwrap_or(0) % words.len();
    words[place].to_owned()
}
