use maud::{Markup, html};

use crate::since;

/// Where things are. There are two drawings, and the width of the screen says which is seen.
struct Geometry {
    class: &'static str,
    width: u32,
    /// The lanes of which the first and the last are.
    first: u32,
    last: u32,
    /// From one rung to the next.
    step: u32,
    /// The status is behind the last lane, or below the rung.
    is_wide: bool,
    /// A character, roughly: tenths of a unit.
    character: u32,
}

const WIDE: Geometry =
    Geometry { class: "wide", width: 940, first: 96, last: 836, step: 33, is_wide: true, character: 66 };
const NARROW: Geometry =
    Geometry { class: "narrow", width: 346, first: 62, last: 312, step: 46, is_wide: false, character: 67 };
/// No more are drawn: the first ones, and as many of the last.
const MOST: usize = 400;

/// All that passed in a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ladder {
    /// What it is of, for whoever cannot see it.
    pub label: String,
    /// From left to right.
    pub lanes: Vec<Lane>,
    /// In the order of time.
    pub rungs: Vec<Rung>,
    /// The lane on which audio flows, where there is one.
    pub audio: Option<usize>,
}

/// Somebody that things pass between.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lane {
    /// What stands at its head.
    pub name: String,
    /// The same where there is little room.
    pub short: String,
    /// When it is drawn.
    pub presence: Presence,
}

/// When a lane is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "made by whoever draws")]
pub enum Presence {
    /// On every ladder.
    Always,
    /// Where there is room, or something passes by it.
    Wide,
    /// Where something passes by it.
    Used,
}

/// The colour of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is a colour for each")]
pub enum Tone {
    /// As it should be.
    Good,
    /// Not as usual.
    Odd,
    /// Not as it should be.
    Bad,
    /// Neither.
    Plain,
}

/// Something that passed, or happened on one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rung {
    /// When, in milliseconds since the first.
    pub at_ms: u64,
    /// The lane it comes from, by its place.
    pub from: usize,
    /// The lane it goes to.
    pub to: usize,
    /// The class that colours it: `person`, `event`, `cdr`, `flow`, `audio` or `rest`.
    pub kind: &'static str,
    /// What it says.
    pub text: String,
    /// What came of it.
    pub status: Option<(String, Tone)>,
    /// Whether it is drawn with dashes.
    pub is_odd: bool,
    /// Whether audio flows from here on, or no longer.
    pub audio: Option<bool>,
    /// Where all of it is.
    pub href: String,
    /// Whether that is shown now.
    pub is_selected: bool,
}

impl Tone {
    /// Its class in the style.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Odd => "warn",
            Self::Bad => "bad",
            Self::Plain => "mute",
        }
    }
}

impl Lane {
    /// A lane with a name, and a short one.
    #[must_use]
    pub fn new(name: impl Into<String>, short: impl Into<String>, presence: Presence) -> Self {
        Self { name: name.into(), short: short.into(), presence }
    }
}

impl Rung {
    /// A rung without a status: when, from which lane to which, its colour, what it says, and where all of it is.
    #[must_use]
    pub fn new(
        at_ms: u64,
        from: usize,
        to: usize,
        kind: &'static str,
        text: impl Into<String>,
        href: impl Into<String>,
    ) -> Self {
        let (text, href) = (text.into(), href.into());
        let (status, is_odd, audio, is_selected) = (None, false, None, false);
        Self { at_ms, from, to, kind, text, status, is_odd, audio, href, is_selected }
    }
}

impl Ladder {
    /// A ladder on which no audio flows.
    #[must_use]
    pub fn new(label: impl Into<String>, lanes: Vec<Lane>, rungs: Vec<Rung>) -> Self {
        Self { label: label.into(), lanes, rungs, audio: None }
    }

    /// Draws it twice, wide and narrow; what does not fit into 400 rungs is left out in the middle, and told.
    #[must_use]
    pub fn draw(mut self) -> Markup {
        let left_out = self.rungs.len().saturating_sub(MOST);
        if left_out > 0 {
            self.rungs.drain(MOST / 2..MOST / 2 + left_out);
        }
        html! {
            @if left_out > 0 { p.mute { (left_out) " messages in the middle are not drawn." } }
            @for geometry in [&WIDE, &NARROW] { (self.drawing(geometry)) }
        }
    }

