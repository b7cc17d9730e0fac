//! What each reporter writes is read with a parser that knows nothing of it, whatever stands in a report.

use piopiy_mock_platform::judge::check::Verdict;
use piopiy_mock_platform::judge::report::{
    CheckReport, CheckSummary, Comparison, Human, LineWriter, Reporter, TextStyle, github, lines_schema,
    markdown_within, reporter,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What a receiver could make somebody's tool stumble over.
const HOSTILE: &str =
    "<b>&amp; ]]> \0\u{1b}[31m\n::error::x | `code` ``` \"quoted\" '#' \\ \u{2028} %0A # TODO --- ...";

/// A check of a report, as its document has it.
fn check(id: &str, verdict: Verdict, severity: &str, text: &str) -> Value {
    json!({
        "id": id, "title": format!("title {text}"), "group": &id[..3], "severity": severity, "observability": "P",
        "verdict": verdict, "detail": text, "by_answers_alone": false, "is_stale_known_failure": false,
        "took_ms": 1_234, "unlock": if verdict == Verdict::NotObserved { json!(["--observe-url"]) } else { json!([]) },
        "evidence": [{
            "case": text, "stimulus": text, "outcomes": [text], "effects": 1,
            "findings": [{ "verdict": verdict, "text": text }],
            "ladder": {
                "connections": 40, "is_cut": true,
                "rungs": [
                    { "kind": "event", "text": text },
                    {
                        "kind": "attempt", "connection": 1, "offset_us": 1_500, "method": text, "bytes": 7, "sent": text,
                        "webhook": { "kind": "cdr", "status": text, "leg": text, "cmiuuid": text },
                        "status": 500, "latency_us": 900, "answer": text, "end": "closed", "trouble": text,
                    },
                ],
                "observed": [{ "seq": 1, "kind": text, "status": text, "leg": text, "state": text }],
            },
        }],
        "reproducer": { "command": format!("piopiy-mock check {text}") },
    })
}

/// One check for each verdict, and `failures` more that fail.
fn report(text: &str, failures: usize) -> CheckReport {
    let mut checks: Vec<Value> = Verdict::ALL
        .into_iter()
        .enumerate()
        .map(|(n, verdict)| check(&format!("TRN-{:03}", n + 1), verdict, "must", text))
        .collect();
    checks.extend((0..failures).map(|n| check(&format!("DUP-{n:03}"), Verdict::Fail, "should", text)));
    let document = json!({
        "schema": "piopiy-mock.check/v1", "run_id": "00", "version": text, "started_ms": 1_782_864_000_000_u64,
        "seed": "0x7", "nonce": "0x8", "target": text, "profile": "global", "observation": "none",
        "baseline_us": 500, "took_ms": 65_432, "rerun": text, "interrupted": true, "not_run": ["AVL-001"],
        "checks": checks, "summary": {},
    });
    let mut report: CheckReport = serde_json::from_value(document).unwrap();
    report.summary = CheckSummary::of(&report.checks);
    report
}

fn render(kind: &str, report: &CheckReport) -> String {
    reporter(kind).unwrap().render(report)
}

#[test]
fn junit_is_xml_with_a_case_for_each_check() {
    let report = report(HOSTILE, 0);
    let text = render("junit", &report);
    let document = roxmltree::Document::parse(&text).unwrap();
    let cases: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testcase")).collect();
    assert_eq!(cases.len(), report.checks.len() + 1);
    let child_of = |id: &str| {
        let case = cases.iter().find(|case| case.attribute("name").unwrap().starts_with(id)).unwrap();
        let result = case.children().find(|node| node.is_element() && !node.has_tag_name("properties"));
        result.map(|node| (node.tag_name().name().to_owned(), node.attribute("type").map(str::to_owned)))
    };
    let some = |name: &str, kind: Option<&str>| Some((name.to_owned(), kind.map(str::to_owned)));
    assert_eq!(child_of("TRN-001"), None);
    assert_eq!(child_of("TRN-002"), some("failure", Some("must")));
    assert_eq!(child_of("TRN-003"), some("system-out", None));
    assert_eq!(child_of("TRN-004"), some("skipped", None));
    assert_eq!(child_of("TRN-005"), some("skipped", None));
    assert_eq!(child_of("TRN-006"), some("error", Some("inconclusive")));
    assert_eq!(child_of("TRN-007"), some("error", Some("error")));
    assert_eq!(child_of("TRN-008"), some("skipped", None));
    assert_eq!(child_of("AVL-001"), some("skipped", None));
    assert_eq!(cases[0].attribute("classname"), Some("trn"));
    assert_eq!(cases[0].attribute("time"), Some("1.234"));
    let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    let body = failure.text().unwrap();
    assert!(body.contains("<b>&amp; ]]>") && body.contains("piopiy-mock: piopiy-mock check"), "{body}");
    let property = |name: &str| {
        let of_name = |node: &roxmltree::Node<'_, '_>| node.attribute("name") == Some(name);
        document.descendants().find(of_name).and_then(|node| node.attribute("value").map(str::to_owned))
    };
    assert_eq!(property("seed").as_deref(), Some("0x7"));
    assert_eq!(property("profile").as_deref(), Some("global"));
}

#[test]
fn what_is_long_is_cut() {
    let long = "€".repeat(100_000);
    let junit = render("junit", &report(&long, 0));
    let document = roxmltree::Document::parse(&junit).unwrap();
    let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    assert!(failure.text().unwrap().len() <= 64 * 1024);
    let report = report(HOSTILE, 400);
    let whole = markdown_within(&report, usize::MAX);
    assert!(whole.len() > 100_000);
    let cut = markdown_within(&report, 100_000);
    assert!(cut.len() <= 100_000 && cut.contains("more, for which there is no room here"));
}

#[test]
fn json_lines_are_numbered_and_valid() {
    let schema = jsonschema::validator_for(&lines_schema()).unwrap();
    let text = render("jsonl", &report(HOSTILE, 0));
    let mut kinds = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let errors: Vec<String> = schema.iter_errors(&line).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:#?}");
        assert_eq!((line["seq"].as_u64(), line["run_id"].as_str()), (Some(n as u64), Some("00")));
        let is_last = line["kind"] == "summary";
        let (ts, t_ns) = if is_last {
            ("2026-07-01T00:01:05.432Z", 65_432_000_000)
        } else {
            ("2026-07-01T00:00:00.000Z", 0)
        };
        assert_eq!((line["ts"].as_str(), line["t_ns"].as_u64()), (Some(ts), Some(t_ns)));
        kinds.push(line["kind"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds[..4], ["run", "attempt", "observe", "check"]);
    assert_eq!(kinds.last().unwrap(), "summary");
}

/// What is told while a run goes on is what is told in the end; what has changed since is told once more.
#[test]
fn json_lines_can_be_told_one_by_one() {
    let mut report = report("plain", 0);
    for (n, check) in report.checks.iter_mut().enumerate() {
        check.judged_us = 1_500_000 * (10 - n as u64);
    }
    let mut lines = LineWriter::default();
    let mut text = lines.begin(&report);
    for check in report.checks.iter().rev() {
        text.push_str(&lines.check(check));
    }
    let told = text.lines().count();
    assert_eq!(text.clone() + &lines.end(&report), render("jsonl", &report));
    assert_eq!(lines.begin(&report), "");

    let mut lines = LineWriter::default();
    let mut text =
        report.checks.iter().rev().fold(lines.begin(&report), |text, check| text + &lines.check(check));
    report.checks[1].outcome.verdict = Verdict::Inconclusive;
    text.push_str(&lines.end(&report));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), told + 2);
    let changed = &lines[told];
    assert_eq!((&changed["id"], &changed["verdict"]), (&json!("TRN-002"), &json!("inconclusive")));
    let times: Vec<u64> = lines.iter().map(|line| line["t_ns"].as_u64().unwrap()).collect();
    assert!(times.is_sorted() && times[1] == 4_500_000_000, "{times:?}");
}

