//! What cases are written with: their list, and what they expect.

use std::fmt;

use ff_engine::EngineError;

pub(crate) use crate::case::{Case, CaseError, CaseResult};

/// Lists the cases of an area: `cases!["area": rule_a, rule_b]`.
macro_rules! cases {
    [$area:literal: $($rule:ident),+ $(,)?] => {
        [$($crate::case::Case {
            name: concat!($area, ".", stringify!($rule)),
            run: |fx| Box::pin($rule(fx)),
        }),+]
    };
}

/// Fails the case unless the condition holds; the rest is the message.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::case::CaseError::new(format!($($message)+)));
        }
    };
}

/// Fails the case unless both sides are equal; what follows says what is compared.
macro_rules! ensure_eq {
    ($actual:expr, $expected:expr) => {
        $crate::expect::ensure_eq!($actual, $expected, stringify!($actual))
    };
    ($actual:expr, $expected:expr, $($what:tt)+) => {
        match (&$actual, &$expected) {
            (actual, expected) => {
                if *actual != *expected {
                    return Err($crate::case::CaseError::new(format!(
                        "{}: is {actual:?}, expected {expected:?}",
                        format_args!($($what)+)
                    )));
                }
            }
        }
    };
}

pub(crate) use {cases, ensure, ensure_eq};

/// The error of a refused call.
#[track_caller]
pub(crate) fn refused<T: fmt::Debug>(result: Result<T, EngineError>) -> CaseResult<EngineError> {
    match result {
        Ok(answer) => Err(CaseError::new(format!("accepted, answering {answer:?}"))),
        Err(error) => Ok(error),
    }
}

/// The call was refused with this code.
#[track_caller]
pub(crate) fn assert_code<T: fmt::Debug>(result: Result<T, EngineError>, code: &str) -> CaseResult {
    let error = refused(result)?;
    if error.code() == code {
        return Ok(());
    }
    Err(CaseError::new(format!("refused as {} ({error}), expected {code}", error.code())))
}

/// The call was refused by the state of the execution, with this code.
#[track_caller]
pub(crate) fn assert_state<T: fmt::Debug>(
    result: Result<T, EngineError>,
    code: &str,
) -> CaseResult {
    let error = refused(result)?;
    if error.state_kind().is_some() && error.code() == code {
        return Ok(());
    }
    Err(CaseError::new(format!("refused as {} ({error}), expected {code}", error.code())))
}

/// The call was refused because a value is malformed or out of range, and the error names `field`.
#[track_caller]
pub(crate) fn assert_invalid<T: fmt::Debug>(
    result: Result<T, EngineError>,
    field: &str,
) -> CaseResult {
    match refused(result)? {
        EngineError::Validation { field: named, .. } if named == field => Ok(()),
        other => Err(CaseError::new(format!("refused as {other:?}, expected a bad {field}"))),
    }
}

/// The call was refused because a value is too large; limit and actual size are in the error.
#[track_caller]
pub(crate) fn assert_too_large<T: fmt::Debug>(
    result: Result<T, EngineError>,
    expected_limit: usize,
    expected_actual: usize,
) -> CaseResult {
    match refused(result)? {
        EngineError::LimitExceeded { limit, actual, .. }
            if limit == expected_limit as u64 && actual == expected_actual as u64 =>
        {
            Ok(())
        }
        other => Err(CaseError::new(format!(
            "refused as {other:?}, expected {expected_actual} over the limit {expected_limit}"
        ))),
    }
}
