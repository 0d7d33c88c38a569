//! The command line.

use std::ffi::OsString;

const USAGE: &str = "\
usage: tenants [--flood N] [--without-keys] [--url URL]

  --flood N       how many jobs the first tenant submits (default 400)
  --without-keys  lets everybody queue in one line, to see the difference
  --url URL       where the work is kept, such as valkey://127.0.0.1:6379 (default mem:, in this process)";

/// How much to flood, and where.
pub(crate) struct Args {
    pub(crate) flood: usize,
    pub(crate) without_keys: bool,
    pub(crate) url: String,
}

impl Args {
    pub(crate) fn parse(mut given: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let usage = |problem: &str| format!("tenants: {problem}\n\n{USAGE}");
        let mut args = Self { flood: 400, without_keys: false, url: "mem:".to_owned() };
        while let Some(option) = given.next() {
            let option = option.to_string_lossy().into_owned();
            if option == "--without-keys" {
                args.without_keys = true;
                continue;
            }
            if option == "--help" {
                return Err(USAGE.to_owned());
            }
            if !["--flood", "--url"].contains(&option.as_str()) {
                return Err(usage(&format!("no such option: {option}")));
            }
            let value = given.next().and_then(|value| value.into_string().ok());
            let value = value.ok_or_else(|| usage(&format!("{option} needs a value")))?;
            if option == "--url" {
                args.url = value;
                continue;
            }
            let number = value.parse().ok().filter(|n| (1..=100_000).contains(n));
            args.flood = number.ok_or_else(|| usage("--flood needs a number from 1 to 100000"))?;
        }
        Ok(args)
    }
}
