/// What two things share whose bytes are the same: FNV-1a, which is no protection against those who want to deceive.
pub(crate) fn digest(bytes: impl IntoIterator<Item = u8>) -> String {
    let hash = bytes.into_iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_its_authors() {
        assert_eq!(digest(*b""), "cbf29ce484222325");
        assert_eq!(digest(*b"foobar"), "85944171f73967e8");
    }
}
