//! `piopiy-receiver`: runs the receiver, and shows what its store holds.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
