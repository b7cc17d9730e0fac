use std::cell::Cell;

use super::*;

thread_local! {
    /// What [`step`] has counted on this thread.
    pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// What is wrong, the pointer, the offset.
type Wrong<'a> = (ParseErrorKind, &'a str, usize);

fn check(input: &[u8], expected: Result<&[(&str, &str)], Wrong<'_>>) {
    let found = object(input, &Limits { max_bytes: 1000, max_depth: 4 });
    let found = found.map(|members| members.iter().map(|m| (m.key, m.value)).collect::<Vec<_>>());
    let expected = expected
        .map(<[_]>::to_vec)
        .map_err(|(kind, pointer, offset)| ParseError::new(kind, pointer.to_owned(), offset));
    assert_eq!(found, expected, "{}", String::from_utf8_lossy(input));
}

fn syntax(expected: &'static str) -> ParseErrorKind {
    ParseErrorKind::Syntax { expected }
}

fn end(expected: &'static str) -> ParseErrorKind {
    ParseErrorKind::UnexpectedEnd { expected }
}

#[test]
fn members_keep_order_and_text() {
    check(b"{}", Ok(&[]));
    check(
        b" \t\r\n{ \"b\" : 1.0 , \"a\":[ 1 ,{\"x\":{}}] } \n",
        Ok(&[("b", "1.0"), ("a", "[ 1 ,{\"x\":{}}]")]),
    );
    check(b"\xef\xbb\xbf{\"a\":1e400}", Ok(&[("a", "1e400")]));
    check(br#"{"a":"\ud800","b":-0.0}"#, Ok(&[("a", r#""\ud800""#), ("b", "-0.0")]));
}

#[test]
fn what_is_not_json_is_refused_where_it_is() {
    check(b"", Err((end("a value"), "", 0)));
    check(b"{", Err((end("a key in double quotes"), "", 1)));
    check(b"{'a':1}", Err((syntax("a key in double quotes"), "", 1)));
    check(b"{\"a\":1,}", Err((syntax("a key in double quotes"), "", 7)));
    check(b"{\"a\":01}", Err((syntax("no digit after a leading zero"), "/a", 6)));
    check(b"{\"a\":04471000000}", Err((syntax("no digit after a leading zero"), "/a", 6)));
    check(b"{\"a\":NaN}", Err((syntax("a value"), "/a", 5)));
    check(b"{\"a\":nul}", Err((syntax("null"), "/a", 8)));
    check(b"{\"a\":-}", Err((syntax("a digit"), "/a", 6)));
    check(b"{\"a\":1.}", Err((syntax("a digit"), "/a", 7)));
    check(b"{\"a\":1e+}", Err((syntax("a digit"), "/a", 8)));
    check(b"{\"a\" 1}", Err((syntax("a colon after the key"), "", 5)));
    check(b"{\"a\":[1,{\"b/~\":+1}]}", Err((syntax("a value"), "/a/1/b~1~0", 15)));
    check(b"{\"a\":\"x\ny\"}", Err((syntax("no control character in a string"), "/a", 7)));
    check(b"{\"a\":\"\\x\"}", Err((syntax("an escape that JSON has"), "/a", 7)));
    check(b"{\"a\":\"\\u12g4\"}", Err((syntax("four hexadecimal digits after \\u"), "/a", 10)));
    check(b"{\"a\":\"bc", Err((end("the end of the string"), "/a", 8)));
    check(b"{\"a\":1 2}", Err((syntax("a comma or the end of the object"), "/a", 7)));
    check(b"{\"a\":[1 2]}", Err((syntax("a comma or the end of the array"), "/a/0", 8)));
    check(b"{\"a\":1]", Err((syntax("a comma or the end of the object"), "/a", 6)));
    check(b"{} {}", Err((ParseErrorKind::TrailingBytes, "", 3)));
    check(b"\xef\xbb\xbf{}x", Err((ParseErrorKind::TrailingBytes, "", 5)));
}

#[test]
fn other_shapes_and_sizes_are_refused() {
    let not_an_object = |found| ParseErrorKind::NotAnObject { found };
    check(b" []", Err((not_an_object(JsonType::Array), "", 1)));
    check(b"null", Err((not_an_object(JsonType::Null), "", 0)));
    check(b"\"x\"", Err((not_an_object(JsonType::String), "", 0)));
    check(b"{\"a\":\"\xff\"}", Err((ParseErrorKind::NotUtf8, "/a", 6)));
    check(b"{\"a\":{\"b\":[0,\"x\xc3\"]}}", Err((ParseErrorKind::NotUtf8, "/a/b/1", 15)));
    check(b"{\"a\":'\xff'}", Err((syntax("a value"), "/a", 5)));
    check(b"{} x\xff", Err((ParseErrorKind::TrailingBytes, "", 3)));
    check(b"{} \xff", Err((ParseErrorKind::NotUtf8, "", 3)));
    check(b"{\"a\":[[[[\xff]]]]}", Err((ParseErrorKind::TooDeep { limit: 4 }, "/a/0/0/0", 8)));
    check(b"{\"a\":1,\"a\":2,\"b\":{\"c\":1,\"c\":2},\xff}", Err((ParseErrorKind::DuplicateKey, "/b/c", 24)));
    check(&[b' '; 1001], Err((ParseErrorKind::TooLarge { size: 1001, limit: 1000 }, "", 1000)));
    check(b"{\"a\":[[[1]]]}", Ok(&[("a", "[[[1]]]")]));
    check(b"{\"a\":[[0,[[1]]]]}", Err((ParseErrorKind::TooDeep { limit: 4 }, "/a/0/1/0", 10)));
}

#[test]
fn equal_keys_need_equal_values() {
    check(br#"{"a":1,"b":2,"a":1}"#, Ok(&[("a", "1"), ("b", "2")]));
    check(br#"{"a":[1, "x"],"a":[1,"\u0078"]}"#, Ok(&[("a", r#"[1, "x"]"#)]));
    check(br#"{"a":1,"\u0061":1}"#, Ok(&[("a", "1")]));
    check(br#"{"a":1,"\u0061":2}"#, Err((ParseErrorKind::DuplicateKey, "/a", 7)));
    check(br#"{"a":1,"a":1.0}"#, Err((ParseErrorKind::DuplicateKey, "/a", 7)));
    check(br#"{"a":"1","a":1}"#, Err((ParseErrorKind::DuplicateKey, "/a", 9)));
    check(br#"{"x":[{"a":1,"a":2}]}"#, Err((ParseErrorKind::DuplicateKey, "/x/0/a", 13)));
    check(br#"{"x":[{"a":1},{"a":2}],"a":3}"#, Ok(&[("x", r#"[{"a":1},{"a":2}]"#), ("a", "3")]));
}

#[test]
fn lone_surrogates_are_told_apart() {
    let duplicate = ParseErrorKind::DuplicateKey;
    check(br#"{"a":"\ud800","a":"\udc00"}"#, Err((duplicate.clone(), "/a", 14)));
    check(br#"{"a":["\ud800"],"a":["\ufffd"]}"#, Err((duplicate, "/a", 16)));
    check(br#"{"a":"\uD800","a":"\ud800"}"#, Ok(&[("a", r#""\uD800""#)]));
    check(br#"{"\ud800":1,"\udc00":2}"#, Ok(&[(r"\ud800", "1"), (r"\udc00", "2")]));
    check(br#"{"\ud800":1,"\uD800":1}"#, Ok(&[(r"\ud800", "1")]));
    check(br#"{"\ud800":1,"\\ud800":2}"#, Ok(&[(r"\ud800", "1"), (r"\\ud800", "2")]));
}

/// The work for each byte of the input.
fn steps_per_byte(input: &str) -> usize {
    STEPS.set(0);
    object(input.as_bytes(), &Limits::NONE).unwrap();
    STEPS.get().div_ceil(input.len())
}

/// Repeats in a megabyte cost no more for each byte than those in a kilobyte.
#[test]
fn repeats_cost_linear_work() {
    let long_first = |n: usize| format!("{{\"a\":[{}1]{}}}", " ".repeat(n), ",\"a\":[1]".repeat(n / 8));
    let nested =
        |n: usize| format!("{{{}\"z\":[{}0]}}", unique_keys(n / 16), "{\"a\":1,\"a\":1},".repeat(n / 16));
    let nested_sorted = |n: usize| {
        let twice = unique_keys(40).repeat(2);
        format!("{{{}\"z\":[{}0]}}", unique_keys(n / 16), format!("{{{twice}\"a\":1}},").repeat(n / 800))
    };
    let doubled = |n: usize| {
        let mut value = "1".to_owned();
        while value.len() < n {
            value = format!("{{\"a\":{value},\"a\": {value}}}");
        }
        value
    };
    for n in [1_000, 30_000, 500_000] {
        assert!(steps_per_byte(&long_first(n)) <= 8, "{n}");
        assert!(steps_per_byte(&nested(n)) <= 8, "{n}");
        assert!(steps_per_byte(&nested_sorted(n)) <= 8, "{n}");
        // Each level reads what is in it: as many levels as the text doubles.
        assert!(steps_per_byte(&doubled(n)) <= 8 + 2 * n.ilog2() as usize, "{n}");
    }
}

fn unique_keys(count: usize) -> String {
    (0..count).map(|n| format!("\"k{n:07}\":1,")).collect()
}

/// A megabyte of repeats must cost neither quadratic time nor a stack.
#[test]
fn hostile_sizes_are_cheap() {
    let keys: Vec<String> = (0..100_000).map(|n| format!("\"{}\":1", n % 50_000)).collect();
    let wide = format!("{{{}}}", keys.join(","));
    assert_eq!(object(wide.as_bytes(), &Limits::NONE).unwrap().len(), 50_000);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(500_000), "]".repeat(500_000));
    assert_eq!(object(deep.as_bytes(), &Limits::NONE).unwrap().len(), 1);
    let error = object(deep.as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), &ParseErrorKind::TooDeep { limit: 128 });
}

#[test]
fn arrays_give_their_elements() {
    let elements = |text: &'static str| array(text.as_bytes(), &Limits::default());
    assert_eq!(elements(" [ 1 , {\"a\":[2,3]} ,[] ] ").unwrap(), ["1", "{\"a\":[2,3]}", "[]"]);
    assert!(elements("[]").unwrap().is_empty());
    assert_eq!(elements("{}").unwrap_err().kind(), &ParseErrorKind::NotAnArray { found: JsonType::Object });
}
