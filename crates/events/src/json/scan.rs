//! One pass over a document: grammar, nesting, equal keys, and where each top-level value lies.
//!
//! The scanner keeps its own stack, so that no input can overflow the thread's.

mod repeats;

use super::error::{ParseError, ParseErrorKind};
use super::escape;
use super::raw::JsonType;

/// How much input is read before it is refused.
///
/// # Examples
/// ```
/// use piopiy_events::{Limits, Webhook};
///
/// let limits = Limits { max_depth: 2, ..Limits::default() };
/// assert!(Webhook::parse_within(br#"{"a":[[]]}"#, &limits).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made with struct update syntax")]
pub struct Limits {
    /// Bytes of the whole input; default 1 MiB.
    pub max_bytes: usize,
    /// Arrays and objects inside one another, the outermost counting 1; default 128.
    pub max_depth: usize,
}

impl Limits {
    /// No limit, for text that was read within limits before.
    pub const NONE: Self = Self { max_bytes: usize::MAX, max_depth: usize::MAX };

    /// Of what a `Deserializer` hands over: it has been read into memory already, but not walked through.
    pub(crate) const DESERIALIZED: Self = Self { max_bytes: usize::MAX, max_depth: Self::DEFAULT_DEPTH };

    const DEFAULT_DEPTH: usize = 128;
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 1024 * 1024, max_depth: Self::DEFAULT_DEPTH }
    }
}

/// A key and its value, as they stand in the text of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member<'a> {
    /// What stands between the quotes of the key, escapes and all.
    pub key: &'a str,
    /// The value's text, without surrounding white space.
    pub value: &'a str,
}

/// The members of the object that `input` is, in order; of equal keys with equal values, the first.
pub(crate) fn object<'a>(input: &'a [u8], limits: &Limits) -> Result<Vec<Member<'a>>, ParseError> {
    let (members, token) = document(input, limits)?;
    match JsonType::of(token.as_bytes()[0]) {
        JsonType::Object => Ok(members),
        found => Err(misfit(ParseErrorKind::NotAnObject { found }, input, token)),
    }
}

/// The elements of the array that `input` is, in order.
pub(crate) fn array<'a>(input: &'a [u8], limits: &Limits) -> Result<Vec<&'a str>, ParseError> {
    let token = value(input, limits)?;
    match JsonType::of(token.as_bytes()[0]) {
        JsonType::Array => Ok(elements(token)),
        found => Err(misfit(ParseErrorKind::NotAnArray { found }, input, token)),
    }
}

/// The one value that `input` is, without surrounding white space.
pub(crate) fn value<'a>(input: &'a [u8], limits: &Limits) -> Result<&'a str, ParseError> {
    document(input, limits).map(|(_, token)| token)
}

