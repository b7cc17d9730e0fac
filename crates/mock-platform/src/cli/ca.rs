use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use piopiy_mock_platform::platform::LocalCa;

use super::exit::{Exit, Failure, OrExit};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # What a client is to trust, in a file
  piopiy-mock ca --out piopiy-mock-ca.pem
  SSL_CERT_FILE=piopiy-mock-ca.pem python app.py
  NODE_EXTRA_CA_CERTS=piopiy-mock-ca.pem node app.js

The certificates are those of `serve --tls`: for rest.piopiy.com, rest.telecmi.com,
piopiy.telecmi.com and localhost. The authority can vouch for no other name; its key stays in a file
that only you can read. It is valid for ten years, a certificate of `serve --tls` for 397 days from
its start. An authority that ends within 30 days is warned of; one that has ended is refused.";

/// Print the certificate that clients of `serve --tls` are to trust; it is made when it is first asked for
#[derive(Debug, Args)]
pub(crate) struct CaArgs {
    /// Write it to this file, in place of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &CaArgs) -> Result<Exit, Failure> {
    let ca = open()?;
    match &args.out {
        Some(path) => {
            if is_same(path, ca.path()) {
                let error = anyhow::anyhow!(
                    "{} is where the authority keeps its key: choose another file with `--out`",
                    path.display()
                );
                return Err(Failure::new(Exit::Usage, error));
            }
            std::fs::write(path, ca.certificate())
                .map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", path.display()))
                .or_exit(Exit::Environment)?;
            // Nobody may be reading.
            let _ = writeln!(
                std::io::stderr().lock(),
                "{}: written; its key stays in {}",
                path.display(),
                ca.path().display()
            );
        }
        None => std::io::stdout().lock().write_all(ca.certificate().as_bytes())?,
    }
    Ok(Exit::Fine)
}

/// Whether two paths are one file, which is there.
fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    whole(one).is_some_and(|one| whole(other) == Some(one))
}

/// The authority of this user.
pub(crate) fn open() -> Result<LocalCa, Failure> {
    let folder = folder().ok_or_else(|| {
        let error = anyhow::anyhow!(
            "nobody says where your data is kept: set XDG_DATA_HOME to a folder, for the certificate authority"
        );
        Failure::new(Exit::Environment, error)
    })?;
    let ca = LocalCa::open(&folder).or_exit(Exit::Environment)?;
    if let Some(warning) = ca.warning() {
        // Nobody may be reading.
        let _ = writeln!(std::io::stderr().lock(), "warning: {warning}");
    }
    Ok(ca)
}

fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local").join("share"));
    let windows = || std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
    given.or_else(home).or_else(windows).map(|folder| folder.join("piopiy-mock"))
}
