//! The code of the README, run. `cargo xtask ci tidy` looks whether it is the same.

#[test]
fn a_webhook_stays_as_it_came() -> Result<(), piopiy_events::ParseError> {
    use piopiy_events::{Kind, Webhook};

    let body = br#"{"cmiuuid":"c4ec","leg":"a","status":"missed","duration":0,"from":447700900123,"something_new":[1.50]}"#;
    let webhook = Webhook::parse(body)?;
    assert_eq!(webhook.kind(), Some(Kind::Cdr));
    assert_eq!(webhook.to_json().as_bytes(), body); // what is not known stays, digit for digit
    Ok(())
}
