//! Layers that make a network of a function call: one loses, repeats and delays, the other bears it.

use std::sync::Arc;

use ff_engine::{EngineBackend, EngineError, Entropy, SeededEntropy, UnavailableKind};

use crate::layer::{Call, forward_roles};

/// How often a [`Patient`] caller repeats before it gives up. Far beyond bad luck: only a backend
/// that never answers gets there.
const REPEATS_MAX: u32 = 1_000;
/// The most often a delayed call lets others go first.
const YIELDS_MAX: u64 = 16;

/// Which calls go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// Fixes the sequence of faults.
    pub seed: u64,
    /// How many calls in a hundred are hit.
    pub percent: u8,
}

impl FaultPlan {
    /// Hits `percent` of the calls, in a sequence that `seed` fixes.
    pub const fn new(seed: u64, percent: u8) -> Self {
        Self { seed, percent }
    }
}

/// Loses, repeats and delays calls by plan.
///
/// A lost call answers [`EngineError::Unavailable`], as a connection that broke does, and the
/// caller cannot tell whether it had its effect.
pub struct Faulty {
    inner: Arc<dyn EngineBackend>,
    percent: u64,
    dice: SeededEntropy,
}

enum Fault {
    RequestLost,
    ReplyLost,
    MadeTwice,
    Delayed { yields: u64 },
}

impl Faulty {
    /// Puts the faults of `plan` in front of `inner`.
    pub fn new(inner: Arc<dyn EngineBackend>, plan: FaultPlan) -> Self {
        Self { inner, percent: plan.percent.into(), dice: SeededEntropy::new(plan.seed) }
    }

    fn draw(&self) -> Option<Fault> {
        let roll = self.dice.next_u64();
        let (chance, kind, yields) = (roll % 100, (roll >> 16) % 4, (roll >> 32) % YIELDS_MAX);
        if chance >= self.percent {
            return None;
        }
        Some(match kind {
            0 => Fault::RequestLost,
            1 => Fault::ReplyLost,
            2 => Fault::MadeTwice,
            _ => Fault::Delayed { yields: yields + 1 },
        })
    }

    async fn around<T>(&self, verb: &'static str, call: Call<'_, T>) -> Result<T, EngineError> {
        let lost = || EngineError::Unavailable {
            kind: UnavailableKind::Unreachable,
            operation: verb,
            source: None,
        };
        match self.draw() {
            None => call().await,
            Some(Fault::RequestLost) => Err(lost()),
            Some(Fault::ReplyLost) => {
                drop(call().await);
                Err(lost())
            }
            Some(Fault::MadeTwice) => {
                drop(call().await);
                call().await
            }
            Some(Fault::Delayed { yields }) => {
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
                call().await
            }
        }
    }
}

forward_roles!(Faulty);

/// Repeats a call with the same arguments until it is answered.
pub struct Patient {
    inner: Arc<dyn EngineBackend>,
}

impl Patient {
    /// Repeats the calls to `inner`.
    pub fn new(inner: Arc<dyn EngineBackend>) -> Self {
        Self { inner }
    }

    async fn around<T>(&self, _verb: &'static str, call: Call<'_, T>) -> Result<T, EngineError> {
        let mut repeats = 0;
        loop {
            match call().await {
                Err(error) if error.is_retryable() && repeats < REPEATS_MAX => repeats += 1,
                answer => return answer,
            }
            tokio::task::yield_now().await;
        }
    }
}

forward_roles!(Patient);
