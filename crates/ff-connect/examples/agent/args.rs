//! The command line.

use std::ffi::OsString;

const USAGE: &str = "\
usage: agent [--words N] [--limit N] [--raise N] [--url URL]

  --words N  how many words the job writes (default 60)
  --limit N  the hard limit of its budget in words; the soft one is half of it (default 32)
  --raise N  by how much the limit is raised whenever the job waits for that (default 16)
  --url URL  where the work is kept, such as valkey://127.0.0.1:6379 (default mem:, in this process)";

/// What to write, and with what.
pub(crate) struct Args {
    pub(crate) words: u64,
    pub(crate) limit: u64,
    pub(crate) raise: u64,
    pub(crate) url: String,
}

impl Args {
    pub(crate) fn parse(mut given: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let usage = |problem: &str| format!("agent: {problem}\n\n{USAGE}");
        let mut args = Self { words: 60, limit: 32, raise: 16, url: "mem:".to_owned() };
        while let Some(option) = given.next() {
            let option = option.to_string_lossy().into_owned();
            if option == "--help" {
                return Err(USAGE.to_owned());
            }
            if !["--words", "--limit", "--raise", "--url"].contains(&option.as_str()) {
                return Err(usage(&format!("no such option: {option}")));
            }
            let value = given.next().and_then(|value| value.into_string().ok());
            let value = value.ok_or_else(|| usage(&format!("{option} needs a value")))?;
            let number = || {
                let number: Option<u64> =
                    value.parse().ok().filter(|n| (1..=1_000_000).contains(n));
                number.ok_or_else(|| usage(&format!("{option} needs a number from 1 to 1000000")))
            };
            match option.as_str() {
                "--words" => args.words = number()?,
                "--limit" => args.limit = number()?,
                "--raise" => args.raise = number()?,
                _ => args.url = value,
            }
        }
        Ok(args)
    }
}
