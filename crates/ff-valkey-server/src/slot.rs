//! Which hash slot of a cluster a key belongs to.

/// How many hash slots a cluster has.
pub const SLOTS: u16 = 16_384;

/// The slot of `key`: CRC16 of the key, or of its hash tag where it has one, modulo [`SLOTS`].
///
/// ```
/// use ff_valkey_server::slot_of;
///
/// assert_eq!(slot_of(b"{queue}:a"), slot_of(b"queue"));
/// ```
pub fn slot_of(key: &[u8]) -> u16 {
    crc16(hash_tag(key).unwrap_or(key)) % SLOTS
}

/// What is between the first `{` and the first `}` after it, unless that is nothing.
fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|&byte| byte == b'{')?;
    let rest = &key[open + 1..];
    let close = rest.iter().position(|&byte| byte == b'}')?;
    (close > 0).then(|| &rest[..close])
}

/// CRC16/XMODEM: polynomial 0x1021, starting at zero, nothing reflected.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc: u16, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc16_xmodem() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot_of(b"123456789"), 12_739);
    }

    #[test]
    fn only_the_first_hash_tag_that_is_not_empty_counts() {
        assert_eq!(slot_of(b"{user}:a{other}"), slot_of(b"user"));
        assert_eq!(slot_of(b"a{{tag}}"), slot_of(b"{tag"));
        assert_eq!(slot_of(b"{}a"), crc16(b"{}a") % SLOTS);
        assert_eq!(slot_of(b"{}{user}"), crc16(b"{}{user}") % SLOTS);
        assert_eq!(slot_of(b"{user"), crc16(b"{user") % SLOTS);
    }
}
