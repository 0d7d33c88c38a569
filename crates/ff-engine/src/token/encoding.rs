//! The bytes that a token signs. Their layout is part of the token format: a change of it needs a
//! new label.

use ff_types::Namespace;
use ff_types::backend::WaitpointAddress;

/// What tells these bytes from anything else that one key might sign, and their version.
const LABEL: &[u8] = b"flowfabric.waitpoint.v1";

/// The message of a token: a label and the five signed values, each behind its length, so that no
/// two addresses have the same bytes.
pub fn signed_bytes(namespace: &Namespace, address: &WaitpointAddress) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    field(&mut out, LABEL);
    field(&mut out, namespace.as_str().as_bytes());
    field(&mut out, &address.execution_id.to_bytes());
    field(&mut out, &address.waitpoint_id.to_bytes());
    field(&mut out, address.key.as_str().as_bytes());
    field(&mut out, &address.expires_at.as_i64().to_be_bytes());
    out
}

fn field(out: &mut Vec<u8>, value: &[u8]) {
    let length = u32::try_from(value.len()).expect("names and ids are short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use ff_types::{ExecutionId, TimestampMs, WaitpointId, WaitpointKey};
    use proptest::prelude::*;

    use super::*;

    type Parts = (String, u128, u128, String, i64);

    fn bytes((namespace, execution, waitpoint, key, at): &Parts) -> Vec<u8> {
        let address = WaitpointAddress::new(
            ExecutionId::from_u128(*execution),
            WaitpointId::from_u128(*waitpoint),
            WaitpointKey::new(key.clone()).unwrap(),
            TimestampMs(*at),
        );
        signed_bytes(&Namespace::new(namespace.clone()).unwrap(), &address)
    }

    fn parts() -> impl Strategy<Value = Parts> {
        ("[a-b]{1,3}", 0_u128..3, 0_u128..3, "[a-b]{1,3}", -2_i64..3)
    }

    proptest! {
        #[test]
        fn no_two_addresses_have_the_same_bytes(a in parts(), b in parts()) {
            prop_assert_eq!(bytes(&a) == bytes(&b), a == b);
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let bytes = bytes(&("ns".to_owned(), 1, 2, "key".to_owned(), 3));

        let mut expected = Vec::new();
        for part in [
            &b"\0\0\0\x17flowfabric.waitpoint.v1"[..],
            b"\0\0\0\x02ns",
            b"\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
            b"\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02",
            b"\0\0\0\x03key",
            b"\0\0\0\x08\0\0\0\0\0\0\0\x03",
        ] {
            expected.extend_from_slice(part);
        }
        assert_eq!(bytes, expected);
    }
}
