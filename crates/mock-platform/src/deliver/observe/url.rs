//! Effects at a URL: `GET URL?since=N`.

use bytes::Bytes;
use serde::Deserialize;

use super::super::Target;
use super::{Lines, ObserveError, PATIENCE, secure};
use crate::judge::Effect;
use crate::judge::check::Shows;

/// Asks a receiver for its effects after number `since`: `GET URL?since=N`, observe protocol v1.
///
/// # Errors
/// If it does not answer 200, is silent for 10 seconds, or a line of the answer is no effect record.
pub async fn effects_from_url(url: &Target, since: u64) -> Result<Vec<Effect>, ObserveError> {
    let mut effects = Vec::new();
    each_from_url(url, since, |effect| effects.push(effect)).await?;
    Ok(effects)
}

/// The number of a receiver's last effect after number `since`, that number if there is none. However many there are,
/// one at a time is kept.
///
/// # Errors
/// As of [`effects_from_url`].
pub async fn last_effect_at_url(url: &Target, since: u64) -> Result<u64, ObserveError> {
    let mut last = since;
    each_from_url(url, since, |effect| last = effect.seq).await?;
    Ok(last)
}

/// What a receiver says that its effect records hold: `GET URL?capabilities`. `None` where it does not say: it is asked
/// for records only then.
pub(crate) async fn capabilities_at_url(url: &Target) -> Option<Shows> {
    const MOST: usize = 64 * 1024;
    #[derive(Deserialize)]
    struct Said {
        /// The version of the protocol: what is no answer to the question has none.
        #[serde(rename = "observe")]
        _version: u32,
        #[serde(default)]
        fields: bool,
        #[serde(default)]
        state: bool,
        quarantine: Option<bool>,
    }
    let mut asked = url.url().clone();
    let query =
        asked.query().map_or_else(|| "capabilities".to_owned(), |query| format!("{query}&capabilities"));
    asked.set_query(Some(&query));
    let mut answer = Answer::to(url, &asked).await.ok().filter(|answer| answer.status() == 200)?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk(url).await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST {
            // One that does not know the question answers with records, however many there are.
            return None;
        }
    }
    let Said { fields, state, quarantine, .. } = serde_json::from_slice(&body).ok()?;
    Some(Shows { fields, state, quarantine, ..Shows::default() })
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .build()
}

/// Shows each effect after number `since`, one at a time.
pub(crate) async fn each_from_url(
    url: &Target,
    since: u64,
    mut see: impl FnMut(Effect),
) -> Result<(), ObserveError> {
    let mut asked = url.url().clone();
    asked.query_pairs_mut().append_pair("since", &since.to_string());
    let mut answer = Answer::to(url, &asked).await?;
    let status = answer.status();
    if status != 200 {
        return Err(ObserveError::Status { url: url.shown(), status });
    }
    let mut lines = Lines::new(url.shown(), since);
    while let Some(chunk) = answer.chunk(url).await? {
        lines.read(&chunk, &mut see)?;
    }
    lines.end(&mut see)
}

/// What a receiver answers when it is asked, by TLS or not.
enum Answer {
    Plain(reqwest::Response),
    Secure(secure::Answer),
}

impl Answer {
    /// Asks.
    async fn to(url: &Target, asked: &reqwest::Url) -> Result<Self, ObserveError> {
        if url.is_tls() {
            let answer = secure::get(url, asked).await.map_err(|source| by_tls(url, source))?;
            return Ok(Self::Secure(answer));
        }
        let client = client().map_err(|source| plain(url, source))?;
        client.get(asked.clone()).send().await.map(Self::Plain).map_err(|source| plain(url, source))
    }

    fn status(&self) -> u16 {
        match self {
            Self::Plain(answer) => answer.status().as_u16(),
            Self::Secure(answer) => answer.status,
        }
    }

    /// The next piece of its body.
    async fn chunk(&mut self, url: &Target) -> Result<Option<Bytes>, ObserveError> {
        match self {
            Self::Plain(answer) => answer.chunk().await.map_err(|source| plain(url, source)),
            Self::Secure(answer) => answer.chunk().await.map_err(|source| by_tls(url, source)),
        }
    }
}

fn plain(url: &Target, source: reqwest::Error) -> ObserveError {
    ObserveError::Request { url: url.shown(), source: source.without_url() }
}

fn by_tls(url: &Target, source: Box<dyn std::error::Error + Send + Sync>) -> ObserveError {
    ObserveError::Secure { url: url.shown(), source }
}
