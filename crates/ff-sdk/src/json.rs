//! Values as JSON payloads.
//!
//! `null` travels as no payload, so that a handler that returns nothing stores nothing.

use std::any::type_name;

use ff_engine::EngineError;
use ff_types::Payload;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

const NULL: &[u8] = b"null";

/// Bytes that are not the JSON form of the type they were read as.
///
/// The message names the type and the place, never the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {expected}: {problem} at line {line} column {column}")]
#[non_exhaustive]
pub struct DecodeError {
    /// The Rust type that was asked for.
    pub expected: &'static str,
    /// What kind of problem it is.
    pub problem: &'static str,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

/// Reads a payload; none is read as `null`.
pub(crate) fn decode<T: DeserializeOwned>(payload: Option<&Payload>) -> Result<T, DecodeError> {
    decode_bytes(payload.map(|payload| payload.bytes().as_ref()))
}

/// Reads the bytes of a payload; none are read as `null`.
pub(crate) fn decode_bytes<T: DeserializeOwned>(bytes: Option<&[u8]>) -> Result<T, DecodeError> {
    let bytes = bytes.filter(|bytes| !bytes.is_empty()).unwrap_or(NULL);
    serde_json::from_slice(bytes).map_err(|error| DecodeError {
        expected: type_name::<T>(),
        problem: match error.classify() {
            Category::Data if bytes == NULL => "there is no value",
            Category::Data => "the JSON has another shape",
            Category::Eof => "the JSON ends early",
            Category::Syntax | Category::Io => "the bytes are not JSON",
        },
        line: error.line(),
        column: error.column(),
    })
}

/// Writes a value; `null` becomes no payload.
pub(crate) fn encode<T: Serialize + ?Sized>(
    field: &'static str,
    value: &T,
) -> Result<Option<Payload>, EngineError> {
    let bytes = bytes_of(value).map_err(|problem| EngineError::validation(field, problem))?;
    Ok((bytes != NULL).then(|| Payload::json(bytes)))
}

/// Writes a value, whatever it is, or says what is wrong with its type.
pub(crate) fn bytes_of<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|_| {
        let expected = "JSON has no form for it; map keys, for one, must be strings";
        format!("cannot be a {}: {expected}", type_name::<T>())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_no_payload() {
        assert_eq!(encode("result", &()).unwrap(), None);
        assert_eq!(encode("result", &None::<u8>).unwrap(), None);
        assert_eq!(decode::<Option<u8>>(None), Ok(None));
        assert_eq!(decode::<()>(Some(&Payload::default())), Ok(()));
    }

    #[test]
    fn a_refusal_shows_the_place_and_not_the_content() {
        let payload = Payload::json(r#""secret""#);

        let refused = decode::<u32>(Some(&payload)).unwrap_err().to_string();

        assert_eq!(refused, "not a u32: the JSON has another shape at line 1 column 8");
    }
}
