//! The dashboard for Grafana, and what the guide says of metrics: neither names what the server does not tell.

use std::collections::{BTreeMap, BTreeSet};

use piopiy_receiver::{Authentication, Destination, ForwardState, MemoryStore, Server};
use serde_json::Value;

use crate::support::{cdr, client};

const DASHBOARD: &str = include_str!("../../../../docs/grafana/piopiy-receiver.json");
const GUIDE: &str = include_str!("../../../../docs/operating.md");
const PREFIX: &str = "piopiy_receiver_";

/// The metrics of a server that has had something of everything, each with the names of its labels.
async fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let folder = tempfile::tempdir().unwrap();
    let state = ForwardState::open(folder.path().join("state")).unwrap();
    let app = Destination::new("app", "http://127.0.0.1:9/").unwrap();
    let server = Server::builder(MemoryStore::new())
        .authentication(Authentication::new().token("s3cret".parse().unwrap()))
        .forward(state, vec![app])
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let client = client();
    for (token, body) in
        [("s3cret", cdr("x")), ("s3cret", cdr("x")), ("s3cret", "odd".to_owned()), ("wrong", cdr("y"))]
    {
        client.post(format!("{}/{token}", server.url())).body(body).send().await.unwrap();
    }
    let text = client.get(format!("http://{}/metrics", server.local_addr())).send().await.unwrap();
    let text = text.text().await.unwrap();
    server.shutdown().await;
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap().to_owned();
        let labels =
            line.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(labels, _)| labels);
        let labels = labels.split(',').filter_map(|pair| pair.split('=').next()).map(str::to_owned);
        told.entry(name).or_default().extend(labels.filter(|label| !label.is_empty()));
    }
    told
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let ends = |rest: &str| rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let found = text.split(PREFIX).skip(1).map(|rest| format!("{PREFIX}{}", &rest[..ends(rest)]));
    found.collect()
}

/// Every string under this key, however deep.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(key).and_then(Value::as_str));
            members.values().for_each(|value| texts(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, key, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_metric_that_it_names_is_told_and_every_one_that_is_told_is_shown() {
    let told = metrics().await;
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions = Vec::new();
    texts(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 20, "{expressions:?}");
    let shown: BTreeSet<String> = expressions.iter().flat_map(|expression| names(expression)).collect();
    for name in names(DASHBOARD).iter().chain(&shown).chain(&names(GUIDE)) {
        assert!(told.contains_key(name), "no metric {name}; there are {:?}", told.keys());
    }
    let unseen: Vec<&String> = told.keys().filter(|name| !shown.contains(*name)).collect();
    assert_eq!(unseen, [""; 0], "not on the dashboard");
}

#[tokio::test]
async fn every_label_that_it_goes_by_is_there() {
    let told = metrics().await;
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let mut seen = 0;
    for target in targets {
        let (expression, legend) =
            (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap());
        let of: BTreeSet<&String> = names(expression).iter().flat_map(|name| &told[name]).collect();
        // Prometheus adds the first, and the second is of every histogram.
        let known = |label: &str| label == "instance" || of.iter().any(|known| *known == label);
        let grouped = expression.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
        let legends = legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
        for label in grouped.flat_map(|labels| labels.split(", ")).chain(legends) {
            assert!(known(label), "`{label}` of {expression}");
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn every_reason_that_it_goes_by_is_one() {
    let guide: BTreeSet<&str> =
        GUIDE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    for expression in DASHBOARD.split("reason=~\\\"").skip(1) {
        for reason in expression.split("\\\"").next().unwrap().split('|') {
            assert!(guide.contains(reason), "{reason} is not among the reasons of docs/operating.md");
        }
    }
}
