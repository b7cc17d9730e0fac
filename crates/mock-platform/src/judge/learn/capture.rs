use serde::Deserialize;
use serde_json::value::RawValue;

/// Webhooks that were captured: their bodies, in the order in which they came.
#[derive(Debug, Clone)]
pub struct Capture {
    place: String,
    /// Each with the line that it stands on.
    bodies: Vec<(usize, String)>,
}

/// Why a file cannot be read as captured webhooks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// A line is no JSON.
    #[error(
        "{place}:{line}: this is neither JSON Lines with one webhook each, nor a HAR, nor an export of piopiy-receiver"
    )]
    Json {
        /// The file.
        place: String,
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// A line is JSON, and no object.
    #[error("{place}:{line}: a webhook is a JSON object, and this is none")]
    NoObject {
        /// The file.
        place: String,
        /// Which line, from 1.
        line: usize,
    },
    /// There is none.
    #[error("{place}:1: there is no webhook in it")]
    Empty {
        /// The file.
        place: String,
    },
}

/// A HAR, as far as it matters: what was posted.
#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct PostData {
    text: Option<String>,
}

/// A line of `piopiy-receiver export`, or of its `tail --format json`.
#[derive(Deserialize)]
struct Exported<'a> {
    #[serde(rename = "seq")]
    _seq: u64,
    #[serde(rename = "received_at")]
    _received_at: i64,
    #[serde(borrow)]
    webhook: Option<&'a RawValue>,
    body: Option<String>,
}

impl Capture {
    /// Reads the text of a file; `place` is its name.
    ///
    /// # Errors
    /// If it is of no kind that is known, with the line.
    pub fn parse(place: &str, text: &str) -> Result<Self, CaptureError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let bodies = match serde_json::from_str::<Har>(text) {
            Ok(har) => of_har(text, har),
            Err(_) => of_documents(place, text)?,
        };
        if bodies.is_empty() {
            return Err(CaptureError::Empty { place: place.to_owned() });
        }
        Ok(Self { place: place.to_owned(), bodies })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn bodies(&self) -> impl Iterator<Item = (usize, &str)> {
        self.bodies.iter().map(|(line, body)| (*line, body.as_str()))
    }
}

fn of_har(text: &str, har: Har) -> Vec<(usize, String)> {
    // A HAR has no lines of its own; the n-th mention of what was posted is that of the n-th that posted something.
    let mut lines =
        text.lines().enumerate().filter(|(_, line)| line.contains("\"postData\"")).map(|(at, _)| at + 1);
    let posted = har.log.entries.into_iter().filter_map(|entry| {
        let text = entry.request.post_data?.text;
        let line = lines.next().unwrap_or(1);
        text.filter(|_| entry.request.method.eq_ignore_ascii_case("POST")).map(|text| (line, text))
    });
    posted.collect()
}

/// JSON documents one behind the other, on a line each or on several; an array of webhooks counts as they do.
fn of_documents(place: &str, text: &str) -> Result<Vec<(usize, String)>, CaptureError> {
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut bodies = Vec::new();
    // Up to where lines are counted, and how many there are to there.
    let (mut counted, mut line) = (0, 1);
    loop {
        let rest = &text[documents.byte_offset()..];
        let begin = text.len() - rest.trim_start().len();
        line += text[counted..begin].bytes().filter(|&byte| byte == b'\n').count();
        counted = begin;
        let Some(document) = documents.next() else { return Ok(bodies) };
        let document = document.map_err(|source| CaptureError::Json {
            place: place.to_owned(),
            // Of the whole text: the reader goes through it from its beginning.
            line: source.line().max(1),
            source,
        })?;
        match document.get().as_bytes().first() {
            Some(b'{') => bodies.push((line, body_of(document.get()))),
            Some(b'[') => {
                let all: Vec<&RawValue> = serde_json::from_str(document.get())
                    .map_err(|source| CaptureError::Json { place: place.to_owned(), line, source })?;
                if all.iter().any(|one| !one.get().starts_with('{')) {
                    return Err(CaptureError::NoObject { place: place.to_owned(), line });
                }
                bodies.extend(all.iter().map(|one| (line, body_of(one.get()))));
            }
            _ => return Err(CaptureError::NoObject { place: place.to_owned(), line }),
        }
    }
}

/// The webhook in a line of an export; any other line is one.
fn body_of(document: &str) -> String {
    match serde_json::from_str::<Exported<'_>>(document) {
        Ok(Exported { webhook: Some(webhook), .. }) => webhook.get().to_owned(),
        Ok(Exported { body: Some(body), .. }) => body,
        _ => document.to_owned(),
    }
}
