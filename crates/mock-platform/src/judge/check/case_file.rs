//! `case.json`: the whole stimulus of a check that failed, as data, and what came of it. Sent again without the
//! generator, it is the same stimulus in every version.

pub(crate) mod bytes;
mod ids;
mod marks;

use std::collections::BTreeSet;
use std::time::Duration;

use piopiy_events::Profile;
use serde::{Deserialize, Serialize};

use self::ids::Ids;
use self::marks::{Hidden, fill};
use super::script::Sent;
use super::{Case, CaseEvidence, Check, Malformed, Outcome, Script, Sources, Terms, Verdict, find};
use crate::judge::explore;
use crate::judge::reproducer::Saw;
use crate::plan::{GENERATOR, Nonce, Seed};

/// The document's name and version.
pub(crate) const SCHEMA: &str = "piopiy-mock.case/v1";

/// A check that failed: what was sent, and what came of it.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::judge::check::CaseFile;
///
/// let error = CaseFile::parse("case.json", r#"{"schema":"piopiy-mock.case/v9"}"#).unwrap_err();
/// assert!(error.to_string().contains("v9"));
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CaseFile {
    pub(crate) schema: String,
    pub(crate) check: String,
    pub(crate) title: String,
    pub(crate) verdict: Verdict,
    pub(crate) detail: String,
    /// The version of the suite.
    pub(crate) suite: String,
    /// The version of the generator, which nothing here needs any more.
    pub(crate) generator: String,
    /// The URL, without its secrets.
    pub(crate) target: String,
    pub(crate) profile: String,
    pub(crate) seed: String,
    pub(crate) nonce: String,
    pub(crate) malformed: Malformed,
    pub(crate) ack_limit: Duration,
    /// How long the receiver took for a plain webhook before any check; not in every file of this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) baseline: Option<Duration>,
    /// How effects were seen.
    pub(crate) observation: String,
    /// Where, without its secrets; a command is not told, for it may hold some.
    pub(crate) observe: Option<String>,
    pub(crate) capabilities: BTreeSet<String>,
    /// Whether its webhooks are signed.
    pub(crate) is_signed: bool,
    /// The names of the header lines whose values are left out.
    pub(crate) secrets: Vec<String>,
    /// How many cases of the check are not here, because the verdict stays without them.
    pub(crate) left_out: usize,
    /// The ids that `{{piopiy:id.N}}` stands for.
    pub(crate) ids: Vec<String>,
    pub(crate) cases: Vec<Case>,
    /// A plain webhook: measures the receiver before, and looks whether it still works after each case.
    pub(crate) canary: Script,
    /// What was seen of each case.
    pub(crate) saw: Vec<Saw>,
}

/// Why a text is no [`CaseFile`], or cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseFileError {
    /// It is no such document.
    #[error("{place} is no failed case of this suite: {reason}")]
    Syntax {
        /// Where it was read.
        place: String,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// It is of another version.
    #[error("{place} is of schema {found:?}, and this suite reads {SCHEMA:?}: use the version that wrote it")]
    Schema {
        /// Where it was read.
        place: String,
        /// What it says.
        found: String,
    },
    /// There is no such check.
    #[error("{place} is of the check {id:?}, which this version has not")]
    Check {
        /// Where it was read.
        place: String,
        /// The id.
        id: String,
    },
    /// It is signed, and nobody has given the key.
    #[error(
        "the webhooks of {check} are signed, and the key is a secret: give it as the failed run had it (--capabilities with signature=KEY)"
    )]
    Signed {
        /// The check.
        check: String,
    },
    /// It leaves a secret out, and nobody has given it.
    #[error(
        "{what} is not in case.json, for it is a secret: give it as the failed run had it (--token for Authorization)"
    )]
    Secret {
        /// What is missing.
        what: String,
    },
}

/// What a run adds to the evidence of a check that failed.
#[derive(Debug)]
pub(crate) struct Failed<'a> {
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    pub(crate) outcome: &'a Outcome,
    pub(crate) terms: &'a Terms,
    pub(crate) sources: &'a Sources,
    /// Without its secrets.
    pub(crate) target: String,
    pub(crate) observation: &'static str,
    /// Without its secrets.
    pub(crate) observe: Option<String>,
    /// The cases that it fails with.
    pub(crate) cases: Vec<CaseEvidence>,
    pub(crate) left_out: usize,
    pub(crate) canary: Script,
    pub(crate) saw: Vec<Saw>,
}

