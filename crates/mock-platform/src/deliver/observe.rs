use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Target;
use crate::judge::Effect;

/// Why a receiver's effects could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// There was no answer.
    #[error("{url} could not be asked for effects")]
    Request {
        /// What was asked.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The answer was not 200.
    #[error(
        "{url} answered {status} when asked for effects (is the receiver started with its observe endpoint?)"
    )]
    Status {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
    },
    /// The file could not be read.
    #[error("the effects file {path} could not be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no effect record.
    #[error("{place}:{line}: this line is no effect record")]
    Line {
        /// The URL or file.
        place: String,
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// A record does not have a higher `seq` than the one before it.
    #[error("{place}:{line}: `seq` must rise from record to record; here it is {seq}")]
    Order {
        /// The URL or file.
        place: String,
        /// Which line, from 1.
        line: usize,
        /// The `seq` of that line.
        seq: u64,
    },
}

/// Asks a receiver for its effects after number `since`: `GET URL?since=N`, observe protocol v1.
///
/// # Errors
/// If it does not answer 200 within 10 seconds, or a line of the answer is no effect record.
pub async fn effects_from_url(url: &Target, since: u64) -> Result<Vec<Effect>, ObserveError> {
    let mut asked = url.url().clone();
    asked.query_pairs_mut().append_pair("since", &since.to_string());
    let failed = |source: reqwest::Error| ObserveError::Request {
        url: url.as_str().to_owned(),
        source: source.without_url(),
    };
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()
        .map_err(failed)?;
    let response = client.get(asked).send().await.map_err(failed)?;
    let status = response.status().as_u16();
    if status != 200 {
        return Err(ObserveError::Status { url: url.as_str().to_owned(), status });
    }
    let text = response.text().await.map_err(failed)?;
    parse(&text, url.as_str(), since)
}

/// Reads a file to which a receiver appends its effects, one per line.
///
/// # Errors
/// If the file cannot be read, or a line of it is no effect record. A last line without its end is passed over: it
/// is being written.
pub fn effects_from_file(path: &Path, since: u64) -> Result<Vec<Effect>, ObserveError> {
    let failed = |source| ObserveError::File { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut effects = parse(whole, &path.display().to_string(), 0)?;
    effects.retain(|effect| effect.seq > since);
    Ok(effects)
}

fn parse(text: &str, place: &str, since: u64) -> Result<Vec<Effect>, ObserveError> {
    let mut effects = Vec::new();
    let mut last = since;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || place.to_owned();
        // What was stored may be nested deeper than it can be read, or worse: the effect is there all the same.
        let effect: Effect = serde_json::from_str(line)
            .or_else(|source| Effect::without_fields(line).map_err(|_| source))
            .map_err(|source| ObserveError::Line { place: place(), line: index + 1, source })?;
        if effect.seq <= last {
            return Err(ObserveError::Order { place: place(), line: index + 1, seq: effect.seq });
        }
        last = effect.seq;
        effects.push(effect);
    }
    Ok(effects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_bad_ones_are_told() {
        let fine =
            parse("{\"seq\":3,\"cmiuuid\":\"x\",\"new\":1}\n\n{\"seq\":4,\"quarantined\":true}\n", "f", 2)
                .unwrap();
        assert_eq!(fine.iter().map(|effect| effect.seq).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(
            parse("{\"seq\":2}", "f", 2).unwrap_err().to_string(),
            "f:1: `seq` must rise from record to record; here it is 2"
        );
        assert_eq!(
            parse("{\"seq\":1}\nnonsense", "f", 0).unwrap_err().to_string(),
            "f:2: this line is no effect record"
        );
    }

    #[test]
    fn fields_that_cannot_be_read_are_left_out() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let line = format!("{{\"seq\":1,\"cmiuuid\":\"x\",\"fields\":{{\"deep\":{deep}}}}}");
        let effects = parse(&line, "f", 0).unwrap();
        assert_eq!((effects[0].cmiuuid.as_deref(), effects[0].fields.is_none()), (Some("x"), true));
    }

    #[test]
    fn a_line_that_is_being_written_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("effects.jsonl");
        std::fs::write(&path, "{\"seq\":1}\n{\"seq\":2}\n{\"se").unwrap();
        let effects = effects_from_file(&path, 1).unwrap();
        assert_eq!(effects.len(), 1);
        assert_eq!(effects[0].seq, 2);
    }
}
