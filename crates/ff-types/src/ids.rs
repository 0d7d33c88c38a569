//! Ids: 128 bits, ordered by creation, written as 32 lowercase hex digits.
//!
//! From the top: 48 bits of Unix milliseconds, 16 bits of sequence that order the ids one generator
//! makes within a millisecond, 16 neutral bits that let a backend keep related records together,
//! and 48 random bits. Text order is creation order. Ids name things, not places: nobody but a
//! backend reads meaning into their bits.
//!
//! Nothing here reads a clock or draws a random number; ids are put together from parts that the
//! caller brings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ValueError;
use crate::limits::TIMESTAMP_MAX_MS;
use crate::text;
use crate::types::TimestampMs;

const TEXT_DIGITS: usize = 32;
const UNIX_MS_SHIFT: u32 = 80;
const SEQUENCE_SHIFT: u32 = 64;
const SHARD_SHIFT: u32 = 48;
const UNIX_MS_MASK: u128 = (1 << 48) - 1;
const SHARD_MASK: u128 = 0xffff << SHARD_SHIFT;
const RANDOM_MASK: u128 = (1 << 48) - 1;
/// The bits a request leaves free for the leases and grants it is answered with.
const REQUEST_INDEX_MASK: u128 = 0xffff;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $field:literal) => {
        id!($(#[$meta])* $name, $field, "32 lowercase hex digits", u128::MAX);
    };
    ($(#[$meta:meta])* $name:ident, $field:literal, $expected:literal, $mask:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// Puts an id together. Bits beyond 48 of `unix_ms` and of `random` are dropped.
            pub const fn from_parts(
                unix_ms: u64,
                sequence: u16,
                shard: u16,
                random: u64,
            ) -> Self {
                Self::from_u128(
                    ((unix_ms as u128 & UNIX_MS_MASK) << UNIX_MS_SHIFT)
                        | ((sequence as u128) << SEQUENCE_SHIFT)
                        | ((shard as u128) << SHARD_SHIFT)
                        | (random as u128 & RANDOM_MASK),
                )
            }

            /// The id with these bits.
            pub const fn from_u128(bits: u128) -> Self {
                Self(bits & $mask)
            }

            /// All bits, the most significant ones oldest first.
            pub const fn as_u128(self) -> u128 {
                self.0
            }

            /// The id with these big-endian bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self::from_u128(u128::from_be_bytes(bytes))
            }

            /// Big-endian bytes; their order is creation order.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }

            /// The neutral bits by which a backend keeps related records together. They mean
            /// nothing to anyone else.
            #[allow(clippy::cast_possible_truncation, reason = "the shift leaves 16 bits on top")]
            pub const fn shard(self) -> u16 {
                ((self.0 & SHARD_MASK) >> SHARD_SHIFT) as u16
            }

            /// The same id with other neutral bits.
            #[must_use]
            pub const fn with_shard(self, shard: u16) -> Self {
                Self((self.0 & !SHARD_MASK) | ((shard as u128) << SHARD_SHIFT))
            }

            /// When the id was made, by its maker's clock.
            #[allow(clippy::cast_possible_truncation, reason = "48 bits fit an i64")]
            pub const fn created_at(self) -> TimestampMs {
                let unix_ms = (self.0 >> UNIX_MS_SHIFT) as i64;
                if unix_ms > TIMESTAMP_MAX_MS {
                    return TimestampMs(TIMESTAMP_MAX_MS);
                }
                TimestampMs(unix_ms)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:032x})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            /// Accepts exactly what `Display` writes, so that one id has one text.
            fn from_str(text: &str) -> Result<Self, ValueError> {
                parse_hex(text)
                    .filter(|bits| Self::from_u128(*bits).0 == *bits)
                    .map(Self)
                    .ok_or(ValueError::Malformed { field: $field, expected: $expected })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::deserialize(deserializer, $expected)
            }
        }
    };
}

fn parse_hex(text: &str) -> Option<u128> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != TEXT_DIGITS || !text.as_bytes().iter().all(is_digit) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

id! {
    /// Names an execution.
    ///
    /// ```
    /// use ff_types::ExecutionId;
    ///
    /// let id = ExecutionId::from_parts(1_700_000_000_000, 1, 0, 42);
    /// assert_eq!(id.to_string(), "018bcfe568000001000000000000002a");
    /// assert_eq!(id.to_string().parse::<ExecutionId>()?, id);
    /// # Ok::<(), ff_types::ValueError>(())
    /// ```
    ExecutionId, "execution_id"
}
id! {
    /// Names a flow.
    FlowId, "flow_id"
}
id! {
    /// Names a waitpoint.
    WaitpointId, "waitpoint_id"
}
id! {
    /// Names a delivered signal.
    SignalId, "signal_id"
}
id! {
    /// Names a budget.
    BudgetId, "budget_id"
}
id! {
    /// Names a schedule.
    ScheduleId, "schedule_id"
}
id! {
    /// Names a worker: the same over restarts of its process.
    WorkerId, "worker_id"
}
id! {
    /// Names one running process of a worker.
    WorkerInstanceId, "worker_instance_id"
}
id! {
    /// Names one call, so that its repetition after a lost reply is recognised.
    ///
    /// Its low 16 bits are zero, so that a backend can derive up to 65,536 lease or grant ids of
    /// one request and derives the same ones when the request is repeated. Constructors clear these
    /// bits; text that has them set is refused.
    RequestId, "request_id", "32 lowercase hex digits of which the last four are zero",
    !REQUEST_INDEX_MASK
}
id! {
    /// Names one lease: the random part of its fence.
    LeaseId, "lease_id"
}
id! {
    /// Names one reclaim grant.
    GrantId, "grant_id"
}