    fn drawing(&self, geometry: &Geometry) -> Markup {
        let lanes = self.drawn_lanes(geometry);
        let x = |lane: usize| -> u32 {
            let place = lanes.iter().position(|drawn| *drawn == lane).unwrap_or_default();
            let places = u32::try_from(lanes.len().saturating_sub(1)).unwrap_or(1).max(1);
            geometry.first
                + (geometry.last - geometry.first) * u32::try_from(place).unwrap_or_default() / places
        };
        let y = |at: usize| 58 + geometry.step * u32::try_from(at).unwrap_or_default();
        let height = y(self.rungs.len()) + if geometry.is_wide { 0 } else { 8 };
        let arrow = format!("arrow-{}", geometry.class);
        let (count, s) = (self.rungs.len(), if self.rungs.len() == 1 { "" } else { "s" });
        html! {
            svg.ladder.(geometry.class) viewBox={ "0 0 " (geometry.width) " " (height) } role="group"
                aria-label={ (self.label) ", " (count) " message" (s) } {
                defs {
                    marker id=(arrow) viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" {
                        path d="M0 0 8 4 0 8z" fill="context-stroke" {}
                    }
                }
                g aria-hidden="true" {
                    @for lane in &lanes {
                        @let Lane { name, short, .. } = &self.lanes[*lane];
                        text.lane x=(x(*lane)) y="18" text-anchor="middle" { @if geometry.is_wide { (name) } @else { (short) } }
                        line.life x1=(x(*lane)) y1="28" x2=(x(*lane)) y2=(height - 6) {}
                    }
                    @if let Some(audio) = self.audio {
                        @for (from, to) in flowing(&self.rungs) {
                            rect.flowing x=(x(audio) - 11) y=(y(from) + 8) width="22"
                                height=(y(to).saturating_sub(y(from) + 16)) rx="4" {}
                        }
                    }
                }
                @for (at, rung) in self.rungs.iter().enumerate() {
                    (self.one(rung, y(at), x(rung.from), x(rung.to), geometry, &arrow))
                }
            }
        }
    }

    fn one(&self, rung: &Rung, y: u32, from: u32, to: u32, geometry: &Geometry, arrow: &str) -> Markup {
        let time = since(rung.at_ms);
        let left = from.min(to) + if from == to { 12 } else { 8 };
        // What happens on a lane alone has no answer beside it.
        let has_room = !geometry.is_wide || (from == to && rung.status.is_none());
        let right = if has_room { geometry.width } else { geometry.last - 4 };
        let most = (right.saturating_sub(left) * 10 / geometry.character).max(8);
        let (text, is_cut) = cut(&rung.text, most);
        let status = rung.status.as_ref();
        // What is seen, in the order in which it is there: whoever says it to the machine means this. The title has all
        // of a text that is cut.
        let said = format!(
            "{time} {}{text}, {} to {}",
            status.map(|(status, _)| format!("{status} ")).unwrap_or_default(),
            self.lanes[rung.from].name,
            self.lanes[rung.to].name,
        );
        let end = if to > from { to - 3 } else { to + 3 };
        let base = if from == to { y + 4 } else { y - 6 };
        html! {
            a.rung.(rung.kind).odd[rung.is_odd].selected[rung.is_selected] href=(rung.href) aria-label=(said)
                aria-current=[rung.is_selected.then_some("true")] data-in-place {
                @if is_cut { title { (rung.text) } }
                rect.hit x="0" y=(y - geometry.step / 2 - 4) width=(geometry.width) height=(geometry.step) rx="4" {}
                // The spaces are not seen: they part the words for whoever reads the text of it all.
                text.t x="4" y=(y + 4) { (time) } " "
                @if let Some((status, tone)) = status {
                    @if geometry.is_wide {
                        text.status.(tone.class()) x=(geometry.last + 10) y=(y + 4) { (status) }
                    } @else {
                        text.status.(tone.class()) x=(geometry.width - 2) y=(y + 17) text-anchor="end" { (status) }
                    }
                    " "
                }
                @if from == to {
                    circle.note cx=(from) cy=(y) r="4" {}
                } @else {
                    path.way d={ "M" (from) " " (y) "H" (end) } marker-end={ "url(#" (arrow) ")" } {}
                }
                text.says x=(left) y=(base) { (text) }
            }
        }
    }

    /// The places of the lanes that are drawn.
    fn drawn_lanes(&self, geometry: &Geometry) -> Vec<usize> {
        let is_used = |lane| self.rungs.iter().any(|rung| rung.from == lane || rung.to == lane);
        let is_drawn = |lane: &usize| match self.lanes[*lane].presence {
            Presence::Always => true,
            Presence::Wide => geometry.is_wide || is_used(*lane),
            Presence::Used => is_used(*lane),
        };
        (0..self.lanes.len()).filter(is_drawn).collect()
    }
}

