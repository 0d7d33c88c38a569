//! RESP2, as far as a client needs it: writing commands and reading replies.

use std::io::{BufRead, Read as _};

use crate::Error;
use crate::error::printable;

/// The longest bulk string that servers accept by default.
const MAX_BULK: u64 = 512 * 1024 * 1024;

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A line of text, as `OK`.
    Simple(String),
    /// A refusal, that begins with its kind, as `WRONGTYPE`.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes, or the absence of a value.
    Bulk(Option<Vec<u8>>),
    /// Replies, or the absence of them.
    Array(Option<Vec<Reply>>),
}

impl Reply {
    /// Makes [`Reply::Error`] an [`Error::Answer`].
    pub fn into_result(self) -> Result<Self, Error> {
        match self {
            Self::Error(text) => Err(Error::Answer(text)),
            reply => Ok(reply),
        }
    }

    /// The text of a simple or a bulk string, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Simple(text) => Some(text),
            Self::Bulk(Some(bytes)) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The number of an integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The replies of an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(Some(replies)) => Some(replies),
            _ => None,
        }
    }
}

/// The bytes of the command `words`.
pub(crate) fn encode(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Reads one reply.
pub(crate) fn read(from: &mut impl BufRead) -> Result<Reply, Error> {
    let line = read_line(from)?;
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err(Error::Protocol("an empty line".into()));
    };
    match kind {
        "+" => Ok(Reply::Simple(rest.into())),
        "-" => Ok(Reply::Error(rest.into())),
        ":" => number(rest).map(Reply::Integer),
        "$" => length(rest)?.map(|length| read_bulk(from, length)).transpose().map(Reply::Bulk),
        "*" => length(rest)?
            .map(|length| (0..length).map(|_| read(from)).collect())
            .transpose()
            .map(Reply::Array),
        _ => Err(Error::Protocol(format!("a reply of the kind {kind:?}"))),
    }
}

fn read_line(from: &mut impl BufRead) -> Result<String, Error> {
    let mut line = Vec::new();
    from.take(MAX_BULK).read_until(b'\n', &mut line).map_err(Error::io("reading a reply"))?;
    if line.is_empty() {
        let source = std::io::ErrorKind::UnexpectedEof.into();
        return Err(Error::Io { what: "reading a reply".into(), source });
    }
    line.strip_suffix(b"\r\n")
        .and_then(|line| std::str::from_utf8(line).ok())
        .map(str::to_owned)
        .ok_or_else(|| Error::Protocol(printable(line)))
}

fn read_bulk(from: &mut impl BufRead, length: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    from.take(length + 2).read_to_end(&mut bytes).map_err(Error::io("reading a reply"))?;
    if bytes.len() as u64 != length + 2 || !bytes.ends_with(b"\r\n") {
        return Err(Error::Protocol("a bulk string that is not as long as announced".into()));
    }
    bytes.truncate(bytes.len() - 2);
    Ok(bytes)
}

/// The length of a bulk string or an array; -1 is the absence of one.
fn length(text: &str) -> Result<Option<u64>, Error> {
    match number(text)? {
        -1 => Ok(None),
        length => u64::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_BULK)
            .map(Some)
            .ok_or_else(|| Error::Protocol(format!("a length of {text}"))),
    }
}

fn number(text: &str) -> Result<i64, Error> {
    text.parse().map_err(|_| Error::Protocol(format!("{text:?} in the place of a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        assert_eq!(encode(&["SET", "k", ""]), b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
    }

    #[test]
    fn replies_nest() {
        let mut bytes: &[u8] =
            b"*5\r\n+OK\r\n-ERR no\r\n:-7\r\n$-1\r\n*2\r\n$4\r\na\r\nb\r\n*-1\r\n";

        assert_eq!(
            read(&mut bytes).unwrap(),
            Reply::Array(Some(vec![
                Reply::Simple("OK".into()),
                Reply::Error("ERR no".into()),
                Reply::Integer(-7),
                Reply::Bulk(None),
                Reply::Array(Some(vec![Reply::Bulk(Some(b"a\r\nb".into())), Reply::Array(None)])),
            ]))
        );
        assert!(bytes.is_empty());
    }

    #[test]
    fn damage_is_an_error() {
        for damaged in [
            "",
            "\r\n",
            "+OK",
            "%1\r\n",
            ":x\r\n",
            "$-2\r\n",
            "$3\r\nab\r\n",
            "$1\r\nabc",
            "*1\r\n",
        ] {
            assert!(read(&mut damaged.as_bytes()).is_err(), "{damaged:?}");
        }
    }
}
