//! The network between a receiver and its database: a relay that can be cut. No side ends in good order then: what is sent is
//! swallowed, or the near side is reset, and the server learns nothing of either.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{copy, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// When a server that looks after its connections (`tcp_keepalives_…`) would find that nobody is there any more. Until then the
/// relay keeps them open, and only the server's own deadlines end what a transaction has locked.
const SERVER_NOTICES: Duration = Duration::from_secs(25);

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrying {
    /// They work.
    Both,
    /// Those that there are break, and new ones break at once.
    Nothing,
    /// They stay open, and what is sent is swallowed; for those of that time for ever.
    Silently,
    /// As that, but what is sent to the server gets there.
    OneWay,
}

/// The relay. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Link {
    address: SocketAddr,
    carrying: watch::Sender<Carrying>,
    _running: JoinSet<()>,
}

impl Link {
    /// One to a port of this machine.
    ///
    /// # Errors
    /// Where there is no port for it.
    pub(super) async fn to(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for a relay")?;
        let address = listener.local_addr()?;
        let (carrying, watched) = watch::channel(Carrying::Both);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut carried = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                carried.spawn(carry(near, port, watched.clone()));
                while carried.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, carrying, _running: running })
    }

    /// The same URL by way of it.
    ///
    /// # Errors
    /// Where the URL does not lead to the port.
    pub(super) fn instead_of(&self, url: &str, port: u16) -> anyhow::Result<String> {
        let (before, after) = url.split_once(&format!(":{port}/")).context("the URL has another port")?;
        Ok(format!("{before}:{}/{after}", self.address.port()))
    }

    /// From now on.
    pub(super) fn set(&self, carrying: Carrying) {
        self.carrying.send_replace(carrying);
    }
}

async fn carry(mut near: TcpStream, port: u16, mut carrying: watch::Receiver<Carrying>) {
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    // Nothing waits for an acknowledgement here that would not wait without the relay.
    if near.set_nodelay(true).and(far.set_nodelay(true)).is_err() {
        return;
    }
    let cut = tokio::select! {
        cut = carrying.wait_for(|now| *now != Carrying::Both) => cut.map(|now| *now),
        // Its end is an answer's end too: it does not matter which side it was.
        _ = copy_bidirectional(&mut near, &mut far) => return,
    };
    let mut nowhere = sink();
    match cut {
        // The near side ends when it has waited long enough.
        Ok(Carrying::Silently) => {
            drop(tokio::join!(copy(&mut near, &mut nowhere), sleep(SERVER_NOTICES)));
        }
        Ok(Carrying::OneWay) => {
            let (mut answers, mut to_server) = far.split();
            let there = copy(&mut near, &mut to_server);
            drop(tokio::join!(there, timeout(SERVER_NOTICES, copy(&mut answers, &mut nowhere))));
        }
        Ok(Carrying::Nothing) => {
            // A reset, not an end in good order.
            if near.set_zero_linger().is_ok() {
                drop(near);
                sleep(SERVER_NOTICES).await;
            }
        }
        Ok(Carrying::Both) | Err(_) => {}
    }
}
