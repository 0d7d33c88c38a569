//! The command line.

use std::time::Duration;

const USAGE: &str = "\
usage: approval [--nobody] [--deadline SECONDS] [--url URL [--interactive]]
       approval signal TOKEN approve|reject --as NAME --url URL

  --nobody            the scripted people do not answer
  --deadline SECONDS  how long to wait for them (default 60; 2 with --nobody)
  --url URL           where the work is kept, such as valkey://127.0.0.1:6379 (default mem:, in this
                      process)
  --interactive       print the token instead, for answers from another terminal; needs --url";

const EMBEDDED: &str = "mem:";
const DEADLINE_SECS: u64 = 60;
const DEADLINE_OF_NOBODY_SECS: u64 = 2;

pub(crate) enum Command {
    Run(Args),
    Signal(Vote),
}

/// How to run the pipeline.
#[derive(Clone)]
pub(crate) struct Args {
    pub(crate) url: String,
    pub(crate) nobody: bool,
    pub(crate) interactive: bool,
    pub(crate) deadline: Duration,
}

/// One answer from another terminal.
pub(crate) struct Vote {
    pub(crate) token: String,
    pub(crate) yes: bool,
    pub(crate) name: String,
    pub(crate) url: String,
}

impl Command {
    /// Reads the arguments, or answers what to tell the user.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut words = words.peekable();
        let command = if words.next_if(|word| word == "signal").is_some() {
            vote(words).map(Self::Signal)
        } else {
            args(words).map(Self::Run)
        };
        command.ok_or_else(|| USAGE.to_owned())
    }
}

fn args(mut words: impl Iterator<Item = String>) -> Option<Args> {
    let (mut url, mut deadline) = (None, None);
    let (mut nobody, mut interactive) = (false, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--nobody" => nobody = true,
            "--interactive" => interactive = true,
            "--url" => url = Some(words.next()?),
            "--deadline" => deadline = Some(words.next()?.parse().ok()?),
            _ => return None,
        }
    }
    let url = url.unwrap_or_else(|| EMBEDDED.to_owned());
    if interactive && (nobody || url.starts_with(EMBEDDED)) {
        return None;
    }
    let default = if nobody { DEADLINE_OF_NOBODY_SECS } else { DEADLINE_SECS };
    let deadline = Duration::from_secs(deadline.unwrap_or(default));
    Some(Args { url, nobody, interactive, deadline })
}

fn vote(mut words: impl Iterator<Item = String>) -> Option<Vote> {
    let token = words.next()?;
    let yes = match words.next()?.as_str() {
        "approve" => true,
        "reject" => false,
        _ => return None,
    };
    let (mut name, mut url) = (None, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--as" => name = Some(words.next()?),
            "--url" => url = Some(words.next()?),
            _ => return None,
        }
    }
    Some(Vote { token, yes, name: name?, url: url? })
}
