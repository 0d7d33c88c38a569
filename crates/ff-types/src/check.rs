//! The comparisons behind every bound, so that each refusal reports its limit and its actual size
//! in the same way.

use crate::error::ValueError;

/// Refuses more than `limit` bytes.
pub(crate) fn bytes(field: &'static str, limit: usize, actual: usize) -> Result<(), ValueError> {
    if actual <= limit {
        return Ok(());
    }
    Err(ValueError::TooLong { field, limit: widen(limit), actual: widen(actual) })
}

/// Refuses more than `limit` items.
pub(crate) fn items(field: &'static str, limit: usize, actual: usize) -> Result<(), ValueError> {
    if actual <= limit {
        return Ok(());
    }
    Err(ValueError::TooMany { field, limit: widen(limit), actual: widen(actual) })
}

/// Refuses a number outside `min..=max`.
pub(crate) fn range(
    field: &'static str,
    min: u64,
    max: u64,
    actual: u64,
) -> Result<(), ValueError> {
    range_in("", field, min, max, actual)
}

/// Refuses a time outside `min..=max`, all in milliseconds, of a field whose name does not say so.
pub(crate) fn millis(
    field: &'static str,
    min: u64,
    max: u64,
    actual: u64,
) -> Result<(), ValueError> {
    range_in(" ms", field, min, max, actual)
}

fn range_in(
    unit: &'static str,
    field: &'static str,
    min: u64,
    max: u64,
    actual: u64,
) -> Result<(), ValueError> {
    if (min..=max).contains(&actual) {
        return Ok(());
    }
    Err(ValueError::OutOfRange {
        field,
        unit,
        min: narrow(min),
        max: narrow(max),
        actual: narrow(actual),
    })
}

/// Refuses text that is empty, longer than `limit` bytes, or holds a character `allowed` rejects.
pub(crate) fn text(
    field: &'static str,
    expected: &'static str,
    limit: usize,
    value: &str,
    allowed: impl Fn(char) -> bool,
) -> Result<(), ValueError> {
    bytes(field, limit, value.len())?;
    if value.is_empty() || !value.chars().all(allowed) {
        return Err(ValueError::Malformed { field, expected });
    }
    Ok(())
}

fn widen(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn narrow(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