/// A saved report may have been written by anybody.
#[test]
fn ids_that_are_odd_break_nothing() {
    let mut report = report("plain", 0);
    for check in &mut report.checks {
        check.id = format!("{HOSTILE} | <img src=x> **x** {}", check.id).into();
        check.unlock = vec![HOSTILE.to_owned()];
    }
    report.not_run = vec![HOSTILE.to_owned().into()];
    let junit = render("junit", &report);
    let document = roxmltree::Document::parse(&junit).unwrap();
    assert_eq!(document.descendants().filter(|node| node.has_tag_name("testcase")).count(), 8);
    assert_eq!(points(&render("tap", &report)).len(), 9);
    assert_eq!(render("jsonl", &report).lines().count(), 8 * 3 + 2);
    let markdown = render("markdown", &report);
    let outside = outside_of_fences(&markdown);
    assert!(!outside.contains("<b>") && !outside.contains("<img") && !outside.contains("**x**"), "{outside}");
    assert!(!render("html", &report).contains("<img"));
    assert!(!Human.render(&report).contains('\u{1b}'));
    assert_eq!(github::annotations(&report).lines().count(), 4);
    let reports = [("a".to_owned(), report.clone()), ("b|<b>".to_owned(), report)];
    let comparison = Comparison::of(&reports);
    let compared = reporter("markdown").unwrap().compare(&comparison).unwrap();
    assert!(!compared.contains("<b>") && !compared.contains("**x**"), "{compared}");
    assert!(!Human.compare(&comparison).unwrap().contains('\u{1b}'));
}

