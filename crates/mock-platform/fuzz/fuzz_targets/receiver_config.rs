//! Any text as the configuration of `piopiy-receiver serve` (`--config`), and as its file of destinations (`--forward-file`): it is
//! taken, or refused with a sentence that says where.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// The program's own modules, for it is no library.
#[path = "../../../receiver/src/cli"]
#[expect(dead_code, reason = "of what the program does only its files are read here")]
mod cli {
    mod config;
    mod exit;
    mod forwarding;
    mod logging;
    mod open_files;
    mod output;
    mod page;
    mod quantity;
    mod secret;
    mod serve;
    mod signals;
    mod store_value;
    mod waiting;

    /// Of that module nothing else is asked for.
    mod forward_state {
        pub(super) fn default_state(_store: &piopiy_receiver::StoreLocation) -> Option<std::path::PathBuf> {
            None
        }
    }

    use std::path::Path;

    use clap::error::ErrorKind;
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use self::exit::Failure;

    #[derive(Debug, Parser)]
    enum Cli {
        Serve(Box<serve::Serve>),
        Forward(Destinations),
    }

    #[derive(Debug, clap::Args)]
    struct Destinations {
        #[command(flatten)]
        forwarding: forwarding::Forwarding,
    }

    /// The command line of the program, which takes long to make.
    pub(super) fn command() -> clap::Command {
        Cli::command()
    }

    pub(super) fn configuration(command: &clap::Command, file: &Path) {
        let words = ["piopiy-receiver".as_ref(), "serve".as_ref(), "--config".as_ref(), file.as_os_str()];
        match config::arguments(words.map(ToOwned::to_owned).into(), command) {
            Ok(all) => {
                let Err(error) = command.clone().try_get_matches_from(all) else { return };
                let is_of_one = matches!(
                    error.kind(),
                    ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::UnknownArgument
                );
                assert!(!is_of_one, "what is wrong with a line is told with its line: {error}");
            }
            Err(Failure::Usage(text)) => {
                assert!(text.contains(", line "), "it is told where: {text}");
                assert!(!text.ends_with(": "), "it is told what: {text}");
            }
            Err(other) => panic!("the file is there, and nothing else is looked at: {other:?}"),
        }
    }

    pub(super) fn destinations(command: &clap::Command, file: &Path) {
        let words =
            ["piopiy-receiver".as_ref(), "forward".as_ref(), "--forward-file".as_ref(), file.as_os_str()];
        let matches = command.clone().try_get_matches_from(words).expect("these are options");
        let Ok(Cli::Forward(given)) = Cli::from_arg_matches(&matches) else { panic!("these are options") };
        match given.forwarding.destinations() {
            Ok(destinations) => assert!(!destinations.is_empty(), "a file without any is refused"),
            Err(Failure::Usage(text)) => {
                assert!(text.starts_with("--forward-file "), "it is told where: {text}");
            }
            // A file that it names is not there.
            Err(Failure::Environment(error)) => assert!(!error.to_string().is_empty()),
            Err(other) => panic!("nothing else can fail: {other:?}"),
        }
    }
}

static COMMAND: LazyLock<clap::Command> = LazyLock::new(cli::command);
/// Both are read from a file.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("piopiy-fuzz-{}.toml", std::process::id())));

fuzz_target!(|text: &str| {
    std::fs::write(&*FILE, text).expect("the temporary folder can be written to");
    cli::configuration(&COMMAND, &FILE);
    cli::destinations(&COMMAND, &FILE);
});
