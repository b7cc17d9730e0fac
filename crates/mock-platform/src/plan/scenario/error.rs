/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The text is not TOML, or has a key or a value that a scenario has not.
    #[error("{name}:{line}:{column}: {message}")]
    Toml {
        /// The scenario's name or file.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong, and what to write instead.
        message: String,
    },
    /// The values are of the right type and mean nothing together.
    #[error("{name}: {message}")]
    Meaning {
        /// The scenario's name or file.
        name: String,
        /// What is wrong, with the key.
        message: String,
    },
    /// No built-in scenario has the name.
    #[error("no scenario is called {name:?}{hint}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// What there is instead.
        hint: String,
    },
}

impl ScenarioError {
    pub(crate) fn toml(name: &str, text: &str, source: &toml::de::Error) -> Self {
        let offset = source.span().map_or(0, |span| span.start).min(text.len());
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self::Toml {
            name: name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: with_suggestion(source.message()),
        }
    }

    pub(crate) fn meaning(name: &str, message: String) -> Self {
        let name = name.to_owned();
        Self::Meaning { name, message }
    }

    pub(super) fn unknown(name: &str, builtin: impl Iterator<Item = &'static str>) -> Self {
        let names: Vec<&str> = builtin.collect();
        let hint = match closest(name, &names) {
            Some(close) => format!(": did you mean `{close}`?"),
            None => format!("; built in are {}", names.join(", ")),
        };
        let name = name.to_owned();
        Self::Unknown { name, hint }
    }
}

/// Serde's message for an unknown key or word, said so that it helps: the likeliest one first.
fn with_suggestion(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (what, rest) = match message {
        _ if message.starts_with("unknown field ") => ("unknown key", "keys here"),
        _ if message.starts_with("unknown variant ") => ("unknown word", "words here"),
        _ => return in_plain_words(message.trim_end()),
    };
    let Some((unknown, known)) = quoted.split_first() else {
        return message.to_owned();
    };
    let known_words = known.join(", ");
    match closest(unknown, known) {
        Some(close) => format!("{what} `{unknown}`: did you mean `{close}`? The {rest}: {known_words}"),
        None => format!("{what} `{unknown}`; the {rest}: {known_words}"),
    }
}

/// Serde calls types as Rust does.
fn in_plain_words(message: &str) -> String {
    let Some((given, wanted)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let wanted = match wanted {
        "f32" | "f64" => "a number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i32" | "i64" => "a whole number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text",
        "a sequence" => "a list",
        "a map" => "a table",
        wanted if wanted.starts_with("struct ") => "a table",
        wanted => wanted,
    };
    format!("{given}, expected {wanted}")
}

fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|candidate| (strsim::jaro_winkler(word, candidate), *candidate));
    let best = scored.max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(score, _)| *score > 0.8).map(|(_, candidate)| candidate)
}
