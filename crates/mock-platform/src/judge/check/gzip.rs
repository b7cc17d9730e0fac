//! Gzip (RFC 1952), with the same bytes on every machine, whatever compressor there is.

const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The longest match there is, by RFC 1951 §3.2.5.
const MATCH: u64 = 258;

/// A member of stored blocks.
pub(super) fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut member = HEADER.to_vec();
    store(bytes, true, &mut member);
    finish(member, Checksum::of(bytes))
}

/// A member of `bytes` and then at least so many spaces, which take up a thousandth of that.
pub(super) fn and_spaces(bytes: &[u8], spaces: u64) -> Vec<u8> {
    let matches = spaces.div_ceil(MATCH);
    let mut member = HEADER.to_vec();
    store(bytes, false, &mut member);
    let mut bits = Bits::default();
    // The last block, with codes of its own: 1 bit for the longest match, 2 for a space and for the end.
    bits.number(1, 1);
    bits.number(2, 2);
    bits.number(286 - 257, 5);
    bits.number(0, 5);
    // The lengths of the codes of code lengths, in their odd order up to that of 1: 18 has 1 bit, 1 and 2 have 2.
    bits.number(18 - 4, 4);
    for length in [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2] {
        bits.number(length, 3);
    }
    // 32 symbols that do not occur; the space; 223 that do not; the end; 28 that do not; the longest match.
    let (zeros, one, two) = ("0", "10", "11");
    for (code, more) in [
        (zeros, Some(32)),
        (two, None),
        (zeros, Some(138)),
        (zeros, Some(85)),
        (two, None),
        (zeros, Some(28)),
    ] {
        bits.code(code);
        if let Some(count) = more {
            bits.number(count - 11, 7);
        }
    }
    bits.code(one);
    // Of distances there is one.
    bits.code(one);
    bits.code("10");
    // A match is two zeros: its code, and that of its distance.
    for _ in 0..matches {
        bits.code("00");
    }
    bits.code("11");
    member.extend(bits.bytes());
    finish(member, Checksum::of(bytes).and(&Checksum::of(b" ").times(matches * MATCH + 1)))
}

fn store(bytes: &[u8], is_last: bool, member: &mut Vec<u8>) {
    const LONGEST_BLOCK: usize = 0xffff;
    let mut blocks = bytes.chunks(LONGEST_BLOCK).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        member.push(u8::from(is_last && blocks.peek().is_none()));
        member.extend_from_slice(&length.to_le_bytes());
        member.extend_from_slice(&(!length).to_le_bytes());
        member.extend_from_slice(block);
    }
}

fn finish(mut member: Vec<u8>, checksum: Checksum) -> Vec<u8> {
    member.extend_from_slice(&checksum.crc.to_le_bytes());
    // By the RFC, the length modulo 2^32.
    member.extend_from_slice(&((checksum.length & 0xffff_ffff) as u32).to_le_bytes());
    member
}

/// Bits, filled into bytes from the lowest (RFC 1951 §3.1.1).
#[derive(Default)]
struct Bits {
    whole: Vec<u8>,
    last: u8,
    count: u32,
}

impl Bits {
    fn bit(&mut self, bit: bool) {
        self.last |= u8::from(bit) << self.count;
        self.count += 1;
        if self.count == 8 {
            self.whole.push(self.last);
            (self.last, self.count) = (0, 0);
        }
    }

    /// A number, its lowest bit first.
    fn number(&mut self, number: u32, bits: u32) {
        (0..bits).for_each(|at| self.bit(number >> at & 1 == 1));
    }

    /// A code, its first bit first.
    fn code(&mut self, code: &str) {
        code.bytes().for_each(|bit| self.bit(bit == b'1'));
    }

    fn bytes(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.whole.push(self.last);
        }
        self.whole
    }
}

/// The checksum of some bytes (RFC 1952 §8), and how many they are: enough to have that of them put together.
#[derive(Clone, Copy)]
struct Checksum {
    crc: u32,
    length: u64,
}

const POLYNOMIAL: u32 = 0xedb8_8320;

impl Checksum {
    const EMPTY: Self = Self { crc: 0, length: 0 };

    fn of(bytes: &[u8]) -> Self {
        let step = |crc: u32, _| if crc & 1 == 1 { POLYNOMIAL ^ (crc >> 1) } else { crc >> 1 };
        let crc = !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step));
        Self { crc, length: bytes.len() as u64 }
    }

    /// Of these bytes and then those.
    fn and(&self, other: &Self) -> Self {
        let crc = multiplied(self.crc, power_of_x(8 * other.length)) ^ other.crc;
        Self { crc, length: self.length + other.length }
    }

    /// Of these bytes so many times.
    fn times(&self, mut times: u64) -> Self {
        let (mut all, mut double) = (Self::EMPTY, *self);
        while times > 0 {
            if times & 1 == 1 {
                all = all.and(&double);
            }
            double = double.and(&double);
            times >>= 1;
        }
        all
    }
}

/// The product of two polynomials modulo that of the checksum; their highest bit is x⁰.
fn multiplied(one: u32, mut other: u32) -> u32 {
    let mut product = 0;
    for bit in (0..32).rev() {
        if one >> bit & 1 == 1 {
            product ^= other;
        }
        other = if other & 1 == 1 { POLYNOMIAL ^ (other >> 1) } else { other >> 1 };
    }
    product
}

fn power_of_x(mut exponent: u64) -> u32 {
    let (mut power, mut square) = (1 << 31, 1 << 30);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = multiplied(power, square);
        }
        square = multiplied(square, square);
        exponent >>= 1;
    }
    power
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        assert_eq!(Checksum::of(b"123456789").crc, 0xcbf4_3926);
        assert_eq!(Checksum::of(b"1234").and(&Checksum::of(b"56789")).crc, 0xcbf4_3926);
        assert_eq!(Checksum::of(b"ab").times(3).crc, Checksum::of(b"ababab").crc);
        assert_eq!(Checksum::of(b"").crc, 0);
    }

    /// The decoder compares the checksum and the length.
    fn inflated(member: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        GzDecoder::new(member).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_was_stored_comes_out() {
        for bytes in [&b"{}"[..], &[7; 200_000]] {
            assert_eq!(inflated(&stored(bytes)), bytes);
        }
    }

    #[test]
    fn a_thousand_times_as_much_comes_out() {
        let member = and_spaces(b"{}", 4 << 20);
        let bytes = inflated(&member);
        assert!(bytes.len() >= 1_000 * (member.len() - 100), "{} of {}", bytes.len(), member.len());
        assert!(
            bytes.len() >= 4 << 20
                && bytes.starts_with(b"{} ")
                && bytes[2..].iter().all(|byte| *byte == b' ')
        );
    }
}
