//! What shells and `man` are given.

use crate::cli::run;

#[test]
fn shells_complete_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = run(folder.path(), &["completions", shell]);
        assert!(said.contains("exit code 0"), "{said}");
        for word in ["serve", "export", "forward", "replay"] {
            assert!(said.contains(word), "{shell} knows no {word}");
        }
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    for (words, title) in [
        (&["man"][..], "piopiy\\-receiver \\- "),
        (&["man", "serve"], "piopiy\\-receiver\\-serve \\- "),
        (&["man", "forward", "replay"], "piopiy\\-receiver\\-forward\\-replay \\- "),
    ] {
        let page = run(folder.path(), words);
        assert!(page.contains("exit code 0") && page.contains(title), "{page}");
    }
    let wrong = run(folder.path(), &["man", "forward", "nothing"]);
    assert!(wrong.contains("exit code 2") && wrong.contains("no subcommand \"nothing\""), "{wrong}");
}
