//! The values that go into a form: the simulator's calls and live ones are written by the same hand.

use super::compiled::{CompiledForm, Slot};
use super::numbers::Digits;

/// What varies in one payload. Times are since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling<'a> {
    /// Milliseconds.
    pub(crate) time: u64,
    /// Seconds: when the leg was set up, picked up and over.
    pub(crate) start: u64,
    pub(crate) answer: u64,
    pub(crate) end: u64,
    pub(crate) charge: Charge,
    /// The balance after it: millionths.
    pub(crate) balance: i128,
    pub(crate) from: &'a Digits,
    pub(crate) to: &'a Digits,
    pub(crate) account: &'a Digits,
    pub(crate) leg_id: &'a [u8],
    pub(crate) conversation: &'a [u8],
    pub(crate) request: &'a [u8],
    /// These two are the inside of a JSON string, escaped.
    pub(crate) extra_params: &'a [u8],
    pub(crate) ws_message: &'a [u8],
}

impl Filling<'_> {
    pub(crate) fn write(&self, form: &CompiledForm, out: &mut Vec<u8>) {
        form.write(out, |slot, out| match slot {
            Slot::Time => number(self.time, out),
            Slot::Start => number(self.start, out),
            Slot::Answer => number(self.answer, out),
            Slot::End => number(self.end, out),
            Slot::Duration => number(self.charge.duration, out),
            Slot::CallRate => decimal(i128::from(self.charge.rate), out),
            Slot::Balance => decimal(self.balance, out),
            Slot::From => out.extend_from_slice(self.from.as_bytes()),
            Slot::To => out.extend_from_slice(self.to.as_bytes()),
            Slot::Account => out.extend_from_slice(self.account.as_bytes()),
            Slot::AccountNational => out.extend_from_slice(self.account.national()),
            Slot::LegId => out.extend_from_slice(self.leg_id),
            Slot::Conversation => out.extend_from_slice(self.conversation),
            Slot::Request => out.extend_from_slice(self.request),
            Slot::ExtraParams => out.extend_from_slice(self.extra_params),
            Slot::WsMessage => out.extend_from_slice(self.ws_message),
        });
    }
}

/// What a leg is billed for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Charge {
    /// Seconds.
    pub(crate) duration: u64,
    /// Millionths.
    pub(crate) rate: u64,
}

impl Charge {
    /// For the seconds from the pick-up to the end.
    pub(crate) fn of(price_per_minute: u64, duration: u64) -> Self {
        Self { duration, rate: price(price_per_minute, duration) }
    }
}

/// Billed by the second, rounded up to a millionth.
pub(crate) fn price(per_minute: u64, seconds: u64) -> u64 {
    let price = (u128::from(per_minute) * u128::from(seconds)).div_ceil(60);
    u64::try_from(price).unwrap_or(u64::MAX)
}

fn number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn decimal(millionths: i128, out: &mut Vec<u8>) {
    let magnitude = millionths.unsigned_abs();
    if millionths < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(itoa::Buffer::new().format(magnitude / 1_000_000).as_bytes());
    // A one before the six decimals keeps their leading zeros.
    let mut decimals = itoa::Buffer::new();
    let decimals = decimals.format(1_000_000 + (magnitude % 1_000_000) as u32);
    out.push(b'.');
    out.extend_from_slice(&decimals.as_bytes()[1..]);
}