/// A test point: whether it is ok, its number, and its directive.
fn points(tap: &str) -> Vec<(bool, usize, Option<String>)> {
    let mut points = Vec::new();
    for line in tap.lines().filter(|line| !line.starts_with([' ', '#'])).skip(2) {
        let Some((result, rest)) = line.split_once("ok ").filter(|(result, _)| ["", "not "].contains(result))
        else {
            assert!(line.starts_with("Bail out!"), "{line}");
            continue;
        };
        let (number, description) = rest.split_once(" - ").unwrap();
        // A directive begins with the first # that is not escaped, white space before it.
        let plain = description.replace("\\\\", "__").replace("\\#", "__");
        let directive = plain.split_once(" # ").map(|(_, directive)| directive[..4].to_owned());
        points.push((result.is_empty(), number.parse().unwrap(), directive));
    }
    points
}

#[test]
fn tap_is_read_as_it_is_meant() {
    let report = report(HOSTILE, 1);
    let text = render("tap", &report);
    assert!(text.starts_with("TAP version 14\n1..10\n"), "{text}");
    let points = points(&text);
    let numbers: Vec<usize> = points.iter().map(|(_, number, _)| *number).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    let results: Vec<(bool, Option<&str>)> =
        points.iter().map(|(is_ok, _, directive)| (*is_ok, directive.as_deref())).collect();
    let (skip, todo) = (Some("SKIP"), Some("TODO"));
    // In the order of the verdicts, one more failure, and one that was not run.
    assert_eq!(
        results,
        [
            (true, None),
            (false, None),
            (true, None),
            (true, skip),
            (true, skip),
            (false, None),
            (false, None),
            (false, todo),
            (false, None),
            (true, skip)
        ]
    );
    // Every scalar of the YAML blocks is one of JSON too, but for the numbers.
    let mut message = None;
    for line in text.lines().filter_map(|line| line.strip_prefix("  ")) {
        if let Some((key, value)) = line.split_once(": ") {
            let value: Value = serde_json::from_str(value).unwrap();
            message = message.or_else(|| (key == "message").then(|| value.as_str().unwrap().to_owned()));
        } else {
            assert!(line == "---" || line == "...", "{line}");
        }
    }
    assert_eq!(message.as_deref(), Some(HOSTILE));
}

