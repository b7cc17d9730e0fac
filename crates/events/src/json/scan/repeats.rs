//! Keys that an object has twice: which they are, and whether their values are the same.

use super::{Member, step};
use crate::json::escape;

/// Two members of one object with the same key, none of it between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) earlier: usize,
    pub(super) later: usize,
}

/// From this many members on, equal keys are looked for by sorting: pairwise search would be quadratic.
const SORTED_FROM: usize = 32;

/// The repeats among the members of one object, in the order of `later`.
pub(super) fn find(members: &[Member<'_>], escaped: bool) -> Vec<Repeat> {
    let mut repeats = Vec::new();
    step(members.len());
    if members.len() < SORTED_FROM && !escaped {
        // One bit for each key seen, by a hash: only where two share a bit are the keys compared.
        let mut seen = 0_u64;
        for (later, member) in members.iter().enumerate() {
            let bit = 1 << key_hash(member.key);
            if seen & bit != 0
                && let Some(earlier) = members[..later].iter().rposition(|earlier| earlier.key == member.key)
            {
                repeats.push(Repeat { earlier, later });
            }
            seen |= bit;
        }
        return repeats;
    }
    let keys: Vec<_> = members.iter().map(|member| escape::compared(member.key)).collect();
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|&a, &b| keys[a].cmp(&keys[b]).then(a.cmp(&b)));
    for pair in order.windows(2) {
        if keys[pair[0]] == keys[pair[1]] {
            repeats.push(Repeat { earlier: pair[0], later: pair[1] });
        }
    }
    repeats.sort_unstable_by_key(|repeat| repeat.later);
    repeats
}

/// Six bits that tell the wire's keys apart well enough.
fn key_hash(key: &str) -> u32 {
    let bytes = key.as_bytes();
    let at = |index: usize| u32::from(bytes.get(index).copied().unwrap_or(0));
    let ends = at(0) * 5 + at(bytes.len() / 2) * 3 + at(bytes.len().wrapping_sub(1));
    hash_of(ends, bytes.len())
}

/// Only the low six bits of the length count, so that no length overflows.
fn hash_of(ends: u32, len: usize) -> u32 {
    (ends + (len & 63) as u32 * 11) & 63
}

/// Moves the members that repeat none to the front, in order; how many they are.
pub(super) fn drop_later(members: &mut [Member<'_>], repeats: &[Repeat]) -> usize {
    step(members.len());
    let mut repeats = repeats.iter().map(|repeat| repeat.later).peekable();
    let mut left = 0;
    for index in 0..members.len() {
        if repeats.next_if_eq(&index).is_none() {
            members[left] = members[index];
            left += 1;
        }
    }
    left
}

/// Whether two values are the same but for white space and the spelling of strings. Digits, the order of members and
/// their repeats must agree. Reads no further than to the first difference.
pub(super) fn same_value(a: &str, b: &str) -> bool {
    step(a.len().min(b.len()));
    a == b || units(a).eq(units(b))
}

fn units(token: &str) -> impl Iterator<Item = escape::Unit> {
    escape::units(token).inspect(|_| step(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_length_of_a_key_overflows() {
        for len in [0, 1, 63, 64, 400_000_000, usize::MAX] {
            assert!(hash_of(9 * 255, len) < 64, "{len}");
        }
    }

    #[test]
    fn values_are_the_same_up_to_white_space_and_spelling() {
        fn check(a: &str, b: &str, expected: bool) {
            assert_eq!(same_value(a, b), expected, "{a} {b}");
            assert_eq!(same_value(b, a), expected, "{b} {a}");
        }
        check("[1, {\"a\" :null}]", "[ 1,{\"\\u0061\":null} ]", true);
        check(r#""\/""#, r#""/""#, true);
        check(r#""\ud83d\ude00""#, "\"\u{1f600}\"", true);
        check(r#""\uD800""#, r#""\ud800""#, true);
        check(r#""\ud800""#, r#""\udfff""#, false);
        check(r#""\ud800""#, r#""\ufffd""#, false);
        check(r#""\ud800""#, r#""\\ud800""#, false);
        check(r#"["a"]"#, r#"["a "]"#, false);
        check(r#"["a","b"]"#, r#"["a\",\"b"]"#, false);
        check(r#""1""#, "1", false);
        check("1.0", "1", false);
        check(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, false);
        check(r#"{"a":1,"a":1}"#, r#"{"a":1}"#, false);
    }
}
