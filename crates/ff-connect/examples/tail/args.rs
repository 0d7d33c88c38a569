//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

const USAGE: &str = "\
usage: tail FILE... [--url URL]

  FILE       text files, whose lines a job writes
  --url URL  where the work is kept, such as valkey://127.0.0.1:6379 (default mem:, in this process)";

const EMBEDDED: &str = "mem:";

/// What to write, and where.
pub(crate) struct Args {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) url: String,
}

impl Args {
    pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let usage = |problem: &str| format!("tail: {problem}\n\n{USAGE}");
        let (mut files, mut url) = (Vec::new(), EMBEDDED.to_owned());
        let mut words = words;
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--url") => {
                    let given = words.next().and_then(|url| url.into_string().ok());
                    url = given.ok_or_else(|| usage("--url needs a URL"))?;
                }
                Some("--help") => return Err(USAGE.to_owned()),
                Some(option) if option.starts_with('-') => {
                    return Err(usage(&format!("no such option: {option}")));
                }
                _ => files.push(PathBuf::from(word)),
            }
        }
        if files.is_empty() {
            return Err(usage("no file is given"));
        }
        Ok(Self { files, url })
    }
}