impl CaseFile {
    /// Writes down what failed. Secrets, the receiver's address and ids become marks.
    pub(crate) fn of(failed: Failed<'_>) -> Self {
        let mut cases: Vec<Case> = failed.cases.into_iter().map(|evidence| evidence.case).collect();
        let (mut canary, mut saw) = (failed.canary, failed.saw);
        let ids = Ids::of(&cases, &canary);
        let hidden = Hidden::new(failed.sources, &ids);
        cases.iter_mut().for_each(|case| hidden.hide_case(case));
        hidden.hide_script(&mut canary);
        saw.iter_mut().for_each(|saw| saw.rewrite(&|text| hidden.hide_text(text)));
        let sources = failed.sources;
        Self {
            schema: SCHEMA.to_owned(),
            check: failed.id.to_owned(),
            title: failed.title.to_owned(),
            verdict: failed.outcome.verdict,
            detail: hidden.without_secrets(&failed.outcome.detail),
            suite: env!("CARGO_PKG_VERSION").to_owned(),
            generator: GENERATOR.to_owned(),
            target: failed.target,
            profile: sources.profile.as_str().to_owned(),
            seed: sources.seed.to_string(),
            nonce: sources.nonce.to_string(),
            malformed: failed.terms.malformed,
            ack_limit: failed.terms.ack_limit,
            baseline: Some(failed.terms.baseline),
            observation: failed.observation.to_owned(),
            observe: failed.observe,
            capabilities: sources.capabilities.clone(),
            is_signed: sources.signing_key.is_some(),
            secrets: sources.headers.iter().map(|(name, _)| name.clone()).collect(),
            left_out: failed.left_out,
            ids: ids.into_vec(),
            cases,
            canary,
            saw,
        }
    }

    /// Reads a document; `place` is said where something is wrong with it.
    ///
    /// # Errors
    /// If it is none, of another version, or of a check that there is not.
    pub fn parse(place: &str, text: &str) -> Result<Self, CaseFileError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let place = place.to_owned();
        let syntax = |error: serde_json::Error| CaseFileError::Syntax {
            place: place.clone(),
            reason: error.to_string(),
        };
        let head: Head = serde_json::from_str(text).map_err(syntax)?;
        if head.schema != SCHEMA {
            return Err(CaseFileError::Schema { place, found: head.schema });
        }
        let file: Self = serde_json::from_str(text).map_err(syntax)?;
        match of_id(&file.check) {
            Some(_) => Ok(file),
            None => Err(CaseFileError::Check { place, id: file.check }),
        }
    }

    /// Whether a text is such a document, of whatever version.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        // The first member of it, which this suite writes first.
        text.trim_start().trim_start_matches('{').trim_start().starts_with("\"schema\"")
            && text.get(..200).unwrap_or(text).contains("\"piopiy-mock.case/")
    }

    /// As JSON.
    pub(crate) fn to_json(&self) -> String {
        // Texts, numbers and lists: nothing that could not be written.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The check that it is of.
    ///
    /// # Panics
    /// Never: [`CaseFile::parse`] has found it.
    #[must_use]
    pub fn check(&self) -> &'static Check {
        of_id(&self.check).unwrap_or_else(|| panic!("{} is no check", self.check))
    }

    /// How long a receiver took before it failed: the same one, slow ever since, is not to be compared with itself.
    pub(crate) fn baseline_of(&self, target: &str) -> Option<Duration> {
        self.baseline.filter(|_| self.target == target)
    }

    /// Whether something of it has no id that could be new: a receiver that keeps its data takes it for a repeat.
    #[must_use]
    pub fn may_be_a_repeat(&self) -> bool {
        let nobody = Sources::new(Profile::default(), Seed(0), Nonce(0), "", "");
        let others = vec![String::new(); self.ids.len()];
        let has_no_id =
            |bytes: &[u8]| fill(bytes, &self.ids, &nobody, &[]) == fill(bytes, &others, &nobody, &[]);
        self.cases.iter().flat_map(|case| &case.expected).any(|expected| has_no_id(&expected.payload.bytes))
    }

    /// What failed: the id of the check, or `EXP-001` for the first of the random schedules.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.check
    }

    /// What came of it when it was written down.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Why.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The URL of the receiver that failed, its secrets as stars.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What was right for a body that cannot be understood.
    #[must_use]
    pub fn malformed(&self) -> Malformed {
        self.malformed
    }

    /// How long an answer might take.
    #[must_use]
    pub fn ack_limit(&self) -> Duration {
        self.ack_limit
    }

    /// What the receiver claimed to have, as `name` or `name=value`.
    #[must_use]
    pub fn capabilities(&self) -> &BTreeSet<String> {
        &self.capabilities
    }

    /// The revision of the wire, the seed and the nonce that it was made from, as text.
    #[must_use]
    pub fn origin(&self) -> [&str; 3] {
        [&self.profile, &self.seed, &self.nonce]
    }

    /// How its effects were seen: `none`, `verify-cmd`, `observe-file` or `observe-url`.
    #[must_use]
    pub fn observation(&self) -> &str {
        &self.observation
    }

    /// Where its effects were seen, without its secrets: a URL or a path.
    #[must_use]
    pub fn observed_at(&self) -> Option<&str> {
        self.observe.as_deref()
    }
}