#[test]
fn markdown_keeps_its_tables_and_fences() {
    let text = render("markdown", &report(HOSTILE, 0));
    assert!(!text.contains("<b>&amp; ]]> \0"), "{text}");
    for row in text.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "{row}");
    }
    let outside: String = outside_of_fences(&text);
    assert!(!outside.contains("<b>") && !outside.contains('\u{1b}'), "{outside}");
}

/// What stands in no block of code; each has to end.
fn outside_of_fences(text: &str) -> String {
    let (mut outside, mut fence) = (String::new(), None);
    for line in text.lines() {
        let ticks = line.chars().take_while(|char| *char == '`').count();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            None => outside.push_str(line),
            Some(open) if ticks >= open && line.trim_end().len() == ticks => fence = None,
            Some(_) => {}
        }
    }
    assert_eq!(fence, None, "a block of code has no end");
    outside
}

#[test]
fn html_escapes_what_is_from_outside() {
    let text = render("html", &report("<script>alert(1)</script>\"'<img src=x onerror=alert(2)>", 0));
    assert_eq!(text.matches("<script>").count(), 1, "the page's own");
    assert!(!text.contains("<img") && !text.contains("http://") && !text.contains("https://"));
    assert!(text.contains("id=\"TRN-002\""));
    let text = render("html", &report(HOSTILE, 0));
    assert!(!text.contains("<b>&amp; ]]>"), "not escaped");
}

#[test]
fn a_page_has_one_title_and_keys_reach_whatever_scrolls() {
    let report = report("plain", 0);
    let reports = [("a".to_owned(), report.clone()), ("b".to_owned(), report.clone())];
    let compared = reporter("html").unwrap().compare(&Comparison::of(&reports));
    for page in [render("html", &report), compared.unwrap()] {
        assert_eq!(page.matches("<h1").count(), 1);
        let blocks: Vec<&str> =
            page.split("<pre").skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
        assert!(blocks.iter().all(|tag| tag.contains("tabindex=\"0\"")), "{blocks:?}");
    }
    assert!(render("html", &report).contains("<pre"));
}

#[test]
fn people_read_what_would_unlock_the_rest() {
    let mut report = report("plain", 0);
    report.interrupted = false;
    report.not_run.clear();
    insta::assert_snapshot!(render("text", &report));
    let narrow = TextStyle { color: true, unicode: false, width: 40, verbose: true };
    let text = Human.render_styled(&report, &narrow);
    assert!(text.is_ascii() && text.contains("\x1b[31m"));
    let bare = without_colours(&text);
    let long: Vec<&str> = bare.lines().filter(|line| line.len() > 40 && !line.contains("again:")).collect();
    assert!(long.is_empty(), "{long:?}");
    assert!(!Human.render(&self::report(HOSTILE, 0)).contains('\u{1b}'), "a receiver steers the terminal");
}

/// Without the sequences that colour.
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[test]
fn github_is_told_nine_and_how_many_more() {
    let report = report(HOSTILE, 30);
    let text = github::annotations(&report);
    let of = |kind: &str| text.lines().filter(|line| line.starts_with(kind)).count();
    assert_eq!((of("::error "), of("::warning ")), (2, 10));
    assert_eq!(text.lines().count(), 12, "a line break of a detail began another command");
    assert!(text.contains("and 23 more"), "{text}");
    let outputs = github::outputs(&report, "failed", "a\nb");
    let lines: Vec<&str> = outputs.lines().collect();
    assert_eq!(lines[0], "result=failed");
    assert_eq!((lines.len(), lines[3]), (4, "report-dir=a b"));
    assert_eq!(github::mask("a%b\n"), "::add-mask::a%25b%0A\n");
}

