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
