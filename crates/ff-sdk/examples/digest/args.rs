//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

const USAGE: &str = "\
usage: digest <dir> [--workers N] [--crash]

  --workers N   how many workers read files (1..=64, default 4)
  --crash       kill one worker half-way; needs at least two workers";

const WORKERS_DEFAULT: usize = 4;
const WORKERS_MAX: usize = 64;

pub(crate) struct Args {
    pub(crate) dir: PathBuf,
    pub(crate) workers: usize,
    pub(crate) crash: bool,
}

impl Args {
    /// Reads the arguments, or answers what to tell the user.
    pub(crate) fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut dir = None;
        let mut workers = WORKERS_DEFAULT;
        let mut crash = false;
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--crash") => crash = true,
                Some("--workers") => workers = number(words.next())?,
                Some(option) if option.starts_with('-') => return Err(USAGE.to_owned()),
                _ if dir.is_none() => dir = Some(PathBuf::from(word)),
                _ => return Err(USAGE.to_owned()),
            }
        }
        if crash && workers < 2 {
            return Err(format!("--crash needs at least two workers\n\n{USAGE}"));
        }
        let dir = dir.ok_or(USAGE)?;
        Ok(Self { dir, workers, crash })
    }
}

fn number(word: Option<OsString>) -> Result<usize, String> {
    word.and_then(|word| word.to_str()?.parse().ok())
        .filter(|number| (1..=WORKERS_MAX).contains(number))
        .ok_or_else(|| format!("--workers takes a number from 1 to {WORKERS_MAX}\n\n{USAGE}"))
}
