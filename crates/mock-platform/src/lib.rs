//! A PIOPIY (TeleCMI) that runs on a laptop or in CI: plans whole legal calls and delivers their webhooks.
//!
//! This is an unofficial project, not affiliated with TeleCMI.
//!
//! The real platform has no test mode: to see a webhook one has to make a call. This one makes calls up, posts what the
//! real one would post, sends CDRs again as the documentation says (in both ways in which it can be read), makes
//! mistakes on purpose if asked to, and writes down all of it.
//!
//! # Install
//! ```toml
//! [dev-dependencies]
//! piopiy-mock-platform = "0.1"
//! tokio = { version = "1", features = ["macros", "rt"] }
//! ```
//! The binary `piopiy-mock` does the same from a shell: `cargo install piopiy-mock-platform`.
//!
//! # Example
//! ```
//! use piopiy_mock_platform::MockPlatform;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Your receiver. This one refuses the first webhook that it gets, and takes all the others.
//! # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};
//! let receiver = MockServer::start().await;
//! Mock::given(any()).respond_with(ResponseTemplate::new(503)).up_to_n_times(1).mount(&receiver).await;
//! Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
//!
//! let platform = MockPlatform::builder().to(receiver.uri()).seed(7).start().await?;
//! let delivery = platform.send("cdr.inbound.missed", &["from=447700900123"]).await?;
//! assert_eq!(delivery.attempts.len(), 2, "it came again, five virtual minutes later");
//!
//! let call = platform.place_call("inbound-answered").await?;
//! assert!(call.is_acknowledged());
//! assert_eq!(platform.summary().lost(), None, "nobody has looked at what the receiver did");
//! # Ok(())
//! # }
//! ```
//!
//! # How it is built
//! * [`plan`] makes calls from a scenario and a seed. Pure.
//! * [`deliver`] posts them, and keeps the [ledger](deliver::ledger). All the I/O.
//! * [`judge`] says what a ledger means. Pure.
//! * [`load`] sends calls by the thousand, open loop, and measures.
//! * [`platform`] is the three of them in one process: [`MockPlatform`], and live calls: REST APIs, call flows, audio streams.
//!
//! # Isolation
//! Every [`MockPlatform`] has its own ids, clock, connections and ledger, and stops when it is dropped, so tests may run
//! side by side and share a receiver. The ids follow from a nonce that is fresh for each platform unless it is
//! given: a durable receiver never meets one twice by accident. Webhooks go to this machine only, unless another
//! host is allowed by name; proxies in the environment are not used.
//!
//! # Limitations
//! * Applications are called by plain `http://`, streams by `ws` and `wss`.
//! * Virtual time of live calls is scaled, not jumped over: an application that is asked needs time of the clock.
//! * Much of what a call posts is documented in part or not at all; such payloads are marked as guesses, and can be
//!   left out.
//! * Nobody documents when the real platform gives up on an answer, or whether it keeps the order of a call's
//!   webhooks. Both can be set: [`deliver::DeliveryOptions`].
//!
//! # Prior art
//! `wiremock` stands in for a server that your code calls; this stands in for one that calls your code.

pub mod deliver;
pub mod judge;
pub mod load;
pub mod plan;
pub mod platform;

pub use platform::MockPlatform;
