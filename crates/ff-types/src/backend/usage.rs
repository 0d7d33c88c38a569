//! Usage: what an attempt consumed, to be counted against budgets.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::ValueError;
use crate::limits::{DEDUP_KEY_MAX_BYTES, USAGE_CUSTOM_DIMENSIONS_MAX, USAGE_DIMENSION_MAX_BYTES};

/// The names of the built-in dimensions, which a custom one cannot take.
const BUILT_IN: [&str; 3] = ["input_tokens", "output_tokens", "wall_ms"];

/// What an attempt consumed since its last report. All of it is counted or none.
///
/// `Debug` shows the length of the deduplication key, as keys often hold what callers call secret.
///
/// ```
/// use ff_types::backend::UsageDimensions;
///
/// let usage = UsageDimensions::new()
///     .with_input_tokens(1_200)
///     .with_custom("pages", 3)
///     .with_dedup_key("step-7");
/// assert_eq!(usage.validate(), Ok(()));
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct UsageDimensions {
    /// Tokens read by a model.
    pub input_tokens: u64,
    /// Tokens written by a model.
    pub output_tokens: u64,
    /// Elapsed time in milliseconds.
    pub wall_ms: Option<u64>,
    /// The application's own dimensions: at most 16, each named by 1..=64 printable ASCII bytes
    /// without space, and not like a built-in one.
    #[serde(default)]
    pub custom: BTreeMap<String, u64>,
    /// A report with a key already seen is not counted again: 1..=256 bytes without control
    /// characters.
    pub dedup_key: Option<String>,
}

impl UsageDimensions {
    /// Nothing consumed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the tokens read by a model.
    #[must_use]
    pub const fn with_input_tokens(mut self, input_tokens: u64) -> Self {
        self.input_tokens = input_tokens;
        self
    }

    /// Sets the tokens written by a model.
    #[must_use]
    pub const fn with_output_tokens(mut self, output_tokens: u64) -> Self {
        self.output_tokens = output_tokens;
        self
    }

    /// Sets the elapsed time in milliseconds.
    #[must_use]
    pub const fn with_wall_ms(mut self, wall_ms: u64) -> Self {
        self.wall_ms = Some(wall_ms);
        self
    }

    /// Sets one dimension of the application.
    #[must_use]
    pub fn with_custom(mut self, dimension: impl Into<String>, amount: u64) -> Self {
        self.custom.insert(dimension.into(), amount);
        self
    }

    /// Makes the report count once.
    #[must_use]
    pub fn with_dedup_key(mut self, dedup_key: impl Into<String>) -> Self {
        self.dedup_key = Some(dedup_key.into());
        self
    }

    /// What was consumed by dimension, without those of which there was nothing.
    pub fn amounts(&self) -> BTreeMap<String, u64> {
        let built_in = [self.input_tokens, self.output_tokens, self.wall_ms.unwrap_or(0)];
        let named = BUILT_IN.into_iter().map(str::to_owned).zip(built_in);
        let custom = self.custom.iter().map(|(name, amount)| (name.clone(), *amount));
        named.chain(custom).filter(|(_, amount)| *amount > 0).collect()
    }

    /// Refuses whatever lies outside the bounds stated at the fields.
    pub fn validate(&self) -> Result<(), ValueError> {
        check::items("usage_dimensions", USAGE_CUSTOM_DIMENSIONS_MAX, self.custom.len())?;
        for dimension in self.custom.keys() {
            check::text(
                "usage_dimension",
                "1..=64 printable ASCII bytes without space",
                USAGE_DIMENSION_MAX_BYTES,
                dimension,
                |c| c.is_ascii_graphic(),
            )?;
            if BUILT_IN.contains(&dimension.as_str()) {
                return Err(ValueError::Malformed {
                    field: "usage_dimension",
                    expected: "a name unlike the built-in dimensions",
                });
            }
        }
        match &self.dedup_key {
            Some(dedup_key) => check::text(
                "dedup_key",
                "1..=256 bytes without control characters",
                DEDUP_KEY_MAX_BYTES,
                dedup_key,
                |c| !c.is_control(),
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for UsageDimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsageDimensions")
            .field("input_tokens", &self.input_tokens)
            .field("output_tokens", &self.output_tokens)
            .field("wall_ms", &self.wall_ms)
            .field("custom", &self.custom)
            .field("dedup_key_len", &self.dedup_key.as_ref().map(String::len))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_enforced() {
        let usage = UsageDimensions::new;
        let seventeen = (0..17).fold(usage(), |u, i| u.with_custom(format!("d{i}"), 1));
        let cases = [
            (seventeen, "usage_dimensions"),
            (usage().with_custom("", 1), "usage_dimension"),
            (usage().with_custom("a b", 1), "usage_dimension"),
            (usage().with_custom("x".repeat(65), 1), "usage_dimension"),
            (usage().with_custom("wall_ms", 1), "usage_dimension"),
            (usage().with_dedup_key(""), "dedup_key"),
            (usage().with_dedup_key("x".repeat(257)), "dedup_key"),
        ];

        for (usage, field) in cases {
            assert_eq!(usage.validate().unwrap_err().field(), field);
        }
    }

    #[test]
    fn usage_survives_json() {
        let usage = UsageDimensions::new()
            .with_input_tokens(u64::MAX)
            .with_output_tokens(2)
            .with_wall_ms(3)
            .with_custom("pages", 4)
            .with_dedup_key("once");

        let json = serde_json::to_string(&usage).unwrap();

        assert_eq!(serde_json::from_str::<UsageDimensions>(&json).unwrap(), usage);
        assert!(serde_json::from_str::<UsageDimensions>(r#"{"output_tokens":1}"#).is_err());
    }
}
