//! Values that are packed into one argument: an array of strings in `MessagePack`, which the server's Lua takes
//! apart in one step. A string of less than 32 bytes has one byte in front, a longer one five.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The first byte of an array whose length follows in four bytes.
const ARRAY: u8 = 0xdd;
/// The first byte of a string whose length follows in four bytes.
const STRING: u8 = 0xdb;
/// The first byte of an empty string; it has the length of a short one in its low bits.
const SHORT_STRING: u8 = 0xa0;
const SHORT_MAX: usize = 31;
/// The first byte of an empty array, as the library writes it, and most values of such a one.
const SHORT_ARRAY: u8 = 0x90;
const SHORT_ARRAY_MAX: u8 = 15;
/// The first byte of a string whose length follows in two bytes, and in one.
const STRING_16: u8 = 0xda;
const STRING_8: u8 = 0xd9;
const HEAD: usize = 5;

/// What is packed so far.
pub(crate) struct Packed {
    bytes: BytesMut,
    count: u32,
}

impl Default for Packed {
    fn default() -> Self {
        Self { bytes: BytesMut::zeroed(HEAD), count: 0 }
    }
}

impl Packed {
    pub(crate) fn push(&mut self, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        match u8::try_from(value.len()) {
            Ok(length) if value.len() <= SHORT_MAX => self.bytes.put_u8(SHORT_STRING | length),
            _ => {
                self.bytes.put_u8(STRING);
                // No argument of a command is as long as that.
                self.bytes.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
            }
        }
        self.bytes.extend_from_slice(value);
        self.count += 1;
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn freeze(mut self) -> Bytes {
        self.bytes[0] = ARRAY;
        self.bytes[1..HEAD].copy_from_slice(&self.count.to_be_bytes());
        self.bytes.freeze()
    }
}

/// The values that are packed in these bytes, here or by the library, which writes shorter heads; `None` when they are
/// not packed values.
pub(crate) fn unpacked(bytes: &Bytes) -> Option<Vec<Bytes>> {
    let (mut rest, mut values) = (bytes.clone(), Vec::new());
    let count = match take(&mut rest, 1)?[0] {
        ARRAY => take(&mut rest, 4)?.get_u32(),
        short => {
            u32::from(short.checked_sub(SHORT_ARRAY).filter(|count| *count <= SHORT_ARRAY_MAX)?)
        }
    };
    for _ in 0..count {
        let length = match take(&mut rest, 1)?[0] {
            STRING => usize::try_from(take(&mut rest, 4)?.get_u32()).ok()?,
            STRING_16 => usize::from(take(&mut rest, 2)?.get_u16()),
            STRING_8 => usize::from(take(&mut rest, 1)?.get_u8()),
            short => usize::from(short.checked_sub(SHORT_STRING)?),
        };
        values.push(take(&mut rest, length)?);
    }
    rest.is_empty().then_some(values)
}

fn take(rest: &mut Bytes, length: usize) -> Option<Bytes> {
    (rest.len() >= length).then(|| rest.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut packed = Packed::default();
        let (longest_short, shortest_long) = ([7; SHORT_MAX], [7; SHORT_MAX + 1]);
        let values: [&[u8]; 6] = [b"", b"1:2", b"\xff:", &longest_short, &shortest_long, b"a"];
        for value in values {
            packed.push(value);
        }
        let bytes = packed.freeze();

        assert_eq!(unpacked(&bytes).unwrap(), values);
        assert_eq!(unpacked(&Packed::default().freeze()).unwrap(), Vec::<Bytes>::new());
        for cut in 1..bytes.len() {
            assert_eq!(unpacked(&bytes.slice(..cut)), None);
            let _anything_but_a_panic = unpacked(&bytes.slice(cut..));
        }
    }
}
