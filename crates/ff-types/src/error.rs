//! The one error of this crate: a value that does not fit its type.
//!
//! It names the field and the bound, never the value, so that it may be logged and sent to any
//! caller as it is.

/// A value that its type refuses.
///
/// Every variant names the field and what would have been accepted. None carries the refused
/// value: it may be a token, a password or a payload.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The value has the wrong shape.
    #[error("{field}: expected {expected}")]
    Malformed {
        /// The field that was refused.
        field: &'static str,
        /// The accepted shape, in words.
        expected: &'static str,
    },
    /// The value has too many bytes.
    #[error("{field}: {actual} bytes, at most {limit} are allowed")]
    TooLong {
        /// The field that was refused.
        field: &'static str,
        /// The most bytes accepted.
        limit: u64,
        /// The bytes given.
        actual: u64,
    },
    /// The value has too many items.
    #[error("{field}: {actual} items, at most {limit} are allowed")]
    TooMany {
        /// The field that was refused.
        field: &'static str,
        /// The most items accepted.
        limit: u64,
        /// The items given.
        actual: u64,
    },
    /// The number lies outside its range. A number that does not fit an `i64` is given as the
    /// nearest one that does.
    #[error("{field}: {actual}{unit} is outside {min}..={max}{unit}")]
    OutOfRange {
        /// The field that was refused.
        field: &'static str,
        /// What is counted, behind a space, such as ` ms`; empty where the field says it.
        unit: &'static str,
        /// The smallest number accepted.
        min: i64,
        /// The largest number accepted.
        max: i64,
        /// The number given.
        actual: i64,
    },
}

impl ValueError {
    /// The field that was refused, in `snake_case`.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Malformed { field, .. }
            | Self::TooLong { field, .. }
            | Self::TooMany { field, .. }
            | Self::OutOfRange { field, .. } => field,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_field_and_the_bound() {
        let cases = [
            (
                ValueError::Malformed { field: "lane", expected: "1..=64 printable ASCII bytes" },
                "lane: expected 1..=64 printable ASCII bytes",
            ),
            (
                ValueError::TooLong { field: "payload", limit: 4, actual: 9 },
                "payload: 9 bytes, at most 4 are allowed",
            ),
            (
                ValueError::TooMany { field: "tags", limit: 16, actual: 17 },
                "tags: 17 items, at most 16 are allowed",
            ),
            (
                ValueError::OutOfRange {
                    field: "priority",
                    unit: "",
                    min: -100,
                    max: 100,
                    actual: 101,
                },
                "priority: 101 is outside -100..=100",
            ),
            (
                ValueError::OutOfRange {
                    field: "retention",
                    unit: " ms",
                    min: 0,
                    max: 9,
                    actual: 10,
                },
                "retention: 10 ms is outside 0..=9 ms",
            ),
        ];

        for (error, message) in cases {
            assert_eq!(error.to_string(), message);
            assert!(message.starts_with(error.field()));
        }
    }
}
