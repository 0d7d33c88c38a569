//! The verbs: check what can be checked here, call the function of the same name, read its answer.

mod attempt;
mod budget;
mod claim;
mod completions;
mod firing;
mod flow;
mod flow_graph;
mod flow_read;
mod lane;
mod operator;
mod packed;
mod read;
mod schedule;
mod share;
mod signal;
mod step;
mod stream;
mod submit;
mod tick;
mod wait;
mod waitpoints;

pub(crate) use packed::{Packed, unpacked};
pub(crate) use submit::Texts as SubmitTexts;

use bytes::Bytes;
use ff_engine::EngineError;
use ff_types::Payload;

/// Refuses a list that is longer than its limit.
fn at_most(field: &'static str, actual: usize, limit: usize) -> Result<(), EngineError> {
    if actual > limit {
        return Err(EngineError::LimitExceeded {
            field: field.into(),
            limit: limit as u64,
            actual: actual as u64,
        });
    }
    Ok(())
}

/// A digest of arguments as the library takes it.
fn digest(digest: u64) -> String {
    format!("{digest:016x}")
}

/// The 16 bytes of an id.
fn bits(id: [u8; 16]) -> Bytes {
    Bytes::copy_from_slice(&id)
}

/// The content type as it is stored: the default one is not.
pub(crate) fn content_type(payload: &Payload) -> &str {
    match payload.content_type() {
        "application/octet-stream" => "",
        other => other,
    }
}
