use clap::Args;
use globset::{GlobBuilder, GlobMatcher};
use piopiy_mock_platform::judge::check::{Check, Group, Severity, Tag, all};

/// Which checks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct SelectArgs {
    /// Only those whose id fits, as DUP-002 or 'DUP-*'; may be given several times. One that is named whole runs, however
    /// long it takes
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    only: Vec<String>,
    /// Not those whose id fits
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    skip: Vec<String>,
    /// Only those of a group: TRN, JSN, SCH, PIO, ORD, DUP, RTY, LAT, CON, SEC or AVL
    #[arg(long, value_delimiter = ',')]
    group: Vec<Group>,
    /// Only those of a severity: must, should or may
    #[arg(long, value_name = "SEVERITY", value_delimiter = ',')]
    level: Vec<Severity>,
    /// Only those with a tag: slow, soak, waits, load, latency, time or destructive
    #[arg(long, value_delimiter = ',')]
    tag: Vec<Tag>,
    /// Those too that wait for a minute
    #[arg(long)]
    all: bool,
    /// Those too that take many minutes
    #[arg(long)]
    soak: bool,
    /// List what is selected, and run nothing
    #[arg(long)]
    pub(super) list: bool,
}

impl SelectArgs {
    /// Whether anything is said about which.
    pub(super) fn is_given(&self) -> bool {
        let lists = [self.only.len(), self.skip.len(), self.group.len(), self.level.len(), self.tag.len()];
        lists.into_iter().any(|given| given > 0) || self.all || self.soak
    }

    /// Patterns of `--only` and `--skip` that fit no check there is: a word misspelt selects less than was meant.
    pub(super) fn unmatched(&self) -> Vec<&str> {
        let fits_none = |text: &&String| {
            globs(std::slice::from_ref(*text)).is_ok_and(|globs| {
                !all().iter().any(|check| globs.iter().any(|glob| glob.is_match(check.id)))
            })
        };
        self.only.iter().chain(&self.skip).filter(fits_none).map(String::as_str).collect()
    }

    pub(super) fn checks(&self) -> Result<Vec<&'static Check>, globset::Error> {
        let (only, skip) = (globs(&self.only)?, globs(&self.skip)?);
        let fits = |globs: &[GlobMatcher], check: &Check| globs.iter().any(|glob| glob.is_match(check.id));
        let is_wanted = |check: &&'static Check| {
            let has = |tag| check.tags.contains(&tag);
            // What is asked for by name is run, however long it takes. A pattern selects from what else would be run.
            let is_named = self.only.iter().any(|name| name.eq_ignore_ascii_case(check.id));
            let by_name = is_named || self.tag.iter().any(|tag| has(*tag));
            let in_time = by_name || ((!has(Tag::Slow) || self.all) && (!has(Tag::Soak) || self.soak));
            in_time
                && (only.is_empty() || fits(&only, check))
                && !fits(&skip, check)
                && (self.group.is_empty() || self.group.contains(&check.group()))
                && (self.level.is_empty() || self.level.contains(&check.severity))
                && (self.tag.is_empty() || self.tag.iter().any(|tag| has(*tag)))
        };
        Ok(all().into_iter().filter(is_wanted).collect())
    }
}

fn globs(texts: &[String]) -> Result<Vec<GlobMatcher>, globset::Error> {
    let glob = |text: &String| GlobBuilder::new(text).case_insensitive(true).build();
    texts.iter().map(|text| glob(text).map(|glob| glob.compile_matcher())).collect()
}
