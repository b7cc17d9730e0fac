//! Errors of this machine, and not of whoever is called.

use std::io;

/// Whether this machine has no more files, ports or memory for a connection: no fault of whoever is called.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let shortages = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
        Errno::from_io_error(error).is_some_and(|error| shortages.contains(&error))
    }
    #[cfg(not(unix))]
    {
        error.kind() == io::ErrorKind::AddrNotAvailable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receiver_does_is_no_shortage() {
        for kind in
            [io::ErrorKind::ConnectionRefused, io::ErrorKind::TimedOut, io::ErrorKind::ConnectionReset]
        {
            assert!(!is_shortage(&kind.into()), "{kind}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_this_machine_lacks_is() {
        use rustix::io::Errno;
        for lacking in [Errno::ADDRNOTAVAIL, Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(is_shortage(&lacking.into()), "{lacking}");
        }
        assert!(!is_shortage(&Errno::CONNREFUSED.into()));
    }
}
