//! Values that are packed into one argument, each as `<length>:<bytes>`.

use bytes::{BufMut, Bytes, BytesMut};

/// What is packed so far.
#[derive(Default)]
pub(crate) struct Packed(BytesMut);

impl Packed {
    pub(crate) fn push(&mut self, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.0.extend_from_slice(value.len().to_string().as_bytes());
        self.0.put_u8(b':');
        self.0.extend_from_slice(value);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn freeze(self) -> Bytes {
        self.0.freeze()
    }
}

/// The values that are packed in these bytes; `None` when they are not packed values.
pub(crate) fn unpacked(bytes: &Bytes) -> Option<Vec<Bytes>> {
    let (mut values, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let digits = bytes[at..].iter().position(|byte| *byte == b':')?;
        let length: usize = std::str::from_utf8(&bytes[at..at + digits]).ok()?.parse().ok()?;
        let from = at + digits + 1;
        at = from.checked_add(length).filter(|end| *end <= bytes.len())?;
        values.push(bytes.slice(from..at));
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut packed = Packed::default();
        let values: [&[u8]; 4] = [b"", b"1:2", b"\xff:", b"a"];
        for value in values {
            packed.push(value);
        }
        let bytes = packed.freeze();

        assert_eq!(unpacked(&bytes).unwrap(), values);
        for cut in 1..bytes.len() {
            let _anything_but_a_panic = unpacked(&bytes.slice(cut..));
        }
    }
}
