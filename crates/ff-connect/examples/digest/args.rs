//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

const USAGE: &str = "\
usage: digest <dir> [--url URL] [--workers N] [--crash]

  --url URL     where the work is kept, such as valkey://127.0.0.1:6379; each worker is then a
                process of its own (default mem:, everything in this process)
  --workers N   how many workers read files (1..=64, default 4)
  --crash       kill one worker half-way; needs at least two workers";

const WORKERS_DEFAULT: usize = 4;
const WORKERS_MAX: usize = 64;

pub(crate) struct Args {
    pub(crate) dir: PathBuf,
    pub(crate) url: Option<String>,
    pub(crate) workers: usize,
    pub(crate) crash: bool,
}

impl Args {
    /// Reads the arguments, or answers what to tell the user.
    pub(crate) fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut dir = None;
        let mut url = None;
        let mut workers = WORKERS_DEFAULT;
        let mut crash = false;
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--crash") => crash = true,
                Some("--workers") => workers = number(words.next())?,
                Some("--url") => url = Some(text(words.next())?),
                Some(option) if option.starts_with('-') => return Err(USAGE.to_owned()),
                _ if dir.is_none() => dir = Some(PathBuf::from(word)),
                _ => return Err(USAGE.to_owned()),
            }
        }
        if crash && workers < 2 {
            return Err(format!("--crash needs at least two workers\n\n{USAGE}"));
        }
        let dir = dir.ok_or(USAGE)?;
        let url = url.filter(|url| !url.starts_with("mem:"));
        Ok(Self { dir, url, workers, crash })
    }
}

fn text(word: Option<OsString>) -> Result<String, String> {
    word.and_then(|word| word.into_string().ok())
        .ok_or_else(|| format!("--url takes a URL\n\n{USAGE}"))
}

fn number(word: Option<OsString>) -> Result<usize, String> {
    word.and_then(|word| word.to_str()?.parse().ok())
        .filter(|number| (1..=WORKERS_MAX).contains(number))
        .ok_or_else(|| format!("--workers takes a number from 1 to {WORKERS_MAX}\n\n{USAGE}"))
}
