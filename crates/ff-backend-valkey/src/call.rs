//! How the arguments of a function are written and its values are read. The functions themselves
//! are in [`crate::calls`], which is generated.

use std::vec;

use bytes::Bytes;
use ff_types::TimestampMs;

use crate::reply::Reply;

/// A function of the library.
pub(crate) trait Call {
    /// Its name, without the prefix of the library.
    const NAME: &'static str;
    /// Whether it writes nothing.
    const READS_ONLY: bool;
    /// What a success answers.
    type Answer;

    /// Writes the arguments in the order of the contract.
    fn encode(self, args: &mut Args);

    /// Reads the values behind `OK`.
    fn decode(values: &mut Values) -> Result<Self::Answer, BadReply>;
}

/// The arguments of a call.
#[derive(Debug, Default)]
pub(crate) struct Args(pub(crate) Vec<Bytes>);

impl Args {
    pub(crate) fn id(&mut self, id: u128) {
        self.0.push(Bytes::from(format!("{id:032x}")));
    }

    pub(crate) fn bytes(&mut self, bytes: Bytes) {
        self.0.push(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.0.push(Bytes::copy_from_slice(text.as_bytes()));
    }

    pub(crate) fn int(&mut self, number: u64) {
        self.0.push(Bytes::from(number.to_string()));
    }

    pub(crate) fn signed(&mut self, number: i64) {
        self.0.push(Bytes::from(number.to_string()));
    }

    pub(crate) fn time(&mut self, at: TimestampMs) {
        self.0.push(Bytes::from(at.to_string()));
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.0.push(Bytes::from_static(if flag { b"1" } else { b"0" }));
    }
}

/// A reply that is not what the contract says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reply has no {0} where the contract says so")]
pub(crate) struct BadReply(pub(crate) &'static str);

/// The values of a reply, read one after the other.
#[derive(Debug)]
pub(crate) struct Values(vec::IntoIter<Reply>);

impl Values {
    pub(crate) fn new(values: Vec<Reply>) -> Self {
        Self(values.into_iter())
    }

    pub(crate) fn bytes(&mut self) -> Result<Bytes, BadReply> {
        self.0.next().and_then(Reply::into_bytes).ok_or(BadReply("bytes"))
    }

    pub(crate) fn text(&mut self) -> Result<String, BadReply> {
        let bytes = self.bytes()?;
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| BadReply("text"))
    }

    pub(crate) fn int(&mut self) -> Result<u64, BadReply> {
        match self.0.next() {
            Some(Reply::Int(number)) => u64::try_from(number).ok(),
            Some(Reply::Bytes(digits)) => {
                std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok())
            }
            _ => None,
        }
        .ok_or(BadReply("int"))
    }

    pub(crate) fn time(&mut self) -> Result<TimestampMs, BadReply> {
        let ms = self.int().ok().and_then(|ms| i64::try_from(ms).ok());
        ms.map(TimestampMs).ok_or(BadReply("time"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, BadReply> {
        match self.int() {
            Ok(0) => Ok(false),
            Ok(1) => Ok(true),
            _ => Err(BadReply("flag")),
        }
    }

    pub(crate) fn list(&mut self) -> Result<Vec<Reply>, BadReply> {
        self.0.next().and_then(Reply::into_array).ok_or(BadReply("list"))
    }
}