fn misfit(kind: ParseErrorKind, input: &[u8], token: &str) -> ParseError {
    ParseError::new(kind, String::new(), offset_in(input, token))
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset_in(whole: &[u8], part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// The elements of a token that is known to be an array.
pub(crate) fn elements(token: &str) -> Vec<&str> {
    let mut scanner = Scanner::new(token, 0, usize::MAX);
    let mut elements = Vec::new();
    scanner.pos = 1;
    scanner.white_space();
    while scanner.peek() != Some(b']') {
        let Ok(element) = scanner.value() else { break };
        elements.push(element);
        scanner.members.clear();
        scanner.white_space();
        if scanner.peek() == Some(b',') {
            scanner.pos += 1;
            scanner.white_space();
        }
    }
    elements
}

/// The one value that `input` is, and its members if it is an object.
pub(crate) fn document<'a>(
    input: &'a [u8],
    limits: &Limits,
) -> Result<(Vec<Member<'a>>, &'a str), ParseError> {
    if input.len() > limits.max_bytes {
        let kind = ParseErrorKind::TooLarge { size: input.len(), limit: limits.max_bytes };
        return Err(ParseError::new(kind, String::new(), limits.max_bytes));
    }
    let body = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let mark = input.len() - body.len();
    match std::str::from_utf8(body) {
        Ok(text) => whole(text, mark, limits.max_depth),
        Err(error) => Err(not_utf8(body, error.valid_up_to(), mark, limits)),
    }
}

/// What comes before the bad byte is scanned: for the pointer, and because a mistake there comes first.
fn not_utf8(body: &[u8], valid_up_to: usize, mark: usize, limits: &Limits) -> ParseError {
    let prefix = std::str::from_utf8(&body[..valid_up_to]).unwrap_or_default();
    match whole(prefix, mark, limits.max_depth) {
        Err(error) if !matches!(error.kind(), ParseErrorKind::UnexpectedEnd { .. }) => error,
        ended => {
            let pointer = ended.err().map(|error| error.pointer().to_owned()).unwrap_or_default();
            ParseError::new(ParseErrorKind::NotUtf8, pointer, mark + valid_up_to)
        }
    }
}

/// The members and the token of the one value that `text` is.
fn whole(text: &str, mark: usize, max_depth: usize) -> Result<(Vec<Member<'_>>, &str), ParseError> {
    let mut scanner = Scanner::new(text, mark, max_depth);
    scanner.white_space();
    let token = scanner.value()?;
    scanner.white_space();
    if scanner.pos < scanner.bytes.len() {
        return Err(ParseError::new(ParseErrorKind::TrailingBytes, String::new(), mark + scanner.pos));
    }
    Ok((scanner.members, token))
}

/// An array or object that is open.
#[derive(Debug)]
struct Frame {
    is_object: bool,
    /// Where the value that is being read begins.
    value_start: usize,
    /// An object: its first member in `members`. An array: unused.
    first_member: usize,
    /// An object: the member that is being read, in `members`. An array: the index of the element.
    current: usize,
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    /// Added to offsets in errors: bytes before `text`.
    mark: usize,
    max_depth: usize,
    frames: Vec<Frame>,
    /// Members of the open objects, outermost first. When the outermost closes, its members are what is left.
    members: Vec<Member<'a>>,
    /// Whether any key so far holds an escape, so that keys must be decoded to be compared.
    escaped_keys: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, mark: usize, max_depth: usize) -> Self {
        let (frames, members) = (Vec::new(), Vec::with_capacity(24));
        Self { text, bytes: text.as_bytes(), pos: 0, mark, max_depth, frames, members, escaped_keys: false }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        step(1);
        self.bytes.get(self.pos).copied()
    }

    #[inline]
    fn white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.pos += 1;
        }
    }

    /// Reads one value, which begins at `pos`.
    fn value(&mut self) -> Result<&'a str, ParseError> {
        let start = self.pos;
        loop {
            match self.peek() {
                Some(b'"') => self.string()?,
                Some(b'{') => {
                    if self.open(true)? {
                        continue;
                    }
                }
                Some(b'[') => {
                    if self.open(false)? {
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal("true")?,
                Some(b'f') => self.literal("false")?,
                Some(b'n') => self.literal("null")?,
                _ => return Err(self.unexpected("a value")),
            }
            if self.after_value()? {
                return Ok(&self.text[start..self.pos]);
            }
        }
    }

    /// Opens a container; true where its first value comes next, false where it was empty and is closed.
    fn open(&mut self, is_object: bool) -> Result<bool, ParseError> {
        if self.frames.len() >= self.max_depth {
            return Err(self.error(ParseErrorKind::TooDeep { limit: self.max_depth }));
        }
        let first_member = self.members.len();
        let current = if is_object { first_member } else { 0 };
        self.pos += 1;
        self.white_space();
        if self.peek() == Some(if is_object { b'}' } else { b']' }) {
            self.pos += 1;
            return Ok(false);
        }
        self.frames.push(Frame { is_object, value_start: self.pos, first_member, current });
        if is_object {
            self.key()?;
        }
        Ok(true)
    }

    /// After a value: to the next one (false), or out of the containers that end here (true at the outermost).
    fn after_value(&mut self) -> Result<bool, ParseError> {
        loop {
            let end = self.pos;
            let Some(frame) = self.frames.last_mut() else {
                return Ok(true);
            };
            let is_object = frame.is_object;
            if is_object {
                self.members[frame.current].value = &self.text[frame.value_start..end];
            }
            self.white_space();
            match (self.peek(), is_object) {
                (Some(b','), true) => {
                    self.pos += 1;
                    self.white_space();
                    self.key()?;
                    return Ok(false);
                }
                (Some(b','), false) => {
                    self.pos += 1;
                    self.white_space();
                    let pos = self.pos;
                    if let Some(frame) = self.frames.last_mut() {
                        frame.current += 1;
                        frame.value_start = pos;
                    }
                    return Ok(false);
                }
                (Some(b'}'), true) => {
                    self.pos += 1;
                    self.close_object()?;
                }
                (Some(b']'), false) => {
                    self.pos += 1;
                    self.frames.pop();
                }
                (_, true) => return Err(self.unexpected("a comma or the end of the object")),
                (_, false) => return Err(self.unexpected("a comma or the end of the array")),
            }
        }
    }

    fn close_object(&mut self) -> Result<(), ParseError> {
        self.one_value_per_key()?;
        if let Some(frame) = self.frames.pop()
            && !self.frames.is_empty()
        {
            self.members.truncate(frame.first_member);
        }
        Ok(())
    }

    /// Reads a key, its colon, and up to where its value begins.
    fn key(&mut self) -> Result<(), ParseError> {
        let current = self.members.len();
        if let Some(frame) = self.frames.last_mut() {
            // Until the key is known, errors are about the object.
            frame.current = current;
        }
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key in double quotes"));
        }
        let start = self.pos + 1;
        self.string()?;
        let key = &self.text[start..self.pos - 1];
        self.escaped_keys |= key.as_bytes().contains(&b'\\');
        self.white_space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("a colon after the key"));
        }
        self.pos += 1;
        self.white_space();
        let value_start = self.pos;
        self.members.push(Member { key, value: "" });
        if let Some(frame) = self.frames.last_mut() {
            frame.value_start = value_start;
        }
        Ok(())
    }

    /// Moves over a string, from its opening quote to behind its closing one.
    fn string(&mut self) -> Result<(), ParseError> {
        self.pos += 1;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(byte) if byte < 0x20 => return Err(self.unexpected("no control character in a string")),
                Some(_) => self.pos += 1,
                None => return Err(self.unexpected("the end of the string")),
            }
        }
    }

    /// Moves over bytes that mean nothing in a string, eight at a time.
    #[inline]
    fn skip_plain(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let zero_in = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
        while let Some(chunk) = self.bytes.get(self.pos..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*chunk);
            let special = zero_in(word ^ (ONES * 0x22))
                | zero_in(word ^ (ONES * 0x5c))
                | (word.wrapping_sub(ONES * 0x20) & !word & HIGH);
            if special != 0 {
                // The lowest mark is exact; borrows can only disturb the marks above it.
                self.pos += special.trailing_zeros() as usize / 8;
                return;
            }
            self.pos += 8;
        }
    }

    fn escape(&mut self) -> Result<(), ParseError> {
        self.pos += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.pos += 1,
            Some(b'u') => {
                self.pos += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(self.unexpected("four hexadecimal digits after \\u"));
                    }
                    self.pos += 1;
                }
            }
            _ => return Err(self.unexpected("an escape that JSON has")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), ParseError> {
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        if self.peek() == Some(b'0') {
            self.pos += 1;
            if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(self.unexpected("no digit after a leading zero"));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let start = self.pos;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.pos += 1;
        }
        if self.pos == start { Err(self.unexpected("a digit")) } else { Ok(()) }
    }

    fn literal(&mut self, word: &'static str) -> Result<(), ParseError> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.unexpected(word));
            }
            self.pos += 1;
        }
        Ok(())
    }

    /// Refuses equal keys with different values in the object that ends here, and drops the repeats of equal ones.
    fn one_value_per_key(&mut self) -> Result<(), ParseError> {
        let first = self.frames.last().map_or(0, |frame| frame.first_member);
        let own = &mut self.members[first..];
        let repeats = repeats::find(own, self.escaped_keys);
        if repeats.is_empty() {
            return Ok(());
        }
        // Each repeat is compared with the one before it: every value is read twice at most.
        if let Some(wrong) =
            repeats.iter().find(|pair| !repeats::same_value(own[pair.earlier].value, own[pair.later].value))
        {
            let key = own[wrong.later].key;
            let offset = self.mark + offset_in(self.bytes, key) - 1;
            let mut pointer = self.pointer_of(self.frames.len().saturating_sub(1));
            push_token(&mut pointer, &escape::decode(key));
            return Err(ParseError::new(ParseErrorKind::DuplicateKey, pointer, offset));
        }
        let left = repeats::drop_later(own, &repeats);
        self.members.truncate(first + left);
        Ok(())
    }

    fn unexpected(&self, expected: &'static str) -> ParseError {
        self.error(if self.pos < self.bytes.len() {
            ParseErrorKind::Syntax { expected }
        } else {
            ParseErrorKind::UnexpectedEnd { expected }
        })
    }

    #[cold]
    fn error(&self, kind: ParseErrorKind) -> ParseError {
        ParseError::new(kind, self.pointer_of(self.frames.len()), self.mark + self.pos)
    }

    /// The pointer of the value that is being read in the first `depth` frames.
    fn pointer_of(&self, depth: usize) -> String {
        let mut pointer = String::new();
        for frame in &self.frames[..depth] {
            if !frame.is_object {
                push_token(&mut pointer, itoa::Buffer::new().format(frame.current));
            } else if let Some(member) = self.members.get(frame.current) {
                push_token(&mut pointer, &escape::decode(member.key));
            }
        }
        pointer
    }
}

/// Counts the work done, for the tests that bound it.
#[inline]
fn step(count: usize) {
    #[cfg(test)]
    tests::STEPS.with(|steps| steps.set(steps.get() + count));
    #[cfg(not(test))]
    let _ = count;
}

fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for part in token.chars() {
        match part {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
