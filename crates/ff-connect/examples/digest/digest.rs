//! The job: reading one file.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ff_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::crash::Crash;

pub(crate) const LANE: &str = "files";
pub(crate) const KIND: &str = "digest";

const CHUNK_BYTES: usize = 64 * 1024;

/// What a file holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct Digest {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    pub(crate) sha256: String,
    /// How many workers died over it.
    pub(crate) reclaims: u32,
}

/// The job for one file. Its payload is the path as the system spells it, which need not be text.
pub(crate) fn job(path: &Path) -> Job {
    let spelling = path.as_os_str().as_encoded_bytes().to_vec();
    Job::raw(KIND, Payload::new(spelling)).lane(LANE)
}

/// The handler.
pub(crate) async fn handle(task: ClaimedTask) -> Result<Settled, TaskError> {
    if let Ok(crash) = task.state::<Crash>() {
        crash.maybe().await;
    }
    let path = path(task.payload())?;
    let reclaims = task.reclaims();
    let reading = tokio::task::spawn_blocking(move || read(&path, reclaims));
    // A file that cannot be read now will not be readable in a second.
    let digest = reading.await?.permanent()?;
    Ok(task.complete_json(&digest).await?)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have paths that are no text")]
fn path(payload: &Payload) -> Result<PathBuf, TaskError> {
    use std::os::unix::ffi::OsStrExt;

    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(payload.bytes())))
}

#[cfg(not(unix))]
fn path(payload: &Payload) -> Result<PathBuf, TaskError> {
    let text = std::str::from_utf8(payload.bytes()).permanent()?;
    Ok(PathBuf::from(text))
}

#[expect(clippy::naive_bytecount, reason = "fast enough beside SHA-256, and no dependency")]
fn read(path: &Path, reclaims: u32) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let (mut bytes, mut lines) = (0, 0);
    let mut sha256 = Sha256::new();
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => &chunk[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes += read.len() as u64;
        lines += read.iter().filter(|byte| **byte == b'\n').count() as u64;
        sha256.update(read);
    }
    let sha256 = hex(&sha256.finalize());
    Ok(Digest { bytes, lines, sha256, reclaims })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string never fails");
        text
    })
}
