//! How the delay before a retry grows and how it is spread.

use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::ValueError;
use crate::limits::{
    BACKOFF_BASE_DEFAULT_MS, BACKOFF_CAP_DEFAULT_MS, BACKOFF_CAP_MAX_MS, BACKOFF_FACTOR_DEFAULT,
    BACKOFF_FACTOR_MAX,
};
use crate::text::text_enum;

/// How the delay before a retry grows.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// The same delay each time.
    Fixed {
        /// The delay: at most 30 days.
        delay_ms: u64,
    },
    /// `base_ms × factor^n` before the retry with index `n`, at most `cap_ms`.
    Exponential {
        /// The delay before the first retry: at most 30 days.
        base_ms: u64,
        /// The growth from one delay to the next: 1..=100.
        factor: u32,
        /// The longest delay: at most 30 days.
        cap_ms: u64,
    },
}

impl Backoff {
    /// Refuses a delay of more than 30 days and a factor outside 1..=100.
    pub fn validate(&self) -> Result<(), ValueError> {
        match *self {
            Self::Fixed { delay_ms } => {
                check::range("backoff_delay_ms", 0, BACKOFF_CAP_MAX_MS, delay_ms)
            }
            Self::Exponential { base_ms, factor, cap_ms } => {
                check::range("backoff_base_ms", 0, BACKOFF_CAP_MAX_MS, base_ms)?;
                check::range("backoff_factor", 1, BACKOFF_FACTOR_MAX.into(), factor.into())?;
                check::range("backoff_cap_ms", 0, BACKOFF_CAP_MAX_MS, cap_ms)
            }
        }
    }
}

impl Default for Backoff {
    /// 1 s, doubling, at most 1 min.
    fn default() -> Self {
        Self::Exponential {
            base_ms: BACKOFF_BASE_DEFAULT_MS,
            factor: BACKOFF_FACTOR_DEFAULT,
            cap_ms: BACKOFF_CAP_DEFAULT_MS,
        }
    }
}

text_enum! {
    /// How a retry delay is spread, so that what failed together does not come back together.
    #[non_exhaustive]
    #[derive(Default)]
    pub enum Jitter as "jitter", "none or full" {
        /// The delay as computed.
        None = "none",
        /// Anything between zero and the delay as computed.
        #[default]
        Full = "full",
    }
}