#[test]
fn several_runs_are_compared_with_what_changed_first() {
    let (before, mut after) = (report("plain", 0), report("plain", 1));
    after.checks[3].outcome.verdict = Verdict::Pass;
    let reports = [("before".to_owned(), before), ("after".to_owned(), after)];
    let comparison = Comparison::of(&reports);
    let ids: Vec<&str> = comparison.rows.iter().map(|row| row.id.as_ref()).collect();
    assert_eq!((comparison.changed(), &ids[..3]), (2, &["DUP-000", "TRN-004", "TRN-001"][..]));
    let compare = |kind: &str| reporter(kind).unwrap().compare(&comparison);
    insta::assert_snapshot!(compare("markdown").unwrap());
    assert!(compare("html").unwrap().contains("not run"));
    assert_eq!(compare("junit"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in a report, what is written can be read.
    #[test]
    fn anything_can_be_told(text in any::<String>()) {
        let report = report(&text, 0);
        prop_assert!(roxmltree::Document::parse(&render("junit", &report)).is_ok());
        prop_assert_eq!(points(&render("tap", &report)).len(), 9);
        prop_assert_eq!(github::annotations(&report).lines().count(), 4);
        outside_of_fences(&render("markdown", &report));
        for line in render("jsonl", &report).lines() {
            prop_assert!(serde_json::from_str::<Value>(line).is_ok());
        }
    }
}

#[test]
fn what_was_explored_is_told_everywhere() {
    let mut report = report("plain", 0);
    report.checks.clear();
    report.not_run.clear();
    report.interrupted = false;
    report.summary = CheckSummary::of(&report.checks);
    let explored = |findings: Value| {
        let mut report = report.clone();
        let exploration = json!({ "schedules": 40, "deliveries": 90, "findings": findings });
        report.exploration = Some(serde_json::from_value(exploration).unwrap());
        report
    };
    let none = explored(json!([]));
    assert!(
        render("tap", &none).contains("1..1\n") && render("tap", &none).contains("\nok 1 - EXP 40 random")
    );
    assert!(render("junit", &none).contains("classname=\"exp\"") && github::annotations(&none).is_empty());
    let find = json!({
        "id": "EXP-001", "verdict": "fail", "kind": "duplicated", "schedule": "two deliveries, 3 ms apart",
        "detail": "2 effects", "title": "duplicated: two deliveries", "fails": 9, "of": 10, "found_in": 3,
        "found_as": "7 webhooks", "is_smallest": true, "evidence": [], "reproducer": { "command": "again" },
    });
    let one = explored(json!([find]));
    for kind in ["html", "junit", "markdown", "tap", "jsonl", "text"] {
        let text = render(kind, &one);
        assert!(text.contains("EXP-001") && text.contains("duplicated: two deliveries"), "{kind}: {text}");
    }
    assert!(render("markdown", &one).contains("check: failed"));

    // Its number is another in each run: what is the same is the kind of fault.
    let mut unexplored = report.clone();
    unexplored.exploration = None;
    let reports = [unexplored, none, one.clone()].map(|report| ("run".to_owned(), report));
    let comparison = Comparison::of(&reports);
    assert_eq!((comparison.rows.len(), comparison.changed()), (1, 1));
    for kind in ["html", "markdown", "text"] {
        let text = reporter(kind).unwrap().compare(&comparison).unwrap();
        let told = ["EXP-duplicated", "duplicated: two deliveries", "not run", "passed", "failed"];
        assert!(told.iter().all(|told| text.contains(told)), "{kind}: {text}");
    }
    let again = [one.clone(), one.clone()].map(|report| ("run".to_owned(), report));
    assert_eq!(Comparison::of(&again).changed(), 0);
    assert!(github::annotations(&one).starts_with("::error title=EXP-001 "));
    assert!(github::outputs(&one, "failed", "").contains("failed=EXP-001\n"));
}
