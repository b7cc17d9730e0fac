//! The calls, newest first.

use maud::{Markup, html};

use super::words;
use crate::platform::exchange::Exchange;

/// So many are listed.
const LISTED: usize = 100;

pub(super) fn calls(exchange: &Exchange, selected: Option<u64>) -> Markup {
    let (calls, all) = exchange.board().newest(LISTED);
    let (now_ms, config) = (exchange.now_ms(), exchange.config());
    let schedule: Vec<u64> = config.delivery.schedule.iter().map(|length| length.millis()).collect();
    html! {
        @if calls.is_empty() {
            p.mute { "No call yet. Place one here, or let your application call through the REST API." }
        }
        ol.calls {
            @for view in &calls {
                @let (state, colour) = words::state(view, &schedule, now_ms);
                li {
                    a.call.selected[selected == Some(view.call)] id={ "call-" (view.call) } href={ "/calls/" (view.call) }
                        aria-current=[(selected == Some(view.call)).then_some("true")] data-in-place {
                        span.dot.(colour) {}
                        span.who {
                            span.sr { "Call " (view.call) ": " }
                            "+" (view.begin.from) " → +" (view.begin.to)
                        }
                        span.mute.num { (words::minutes(words::lasted_ms(view, now_ms))) }
                        span.state.mute { (state) }
                    }
                }
            }
        }
        @if all > calls.len() { p.mute { (all - calls.len()) " older ones are not listed." } }
    }
}
