use std::io::Write as _;

use piopiy_mock_platform::platform::Config;

/// Tells of what the configuration names and is not there. It may come yet, and calls go on without.
pub(super) fn tell(config: &Config) {
    for what in missing(config) {
        // Nobody may be reading.
        let _ = writeln!(std::io::stderr().lock(), "warning: {what}");
    }
}

fn missing(config: &Config) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(folder) = config.files.as_ref().filter(|folder| !folder.is_dir()) {
        told.push(format!(
            "[platform] files: there is no folder {}: what is played from it is taken for `unknown-file`",
            folder.display()
        ));
    }
    let everybody = [("[platform.caller]", &config.caller.says), ("[platform.callee]", &config.callee.says)];
    let others = config.people.iter().map(|person| ("[[platform.person]]", &person.says));
    for (table, says) in everybody.into_iter().chain(others) {
        if let Some(file) = says.as_ref().filter(|file| !file.is_file()) {
            told.push(format!(
                "{table} says: there is no file {}: speech is made up in its place",
                file.display()
            ));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use piopiy_mock_platform::platform::Config;

    use super::missing;

    #[test]
    fn what_is_not_there_is_told_by_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("hello.wav");
        std::fs::write(&there, "").unwrap();
        let text = format!(
            "[platform]\nfiles = {:?}\n[platform.caller]\nsays = {there:?}\n[[platform.person]]\nnumber = 1\nsays = \"gone.wav\"\n",
            folder.path().join("none")
        );
        let told = missing(&Config::parse("mine.toml", &text).unwrap());
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("[platform] files: there is no folder ") && told[0].contains("none"));
        assert_eq!(
            told[1],
            "[[platform.person]] says: there is no file gone.wav: speech is made up in its place"
        );
        assert!(missing(&Config::default()).is_empty());
    }
}
