//! v3: JSON bodies under `https://rest.piopiy.com/v3`, with `Authorization: Bearer <token>`.
//!
//! The bodies are what the vendor's SDKs send and check; of the responses only what the vendor's own test doubles
//! have is known.

mod call;
mod hangup;
mod response;
mod transfer;

pub use call::{AiCall, CallOptions, FlowCall, PcmoCall};
pub use hangup::{CallHangup, HangupAction};
pub use response::Response;
pub use transfer::{PcmoTransfer, TransferAction, TransferKind};