impl RequestId {
    /// The id of the lease with this index among those that answer the request.
    pub const fn lease(self, index: u16) -> LeaseId {
        LeaseId(self.0 | index as u128)
    }

    /// The id of the grant with this index among those that answer the request.
    pub const fn grant(self, index: u16) -> GrantId {
        GrantId(self.0 | index as u128)
    }
}

impl FlowId {
    /// The id of the execution that is the flow's node with this index, counted from 0.
    ///
    /// It has the time, the neutral bits and the randomness of the flow, and the index for a sequence:
    /// whoever knows the flow knows its members, and nobody has to store how they are found. The low 20
    /// bits are moved on by a multiple of 2^20 divided by the golden ratio for each node, because jitter
    /// is taken from them.
    pub const fn member(self, index: u16) -> ExecutionId {
        const SEQUENCE_MASK: u128 = 0xffff << SEQUENCE_SHIFT;
        const LOW_MASK: u128 = (1 << 20) - 1;
        const STEP: u128 = 648_055;
        let low = ((self.0 & LOW_MASK) + index as u128 * STEP) & LOW_MASK;
        let kept = self.0 & !SEQUENCE_MASK & !LOW_MASK;
        ExecutionId(kept | ((index as u128) << SEQUENCE_SHIFT) | low)
    }
}

impl GrantId {
    /// The id of the lease the grant turns into: the same 128 bits, as a grant is used once.
    pub const fn lease(self) -> LeaseId {
        LeaseId(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_land_where_the_layout_says() {
        let id = ExecutionId::from_parts(0x0123_4567_89ab, 0xcdef, 0x1122, 0x3344_5566_7788);

        assert_eq!(id.to_string(), "0123456789abcdef1122334455667788");
        assert_eq!(format!("{id:?}"), "ExecutionId(0123456789abcdef1122334455667788)");
        assert_eq!(id.shard(), 0x1122);
        assert_eq!(id.with_shard(0xffff).to_string(), "0123456789abcdefffff334455667788");
        assert_eq!(id.created_at(), TimestampMs(0x0123_4567_89ab));
        assert_eq!(ExecutionId::from_bytes(id.to_bytes()), id);
        assert_eq!(ExecutionId::from_u128(id.as_u128()), id);
    }

    #[test]
    fn extra_bits_are_masked() {
        let id = FlowId::from_parts(u64::MAX, 0, 0, u64::MAX);

        assert_eq!(id.to_string(), "ffffffffffff00000000ffffffffffff");
        assert_eq!(id.created_at(), TimestampMs::MAX);
    }

    #[test]
    fn only_the_canonical_text_is_read() {
        for bad in [
            "",
            "0",
            "0123456789ABCDEF1122334455667788",
            "+123456789abcdef1122334455667788",
            "0123456789abcdef11223344556677880",
            "0123456789abcdef112233445566778g",
            "01234567-89ab-cdef-1122-334455667788",
            "éééééééééééééééé",
        ] {
            assert_eq!(
                bad.parse::<ExecutionId>(),
                Err(ValueError::Malformed {
                    field: "execution_id",
                    expected: "32 lowercase hex digits"
                })
            );
        }
    }

    #[test]
    fn members_of_a_flow_follow_from_it_and_have_ids_of_their_own() {
        let flow = FlowId::from_parts(1_700_000_000_000, 7, 0x1122, 0xffff_ffff_ffff);
        let members: Vec<_> = (0..=u16::MAX).map(|index| flow.member(index)).collect();

        assert!(members.is_sorted_by(|one, next| one < next));
        assert!(members.iter().all(|member| member.shard() == flow.shard()));
        assert_eq!(flow.member(0).to_string(), "018bcfe5680000001122ffffffffffff");
        assert_eq!(flow.member(1).to_string(), "018bcfe5680000011122fffffff9e376");
        assert_eq!(flow.member(258).to_string(), "018bcfe5680001021122fffffff73ded");
    }

    #[test]
    fn a_request_leaves_room_for_what_it_is_answered_with() {
        let request = RequestId::from_parts(1, 2, 3, u64::MAX);

        assert_eq!(request.to_string(), "00000000000100020003ffffffff0000");
        assert_eq!(request.lease(0xabcd).to_string(), "00000000000100020003ffffffffabcd");
        assert_eq!(request.grant(7).lease(), request.lease(7));
        assert_eq!(RequestId::from_u128(u128::MAX).as_u128() & 0xffff, 0);
        assert!("00000000000100020003ffffffff0001".parse::<RequestId>().is_err());
    }
}
