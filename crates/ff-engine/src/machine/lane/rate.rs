//! How many claims a rate allows: the generic cell rate algorithm (ITU-T I.371).
//!
//! A rate of one claim in each interval `T`, of which `B` may come at once, keeps one number: the
//! theoretical arrival time `A` of the next claim. At `t` there is room for
//! `floor((t + B * T - max(A, t)) / T)` claims, and `n` claims set `A` to `max(A, t) + n * T`. All of it is
//! in µs.

use ff_types::TimestampMs;

use crate::requests::Rate;

const US_PER_MS: u64 = 1_000;

/// `A` as it counts at `now`. A clock that stepped back waits no longer than after a full burst; who is told to
/// wait has to keep it.
pub(super) fn arrival_at(rate: &Rate, kept: u64, now: TimestampMs) -> u64 {
    arrival(rate, kept, in_us(now))
}

fn arrival(rate: &Rate, kept: u64, now_us: u64) -> u64 {
    kept.clamp(now_us, now_us + burst_us(rate))
}

fn burst_us(rate: &Rate) -> u64 {
    u64::from(rate.burst) * rate.interval_us()
}

fn in_us(now: TimestampMs) -> u64 {
    u64::try_from(now.as_i64()).unwrap_or(0) * US_PER_MS
}

/// How many claims there is room for.
pub(super) fn room(rate: &Rate, kept: u64, now: TimestampMs) -> u32 {
    let now_us = in_us(now);
    let left = now_us + burst_us(rate) - arrival(rate, kept, now_us);
    u32::try_from(left / rate.interval_us()).unwrap_or(u32::MAX)
}

/// `A` after one more claim.
pub(super) fn after_claim(rate: &Rate, kept: u64, now: TimestampMs) -> u64 {
    arrival(rate, kept, in_us(now)) + rate.interval_us()
}

/// When there is room for a claim, in whole ms.
pub(super) fn next_at(rate: &Rate, kept: u64, now: TimestampMs) -> TimestampMs {
    let at = arrival(rate, kept, in_us(now)) + rate.interval_us() - burst_us(rate);
    let at = TimestampMs(i64::try_from(at.div_ceil(US_PER_MS)).unwrap_or(i64::MAX));
    at.max(now)
}

/// The longest time that anybody has to wait, in whole ms.
pub(super) fn longest_ms(rate: &Rate) -> u64 {
    burst_us(rate).div_ceil(US_PER_MS)
}

/// Whether `A` says nothing any more.
pub(super) fn is_over(kept: u64, now: TimestampMs) -> bool {
    kept <= in_us(now)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_rate_is_passed_by_rounding() {
        let second = Duration::from_secs(1);
        for limit in [1, 3, 7, 700_000, 1_000_000] {
            let in_a_second = 1_000_000 / Rate::new(limit, second).interval_us();
            assert!(in_a_second <= u64::from(limit), "{in_a_second} of {limit}");
        }
    }

    #[test]
    fn a_burst_is_followed_by_one_claim_an_interval() {
        let rate = Rate::new(10, Duration::from_secs(1)).with_burst(3);
        let mut kept = 0;
        let start = TimestampMs(1_000_000);
        for left in [3, 2, 1] {
            assert_eq!(room(&rate, kept, start), left);
            kept = after_claim(&rate, kept, start);
        }
        assert_eq!(room(&rate, kept, start), 0);
        assert_eq!(next_at(&rate, kept, start), TimestampMs(1_000_100));
        assert_eq!(room(&rate, kept, TimestampMs(1_000_099)), 0);
        assert_eq!(room(&rate, kept, TimestampMs(1_000_100)), 1);
        assert_eq!(room(&rate, kept, TimestampMs(1_009_000)), 3);
    }

    #[test]
    fn a_clock_that_steps_back_waits_no_longer_than_after_a_burst() {
        let rate = Rate::new(1, Duration::from_secs(1));
        let kept = after_claim(&rate, 0, TimestampMs(10_000_000));

        assert_eq!(next_at(&rate, kept, TimestampMs(5_000)), TimestampMs(6_000));
    }
}
