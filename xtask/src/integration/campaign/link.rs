//! The network between a receiver and its database: a relay that can be cut. What a cut does to it no side is told by a server
//! that ends in good order: segments vanish, or the near side is reset, and the server learns nothing.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{copy, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// When a server that looks after its connections (`tcp_keepalives_…`) finds that nobody is there any more. Until then it keeps
/// what a transaction has locked.
const SERVER_NOTICES: Duration = Duration::from_secs(25);

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrying {
    /// They work.
    Both,
    /// Those that there are break, and new ones break at once.
    Nothing,
    /// They stay open, and what is sent vanishes; for those of that time for ever.
    Silently,
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
    let now = *carrying.borrow_and_update();
    if now != Carrying::Both {
        return break_off(near, now).await;
    }
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let cut = tokio::select! {
        // Its end is an answer's end too: it does not matter which side it was.
        _ = copy_bidirectional(&mut near, &mut far) => return,
        cut = carrying.wait_for(|now| *now != Carrying::Both) => cut.map(|now| *now),
    };
    let Ok(cut) = cut else { return };
    tokio::join!(break_off(near, cut), async {
        sleep(SERVER_NOTICES).await;
        drop(far);
    });
}

async fn break_off(mut near: TcpStream, cut: Carrying) {
    if cut == Carrying::Silently {
        // It ends when the near side has waited long enough.
        drop(copy(&mut near, &mut sink()).await);
    } else {
        // A reset, not an end in good order.
        drop(near.set_zero_linger());
    }
}
