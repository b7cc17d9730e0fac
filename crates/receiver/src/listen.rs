use std::io;

use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs, lookup_host};

/// Connections that may wait to be accepted. [`TcpListener::bind`] lets 128 wait, fewer than a busy second brings: what comes
/// beyond is dropped or reset by the system, and nobody here sees it. The system has a limit of its own (on Linux
/// `net.core.somaxconn`, 4,096 unless set).
const BACKLOG: u32 = 4096;

/// Listens as [`TcpListener::bind`] does, with room for a crowd that waits to be accepted.
///
/// # Errors
/// Where none of the addresses can be listened on: why not on the last of them.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = piopiy_receiver::listen("127.0.0.1:0").await?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok(())
/// # }
/// ```
pub async fn listen(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the name stands for no address");
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let listener = socket.and_then(|socket| {
            // As `bind` does: on Windows it would let two listen on one port.
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        });
        match listener {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_crowd_that_is_not_accepted_yet_is_connected() {
        const CROWD: usize = 300;
        let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let crowd = CROWD.min(allowed.trim().parse().unwrap());
        let listener = listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connected = Vec::new();
        for n in 0..crowd {
            // One for whom there is no room would hear nothing until somebody is accepted.
            let connecting = tokio::time::timeout(Duration::from_secs(20), TcpStream::connect(address));
            connected.push(connecting.await.unwrap_or_else(|_| panic!("no room after {n}")).unwrap());
        }
    }

    #[tokio::test]
    async fn what_cannot_be_listened_on_is_told() {
        let taken = listen("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let listener = listen(taken).await.unwrap();
        let error = listen(taken).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
    }
}
