//! How fast one source may post.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use tokio::time::Instant;

use super::routes::App;
use crate::metrics::Refusal;

/// How fast one source may post: an IPv4 address, or the /64 of an IPv6 one.
///
/// What is too fast waits for its turn first, for a live event that is refused does not come again; only what would wait
/// for longer than [`RateLimit::patience`] is refused, with 429 and `Retry-After`. It is not 503: that stands for a receiver
/// that cannot store, for which somebody should get up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made with struct update syntax")]
pub struct RateLimit {
    /// Requests in a second; at least 1. Default 100.
    pub per_second: u32,
    /// Requests that may come at once; at least 1. Default 200.
    pub burst: u32,
    /// How long a request may wait for its turn; default 2 s.
    pub patience: Duration,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { per_second: 100, burst: 200, patience: Duration::from_secs(2) }
    }
}

/// Sources that are remembered: more than that come through unhindered, for the platform may be one of them.
const MOST_SOURCES: usize = 1 << 16;

/// Who came when.
#[derive(Debug)]
pub(super) struct Pace {
    limit: RateLimit,
    sources: Mutex<Sources>,
}

#[derive(Debug, Default)]
struct Sources {
    /// When each source would be even again, had it come at its rate: one that is not in here is.
    even_at: HashMap<IpAddr, Instant>,
    /// When those that are even were last looked for, which takes long where there are many.
    cleared: Option<Instant>,
}

/// How often that may be.
const CLEAR_EVERY: Duration = Duration::from_secs(1);

impl Sources {
    /// Whether there is room for one more.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.even_at.len() >= MOST_SOURCES
            && self.cleared.is_none_or(|cleared| now - cleared >= CLEAR_EVERY)
        {
            self.even_at.retain(|_, even_at| *even_at > now);
            self.cleared = Some(now);
        }
        self.even_at.len() < MOST_SOURCES
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    After(Duration),
    /// It would come after this.
    Refused(Duration),
}

impl Pace {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, sources: Mutex::default() }
    }

    fn turn(&self, source: IpAddr, now: Instant) -> Turn {
        let interval = Duration::from_secs(1) / self.limit.per_second.max(1);
        let tolerance = interval * self.limit.burst.max(1).saturating_sub(1);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if !sources.even_at.contains_key(&source) && !sources.has_room(now) {
            return Turn::After(Duration::ZERO);
        }
        let own = sources.even_at.entry(source).or_insert(now);
        let from = (*own).max(now);
        let wait = from.saturating_duration_since(now).saturating_sub(tolerance);
        if wait > self.limit.patience {
            return Turn::Refused(wait - self.limit.patience);
        }
        *own = from + interval;
        Turn::After(wait)
    }
}

/// Whom a request counts for.
fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

/// Lets a request through when it is its turn.
pub(super) async fn keep(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let Some((pace, peer)) = app.pace.as_ref().zip(peer) else {
        return next.run(request).await;
    };
    match pace.turn(source_of(peer), Instant::now()) {
        Turn::After(Duration::ZERO) => next.run(request).await,
        Turn::After(wait) => {
            tokio::time::sleep(wait).await;
            next.run(request).await
        }
        Turn::Refused(wait) => {
            app.metrics.refuse(Refusal::rate);
            let seconds = wait.as_secs() + 1;
            let retry_after = [(header::RETRY_AFTER, HeaderValue::from(seconds))];
            let text = format!("too many requests from this address, try again in {seconds} s\n");
            (StatusCode::TOO_MANY_REQUESTS, retry_after, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(per_second: u32, burst: u32, patience: u64) -> Pace {
        Pace::new(RateLimit { per_second, burst, patience: Duration::from_millis(patience) })
    }

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let pace = pace(10, 3, 250);
        let now = Instant::now();
        let millis = |wait| Turn::After(Duration::from_millis(wait));
        let turns: Vec<Turn> = (0..5).map(|_| pace.turn(A, now)).collect();
        assert_eq!(turns, [millis(0), millis(0), millis(0), millis(100), millis(200)]);
        assert_eq!(pace.turn(A, now), Turn::Refused(Duration::from_millis(50)));
        // What is refused takes no turn.
        assert_eq!(pace.turn(A, now + Duration::from_millis(50)), millis(250));
        let later = now + Duration::from_secs(60);
        assert_eq!(pace.turn(A, later), millis(0), "a pause makes up for it, and for no more than a burst");
        let turns: Vec<Turn> = (0..3).map(|_| pace.turn(A, later)).collect();
        assert_eq!(turns, [millis(0), millis(0), millis(100)]);
    }

    #[test]
    fn one_source_is_no_other() {
        let pace = pace(1, 1, 0);
        let now = Instant::now();
        assert_eq!(pace.turn(A, now), Turn::After(Duration::ZERO));
        assert_eq!(pace.turn(A, now), Turn::Refused(Duration::from_secs(1)));
        assert_eq!(pace.turn("203.0.113.8".parse().unwrap(), now), Turn::After(Duration::ZERO));
    }

    #[test]
    fn a_network_is_one_source() {
        let check = |address: &str, expected: &str| {
            assert_eq!(source_of(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap(), "{address}");
        };
        check("203.0.113.7", "203.0.113.7");
        check("::ffff:203.0.113.7", "203.0.113.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_nobody_is_locked_out() {
        let pace = pace(1, 1, 0);
        let now = Instant::now();
        let address = |n: u32| IpAddr::V4((0x0A00_0000 + n).into());
        for n in 0..70_000 {
            assert_eq!(pace.turn(address(n), now), Turn::After(Duration::ZERO));
        }
        assert_eq!(pace.sources.lock().unwrap().even_at.len(), MOST_SOURCES);
        pace.turn(address(70_000), now + Duration::from_secs(2));
        assert_eq!(pace.sources.lock().unwrap().even_at.len(), 1, "who is even is forgotten");
    }
}
