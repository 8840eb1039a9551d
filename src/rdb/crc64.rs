//! The checksum of a payload: CRC-64 with the polynomial of Jones, reflected, without inversions.
//!
//! Sixteen tables let one step take in sixteen bytes: table `n` has the effect that a byte has after `n` more bytes.
//! The crate `crc` does the same at the same speed. So it is written here, where it is short.

const POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();

/// Number of tables, and bytes of a step.
const TABLES_LEN: usize = 16;

static TABLES: [[u64; 256]; TABLES_LEN] = tables();

const fn tables() -> [[u64; 256]; TABLES_LEN] {
    let mut tables = [[0; 256]; TABLES_LEN];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut nth = 1;
    while nth < TABLES_LEN {
        byte = 0;
        while byte < 256 {
            let before = tables[nth - 1][byte];
            tables[nth][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        nth += 1;
    }
    tables
}

/// The checksum of `bytes`.
pub(super) fn crc64(bytes: &[u8]) -> u64 {
    let (chunks, tail) = bytes.as_chunks::<TABLES_LEN>();
    let mut crc = 0_u64;
    for chunk in chunks {
        let mixed = (u128::from_le_bytes(*chunk) ^ u128::from(crc)).to_le_bytes();
        crc = 0;
        for (nth, byte) in mixed.iter().enumerate() {
            crc ^= TABLES[TABLES_LEN - 1 - nth][usize::from(*byte)];
        }
    }
    for byte in tail {
        crc = TABLES[0][usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_text_has_the_known_checksum() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn sixteen_bytes_at_a_time_and_one_at_a_time_agree() {
        let bytes: Vec<u8> = (0..1000_u32).map(|n| ((n * n) >> 3) as u8).collect();
        for len in (0..40).chain([999, 1000]) {
            let slow = bytes[..len]
                .iter()
                .fold(0_u64, |crc, byte| TABLES[0][usize::from(crc as u8 ^ byte)] ^ (crc >> 8));
            assert_eq!(crc64(&bytes[..len]), slow, "{len} bytes");
        }
    }
}