/// From which rung to which audio flows.
fn flowing(rungs: &[Rung]) -> Vec<(usize, usize)> {
    let mut flowing = Vec::new();
    let mut since = None;
    for (at, rung) in rungs.iter().enumerate() {
        match rung.audio {
            Some(true) => since = Some(at),
            Some(false) => flowing.extend(since.take().map(|from| (from, at))),
            None => {}
        }
    }
    flowing.extend(since.map(|from| (from, rungs.len())));
    flowing
}

/// A text that fits, and whether something of it is missing.
fn cut(text: &str, most: u32) -> (String, bool) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if text.chars().count() <= most {
        return (text.to_owned(), false);
    }
    (text.chars().take(most.saturating_sub(1)).chain(['…']).collect(), true)
}

#[cfg(test)]
mod tests {
    use super::{Ladder, Lane, MOST, NARROW, Presence, Rung, WIDE, cut, flowing};

    fn ladder(rungs: Vec<Rung>) -> Ladder {
        let lanes = vec![
            Lane::new("caller", "caller", Presence::Always),
            Lane::new("platform", "platform", Presence::Always),
            Lane::new("answer URL", "answer", Presence::Wide),
            Lane::new("API client", "API", Presence::Used),
        ];
        Ladder::new("Ladder of call 4", lanes, rungs)
    }

    fn calls(text: &str) -> Rung {
        Rung::new(0, 0, 1, "person", text, "/rows/0")
    }

    #[test]
    fn lanes_are_drawn_where_there_is_room_or_something_passes_by() {
        assert_eq!(ladder(vec![calls("x")]).drawn_lanes(&WIDE), [0, 1, 2]);
        assert_eq!(ladder(vec![calls("x")]).drawn_lanes(&NARROW), [0, 1]);
        let asks = Rung::new(1, 1, 2, "flow", "asks", "/rows/1");
        assert_eq!(ladder(vec![asks]).drawn_lanes(&NARROW), [0, 1, 2]);
        let orders = Rung::new(1, 3, 1, "rest", "orders", "/rows/1");
        assert_eq!(ladder(vec![orders]).drawn_lanes(&WIDE), [0, 1, 2, 3]);
    }

    #[test]
    fn audio_flows_from_rung_to_rung() {
        let mut rungs = vec![calls("a"), calls("b"), calls("c"), calls("d")];
        (rungs[1].audio, rungs[3].audio) = (Some(true), Some(false));
        assert_eq!(flowing(&rungs), [(1, 3)]);
        assert_eq!(flowing(&rungs[..3]), [(1, 3)], "it flows still");
        assert_eq!(flowing(&rungs[..1]), []);
    }

    #[test]
    fn what_somebody_else_wrote_is_text() {
        let hostile = "</title></text><script>alert(1)</script>\"' onload=x".repeat(9);
        let mut rung = calls(&hostile);
        rung.href.clone_from(&hostile);
        let mut ladder = ladder(vec![rung]);
        ladder.lanes[0].name.clone_from(&hostile);
        ladder.label = hostile;
        let drawn = ladder.draw().into_string();
        assert!(!drawn.contains("<script") && !drawn.contains("\"' onload"), "{drawn}");
    }

    #[test]
    fn a_long_ladder_is_cut_in_its_middle() {
        let drawn = ladder((0..1_000).map(|n| calls(&format!("no {n}"))).collect()).draw().into_string();
        assert!(drawn.contains("600 messages in the middle are not drawn."));
        assert_eq!(drawn.matches("class=\"rung").count(), 2 * MOST);
        assert!(drawn.contains(">no 0<") && drawn.contains(">no 999<") && !drawn.contains(">no 500<"));
    }

    #[test]
    fn a_text_that_does_not_fit_ends_in_dots() {
        assert_eq!(cut("öööö", 4), ("öööö".to_owned(), false));
        assert_eq!(cut("ööööö", 4), ("ööö…".to_owned(), true));
    }
}
