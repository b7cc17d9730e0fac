use maud::{Markup, html};
use piopiy_events::Phase;

/// What stands in the head of a page that is served with [`STYLE`](crate::STYLE) at `/ladder.css`, [`SCRIPT`](crate::SCRIPT)
/// at `/ladder.js`, and a style of its own at `style`.
#[must_use]
pub fn head(title: &str, style: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            link rel="icon" href="data:,";
            link rel="stylesheet" href="/ladder.css";
            link rel="stylesheet" href=(style);
            script src="/ladder.js" defer {}
        }
    }
}

/// Where a call is, in words, and its colour: a class of [`STYLE`](crate::STYLE).
///
/// # Examples
/// ```
/// use piopiy_events::Phase;
///
/// assert_eq!(piopiy_ladder::in_words(Phase::EndedMissed), ("missed", "mute"));
/// ```
#[must_use]
pub fn in_words(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::Offered => ("begins", "flow"),
        Phase::Ringing => ("ringing", "flow"),
        Phase::Active => ("on the line", "event"),
        Phase::Streaming => ("streaming", "audio"),
        Phase::Bridged => ("bridged", "event"),
        Phase::EndedAnswered => ("answered", "ok"),
        Phase::EndedMissed => ("missed", "mute"),
        _ => ("on", "event"),
    }
}
