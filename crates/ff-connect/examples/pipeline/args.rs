//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

const USAGE: &str = "\
usage: pipeline <dir> [--break FILE] [--fail-fast] [--mermaid | --dot] [--url URL]

  --break FILE  fail at the file with this path below the directory, such as src/lib.rs
  --fail-fast   let one failure cancel the rest
  --mermaid     print the flow as it ended as a Mermaid flowchart, instead of a table
  --dot         print it for Graphviz
  --url URL     where the work is kept, such as valkey://127.0.0.1:6379 (default mem:, in this
                process)";

const EMBEDDED: &str = "mem:";

pub(crate) struct Args {
    pub(crate) dir: PathBuf,
    pub(crate) broken: Option<String>,
    pub(crate) fail_fast: bool,
    pub(crate) picture: Option<Picture>,
    pub(crate) url: String,
}

/// How the flow is shown instead of the table.
#[derive(Clone, Copy)]
pub(crate) enum Picture {
    Mermaid,
    Dot,
}

impl Args {
    /// Reads the arguments, or answers what to tell the user.
    pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Self, &'static str> {
        args(words).ok_or(USAGE)
    }
}

fn args(mut words: impl Iterator<Item = OsString>) -> Option<Args> {
    let (mut dir, mut broken, mut url, mut picture) = (None, None, None, None);
    let mut fail_fast = false;
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--fail-fast") => fail_fast = true,
            Some("--break") => broken = Some(words.next()?.into_string().ok()?),
            Some("--url") => url = Some(words.next()?.into_string().ok()?),
            Some("--mermaid") if picture.is_none() => picture = Some(Picture::Mermaid),
            Some("--dot") if picture.is_none() => picture = Some(Picture::Dot),
            Some(option) if option.starts_with('-') => return None,
            _ if dir.is_none() => dir = Some(PathBuf::from(word)),
            _ => return None,
        }
    }
    let url = url.unwrap_or_else(|| EMBEDDED.to_owned());
    Some(Args { dir: dir?, broken, fail_fast, picture, url })
}