/// A check of the catalogue, or what judges random schedules.
fn of_id(id: &str) -> Option<&'static Check> {
    find(id).or_else(|| explore::of_id(id))
}

/// The stimulus of a [`CaseFile`], for one receiver and one run.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    file: CaseFile,
    sources: Sources,
    /// What new ids follow from; `None` keeps the old ones.
    nonce: Option<Nonce>,
}

impl Again {
    /// # Errors
    /// If it needs a secret that is not given.
    pub(crate) fn new(file: CaseFile, sources: Sources, nonce: Option<Nonce>) -> Result<Self, CaseFileError> {
        if file.is_signed && sources.signing_key.is_none() {
            return Err(CaseFileError::Signed { check: file.check });
        }
        let again = Self { file, sources, nonce };
        let given = |name: &String| again.sources.headers.iter().any(|(given, _)| given == name);
        match again.file.secrets.iter().find(|name| !given(name)) {
            Some(name) => Err(CaseFileError::Secret { what: name.clone() }),
            None => Ok(again),
        }
    }

    /// Its cases, signed at `now_s` where they are; another `attempt` has other ids.
    pub(crate) fn cases(&self, attempt: u32, now_s: u64) -> Vec<Case> {
        let nonce = self.nonce.map(|nonce| Nonce(nonce.0.wrapping_add(u64::from(attempt) << 32)));
        let ids = self.ids(nonce);
        let mut cases = self.file.cases.clone();
        for case in &mut cases {
            for script in case.steps.iter_mut().flat_map(|step| step.scripts_mut()) {
                self.fill_script(script, &ids, nonce, now_s);
            }
            for expected in &mut case.expected {
                let payload = &mut expected.payload;
                payload.bytes = self.filled(&payload.bytes, &ids);
                let id = self.filled(payload.cmiuuid.as_bytes(), &ids);
                payload.cmiuuid = String::from_utf8_lossy(&id).into_owned();
            }
        }
        cases
    }

    /// The n-th plain webhook, always with fresh ids.
    pub(crate) fn canary(&self, n: u32, now_s: u64) -> Script {
        let nonce = self.nonce.unwrap_or(self.sources.nonce);
        let nonce = Nonce(nonce.0 ^ (u64::from(n) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut script = self.file.canary.clone();
        self.fill_script(&mut script, &self.ids(Some(nonce)), Some(nonce), now_s);
        script
    }

    fn filled(&self, bytes: &[u8], ids: &[String]) -> Vec<u8> {
        fill(bytes, ids, &self.sources, &[])
    }

    /// Puts ids, secrets and the receiver's address in their places, and signs what is signed.
    fn fill_script(&self, script: &mut Script, ids: &[String], nonce: Option<Nonce>, now_s: u64) {
        let sign = |sent: &Sent| {
            let (signed, key) = (sent.signed.as_ref()?, self.sources.signing_key.as_ref()?);
            let id = nonce.map_or_else(|| signed.id.clone(), |nonce| renewed(&signed.id, nonce));
            Some(signed.again(key, id, now_s, &|bytes| self.filled(bytes, ids)))
        };
        let signed: Vec<_> = script.requests.iter().map(sign).collect();
        marks::rewrite(script, &|bytes: &[u8]| fill(bytes, ids, &self.sources, &signed));
    }

    fn ids(&self, nonce: Option<Nonce>) -> Vec<String> {
        let ids = self.file.ids.iter();
        ids.map(|id| nonce.map_or_else(|| id.clone(), |nonce| renewed(id, nonce))).collect()
    }
}

/// Another id of the same shape.
fn renewed(id: &str, nonce: Nonce) -> String {
    String::from_utf8_lossy(&crate::deliver::new_id(id.as_bytes(), nonce.0)).into_owned()
}

impl CaseFile {
    /// What a script sends to a receiver at `host` and `target`, with the very ids; secrets stay marks.
    pub(crate) fn filled(&self, bytes: &[u8], host: &str, target: &str) -> Vec<u8> {
        let nobody = Sources::new(Profile::default(), Seed(0), Nonce(0), host, target);
        fill(bytes, &self.ids, &nobody, &[])
    }
}

/// Left out of the document.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
