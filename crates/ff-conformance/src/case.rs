//! Cases: what they are made of and how they fail.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;

use crate::fixture::Fixture;

/// One rule of the engine's documentation, as a test.
#[derive(Clone, Copy)]
pub struct Case {
    /// `<area>.<rule>`, as the documentation cites it.
    pub name: &'static str,
    /// The test.
    pub run: fn(Fixture) -> CaseFuture,
}

/// The run of a case.
pub type CaseFuture = Pin<Box<dyn Future<Output = CaseResult> + Send>>;

/// What a case says: the rule holds, or where it broke.
pub type CaseResult<T = ()> = Result<T, CaseError>;

/// An expectation that failed or a call that was refused, with the place in the case.
pub struct CaseError {
    message: String,
    location: &'static Location<'static>,
}

impl CaseError {
    /// A failure with this message at the caller's place.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), location: Location::caller() }
    }
}

impl<E: std::error::Error> From<E> for CaseError {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::new(format!("unexpected error: {error}"))
    }
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  at {}", self.message, self.location)
    }
}

impl fmt::Debug for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every case of the suite, by area.
pub fn cases() -> Vec<Case> {
    crate::cases::all()
}
