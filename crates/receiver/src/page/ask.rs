//! What a page is asked for, and addresses of pages.

use serde::Deserialize;
use url::form_urlencoded::Serializer;

/// No longer search is carried on to other pages.
const LONGEST: usize = 1000;

/// The query of an address. What is empty or no number is not asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ask {
    /// What is looked for.
    pub(super) q: String,
    /// A call: its `conversation_uuid`, or the `cmiuuid` of a leg.
    pub(super) id: String,
    seq: String,
    before: String,
    skip: String,
    /// What was done just now, and how many, or which.
    pub(super) done: String,
    n: String,
}

impl Ask {
    /// The record that is shown.
    pub(super) fn seq(&self) -> Option<u64> {
        self.seq.parse().ok()
    }

    /// The last record that is looked at, where that is not the store's.
    pub(super) fn before(&self) -> Option<u64> {
        self.before.parse().ok()
    }

    /// How many are not listed, because they were before.
    pub(super) fn skip(&self) -> usize {
        self.skip.parse().unwrap_or_default()
    }

    pub(super) fn n(&self) -> Option<u64> {
        self.n.parse().ok()
    }

    /// Another page, with what is looked for here.
    pub(super) fn to(&self, path: &str, pairs: &[(&str, &str)]) -> String {
        let has = |key: &str| pairs.iter().any(|(other, _)| *other == key);
        let own = [("q", self.q.as_str()), ("before", self.before.as_str())];
        // A page has hundreds of addresses.
        let own = own.into_iter().filter(|(key, value)| !has(key) && value.len() <= LONGEST);
        href(path, own.chain(pairs.iter().copied()))
    }

    /// Another page, of the records that are looked at here.
    pub(super) fn here(&self, path: &str, pairs: &[(&str, &str)]) -> String {
        self.to(path, &[&[("q", "")][..], pairs].concat())
    }
}

/// The terms that are looked for: each must be found somewhere.
#[derive(Debug, Clone)]
pub(super) struct Terms(Vec<String>);

impl Terms {
    pub(super) fn of(ask: &Ask) -> Self {
        // A number is stored as digits, whatever people write before them.
        let term = |word: &str| word.trim_start_matches('+').to_owned();
        Self(ask.q.split_whitespace().map(term).filter(|term| !term.is_empty()).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn all(&self, is_found: impl Fn(&str) -> bool) -> bool {
        self.0.iter().all(|term| is_found(term))
    }
}

/// Whether a text has a term in it, in small letters or in large ones.
pub(super) fn has(text: &str, term: &str) -> bool {
    text.as_bytes().windows(term.len().max(1)).any(|part| part.eq_ignore_ascii_case(term.as_bytes()))
}

/// An address; what is empty is left out.
pub(super) fn href<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty()).peekable();
    if pairs.peek().is_none() {
        return path.to_owned();
    }
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{path}?{query}")
}

#[cfg(test)]
mod tests {
    use super::{Ask, Terms, has, href};

    fn terms(q: &str) -> Terms {
        Terms::of(&Ask { q: q.to_owned(), ..Ask::default() })
    }

    #[test]
    fn every_term_must_be_found() {
        let text = "447700900123 ANSWERED";
        assert!(terms(" +4477 answered ").all(|term| has(text, term)));
        assert!(!terms("4477 missed").all(|term| has(text, term)));
        assert!(terms(" + ").all(|_| false), "nothing is looked for");
        assert!(!has("a", "ab"));
    }

    #[test]
    fn addresses_have_what_is_asked_for() {
        assert_eq!(href("/", [("q", "")]), "/");
        assert_eq!(href("/call", [("id", "a/b&c d")]), "/call?id=a%2Fb%26c+d");
        let ask = Ask { q: "x".to_owned(), before: "9".to_owned(), ..Ask::default() };
        assert_eq!(ask.to("/call", &[("id", "y")]), "/call?q=x&before=9&id=y");
        assert_eq!(ask.to("/", &[("before", "")]), "/?q=x");
        assert_eq!(ask.here("/record", &[("seq", "3")]), "/record?before=9&seq=3");
    }
}
