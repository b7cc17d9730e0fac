//! The webhooks of one call on their way to the engine: each waits for the first attempt of the one before it.

use std::sync::Arc;

use piopiy_events::Profile;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::deliver::ledger::{Lane, MessageEntry, MessageKind};
use crate::deliver::{Order, PlacedCall, Targets};
use crate::plan::{PlannedCall, PlannedWebhook};
use crate::platform::exchange::Exchange;

/// An app, and the number whose URLs hold.
type Account = (u64, u64);

#[derive(Debug)]
pub(super) struct Outbox {
    webhooks: mpsc::UnboundedSender<PlannedWebhook>,
}

impl Outbox {
    /// The outbox of a call whose webhooks go where those of an app's number go, and what is ready when it is empty.
    pub(super) fn open(
        exchange: Exchange,
        profile: Profile,
        call: u64,
        account: Account,
    ) -> (Self, JoinHandle<()>) {
        let (webhooks, waiting) = mpsc::unbounded_channel();
        let sent = tokio::spawn(send_all(exchange, profile, call, account, waiting));
        (Self { webhooks }, sent)
    }

    pub(super) fn send(&self, webhook: PlannedWebhook) {
        // It is open as long as this is.
        let _ = self.webhooks.send(webhook);
    }
}

async fn send_all(
    exchange: Exchange,
    profile: Profile,
    call: u64,
    account: Account,
    mut waiting: mpsc::UnboundedReceiver<PlannedWebhook>,
) {
    let is_ordered = exchange.config().delivery.order == Order::PerCall;
    // What held when the call began, for a number that is taken away while it is on.
    let first = exchange.targets(account.0, account.1);
    let deliver =
        async |webhook| deliver(&exchange, profile, call, account, first.clone(), webhook, is_ordered).await;
    let mut held: Option<PlannedWebhook> = None;
    while let Some(webhook) = waiting.recv().await {
        if held.is_none() && exchange.faults().holds_back(&webhook) {
            // It is sent behind the next one.
            held = Some(webhook);
            continue;
        }
        for webhook in std::iter::once(webhook).chain(held.take()) {
            deliver(webhook).await;
        }
    }
    if let Some(webhook) = held {
        deliver(webhook).await;
    }
}

async fn deliver(
    exchange: &Exchange,
    profile: Profile,
    call: u64,
    account: Account,
    first: Option<Arc<Targets>>,
    webhook: PlannedWebhook,
    is_ordered: bool,
) {
    // The URL that is configured now: a reload holds for what is not sent yet.
    let (appid, number) = account;
    let is_known = exchange.config().number_of(appid, number).is_some();
    let Some(targets) = (if is_known { exchange.targets(appid, number) } else { first }) else {
        let label = format!("{}: sent nowhere, for the number has no event-url and no cdr-url", webhook.name);
        let (from, to) = (Lane::Platform, Lane::Platform);
        let mut message = MessageEntry::new(webhook.at_ms, from, to, MessageKind::Unsent, label);
        message.call = Some(call);
        message.request = Some(webhook.body.into());
        exchange.tell(message);
        return;
    };
    let faults = exchange.faults().of_one(&webhook);
    let planned = PlannedCall::new(call, profile, "live".into(), vec![webhook]);
    let (placed, first) = PlacedCall::next_of_call(planned, faults);
    if exchange.send(placed, Arc::clone(&targets)) && is_ordered {
        // A platform that stops drops it.
        let _ = first.await;
    }
}
