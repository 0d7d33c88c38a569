//! Back-off in integers, with jitter from outside.

use ff_types::{AttemptIndex, Backoff, ExecutionId, Jitter, RetryPolicy};

/// How many bits of a jitter value count. With caps of at most 30 days every product stays below
/// 2^53, so that a store which counts in doubles computes the same delay.
pub const JITTER_BITS: u32 = 20;

/// The 20 bits by which attempts of different executions are spread.
///
/// The random part of the id, plus a multiple of the golden ratio for each attempt (a Weyl
/// sequence), modulo 2^20: evenly spread within one execution and independent between them, and
/// the same on every backend.
pub fn jitter_for(execution: ExecutionId, attempt: AttemptIndex) -> u32 {
    /// 2^20 divided by the golden ratio, made odd.
    const STEP: u128 = 648_055;
    let random = low_bits(execution.as_u128());
    let attempt = low_bits(u128::from(attempt.0));
    low_bits(u128::from(random) + u128::from(attempt) * STEP)
}

const MASK: u64 = (1 << JITTER_BITS) - 1;

fn low_bits(value: u128) -> u32 {
    u32::try_from(value & u128::from(MASK)).expect("20 bits fit into 32")
}

/// How long to wait before retry number `retry` (the first is 0), in ms.
///
/// Exponential: min(cap, base × factor^retry). Full jitter takes a uniform share of that, 0
/// included ("Exponential Backoff And Jitter", M. Brooker, 2015).
pub fn backoff_ms(policy: &RetryPolicy, retry: u32, jitter: u32) -> u64 {
    let longest = match policy.backoff {
        Backoff::Fixed { delay_ms } => delay_ms,
        Backoff::Exponential { base_ms, factor, cap_ms } => u64::from(factor)
            .checked_pow(retry)
            .and_then(|power| power.checked_mul(base_ms))
            .map_or(cap_ms, |ms| ms.min(cap_ms)),
        _ => 0,
    };
    match policy.jitter {
        Jitter::Full => {
            let share = u128::from(longest) * u128::from(u64::from(jitter) & MASK);
            u64::try_from(share >> JITTER_BITS).unwrap_or(longest)
        }
        _ => longest,
    }
}

#[cfg(test)]
mod tests {
    use ff_types::limits;
    use proptest::prelude::*;

    use super::*;

    fn exponential(jitter: Jitter) -> RetryPolicy {
        RetryPolicy::default().with_jitter(jitter)
    }

    #[test]
    fn without_jitter_it_doubles_to_the_cap() {
        let policy = exponential(Jitter::None);
        let waits: Vec<_> = (0..8).map(|retry| backoff_ms(&policy, retry, 0)).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(backoff_ms(&policy, u32::MAX, 0), 60_000);
    }

    #[test]
    fn jitter_spreads_over_the_whole_range() {
        let id = ExecutionId::from_parts(1, 0, 0, 0);
        let quarter = |attempt: u32| jitter_for(id, AttemptIndex(attempt)) >> (JITTER_BITS - 2);
        let mut hits = [0_u32; 4];
        (0..400).for_each(|attempt| hits[quarter(attempt) as usize] += 1);
        assert!(hits.iter().all(|hit| (90..=110).contains(hit)), "{hits:?}");
    }

    proptest! {
        #[test]
        fn a_jittered_wait_is_within_the_plain_one(retry in 0_u32..2_000, jitter: u32) {
            let wait = backoff_ms(&exponential(Jitter::Full), retry, jitter);
            prop_assert!(wait <= backoff_ms(&exponential(Jitter::None), retry, 0));
        }

        #[test]
        fn products_fit_a_double(jitter in 0..=MASK) {
            prop_assert!(limits::BACKOFF_CAP_MAX_MS * jitter < 1 << 53);
        }
    }
}
