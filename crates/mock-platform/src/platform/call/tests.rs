use super::*;
use crate::platform::exchange::Inbound;

#[tokio::test]
async fn a_call_that_breaks_off_is_over_and_says_so() {
    let exchange = Exchange::start(Config::default().completed(), None).unwrap();
    let mut inbound = Inbound::from_to(447_700_900_123, Config::ZERO.3);
    inbound.then = Some(Pcmo::parse(br#"[{"action":"play","file_name":"a.wav"}]"#).unwrap());
    let call = exchange.call_in(inbound).unwrap().call;
    let transfer = exchange.transfer(call, Pcmo::default()).unwrap();
    let sent = tokio::spawn(async {});
    to_its_end(&exchange, call, async { panic!("a defect, on purpose") }, sent).await;
    assert_eq!(exchange.calls_on(), 0, "it takes nobody's place");
    let view = exchange.board().call(call).unwrap();
    assert!(view.is_over && view.messages().any(|row| row.error.is_some()));
    assert!(exchange.transfer_of(&transfer).unwrap().status.is_settled());
}
