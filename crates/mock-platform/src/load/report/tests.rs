use super::testing::Sent;
use super::*;

/// A run of so many webhooks, each a millisecond behind the one before; every tenth finds no connection.
fn report(webhooks: u64) -> LoadReport {
    let one = |n: u64| Sent { due_ns: n * 1_000_000, latency_ns: 500_000 + n, is_acknowledged: n % 10 != 9 };
    testing::report(&(0..webhooks).map(one).collect::<Vec<_>>())
}

#[test]
fn every_kind_can_be_written_of_any_run() {
    let mut audited = report(9);
    let names = BTreeMap::from([("lost".to_owned(), vec!["<i>one</i>".to_owned()])]);
    audited.audit = Some(LoadAudit { lost: 4, named: names, ..LoadAudit::default() });
    assert_eq!(audited.verdict(), "failed");
    for (kind, told) in [("html", "&lt;i&gt;one"), ("markdown", "lost: <i>one"), ("text", "lost: <i>one")] {
        let (_, render) = KINDS.iter().find(|(name, _)| *name == kind).unwrap();
        assert!(render(&audited).contains(told), "{kind}");
    }
    for report in [LoadReport::default(), report(0), report(1), report(2_500), audited] {
        for (kind, render) in KINDS {
            let text = render(&report);
            assert!(!text.is_empty(), "{kind}");
            assert!(!text.contains("NaN") && !text.contains("inf"), "{kind}: {text}");
        }
    }
}

#[test]
fn what_is_proven_fails_whoever_was_late_and_what_is_not_does_not() {
    let run = report(1_000);
    assert_eq!(run.verdict(), "passed");
    let saturated = LoadReport { saturation: Some("it woke up late".to_owned()), ..run.clone() };
    let seen = |audit: LoadAudit| LoadReport { audit: Some(audit), ..saturated.clone() }.verdict();
    assert_eq!(seen(LoadAudit::default()), "inconclusive");
    assert_eq!(seen(LoadAudit { lost: 1, ..LoadAudit::default() }), "failed");
    assert_eq!(seen(LoadAudit { duplicated: 1, is_unsettled: true, ..LoadAudit::default() }), "failed");
    // What has not come may come yet, and what nobody knows may be of somebody else.
    assert_eq!(seen(LoadAudit { lost: 1, is_unsettled: true, ..LoadAudit::default() }), "inconclusive");
    assert_eq!(seen(LoadAudit { phantom: 1, ..LoadAudit::default() }), "inconclusive");
    let mut late = saturated.clone();
    late.judge(&["p99<1us".parse().unwrap()]);
    assert_eq!(late.verdict(), "inconclusive", "of how fast it is nothing is known");

    let mut stopped = LoadReport { stopped: true, saturation: None, ..saturated };
    (stopped.summary.dropped_by_generator, stopped.summary.unsent_at_stop) = (12, 12);
    assert_eq!(stopped.verdict(), "stopped");
    for (kind, render) in KINDS.iter().filter(|(kind, _)| ["text", "markdown", "html"].contains(kind)) {
        let text = render(&stopped);
        assert!(text.contains("stopped before its end") && text.contains("12"), "{kind}: {text}");
        assert!(
            !text.contains("dropped by the generator 12"),
            "{kind}: what nobody sent for the stop: {text}"
        );
    }
    stopped.audit = Some(LoadAudit { lost: 1, ..LoadAudit::default() });
    assert_eq!(stopped.verdict(), "failed", "what is lost is lost, whoever stopped it");

    let blind = LoadReport { audit_failed: Some("it could not be asked".to_owned()), ..run.clone() };
    assert_eq!(blind.verdict(), "inconclusive");
    for (kind, render) in KINDS.iter().filter(|(kind, _)| *kind != "hlog") {
        assert!(render(&blind).contains("it could not be asked"), "{kind}");
    }
    let mut slow = blind.clone();
    slow.judge(&["p50<1us".parse().unwrap()]);
    assert_eq!(slow.verdict(), "failed", "that is known without");

    let why = Some("the receiver is gone".to_owned());
    let searched = Capacity { unfinished: why, ..Capacity::default() };
    let searched = LoadReport { capacity: Some(searched), ..run.clone() };
    assert_eq!(searched.verdict(), "inconclusive");
    assert!(searched.annotations().contains("the receiver is gone"), "{}", searched.annotations());
    for (kind, render) in KINDS.iter().filter(|(kind, _)| *kind != "hlog") {
        assert!(render(&searched).contains("the receiver is gone"), "{kind}");
    }

    let found = |per_second| {
        let capacity = Some(Capacity { per_second, ..Capacity::default() });
        LoadReport { capacity, ..run.clone() }.verdict()
    };
    assert_eq!((found(Some(50.0)), found(None)), ("passed", "failed"), "too slow at each rate there is");

    let gave_way = LoadReport { gave_way: Some("in-flight limit".to_owned()), ..run };
    assert_eq!(gave_way.verdict(), "failed");
    for (kind, render) in KINDS.iter().filter(|(kind, _)| *kind != "hlog") {
        assert!(render(&gave_way).contains("in-flight limit"), "{kind}");
    }
    let none = |n: u64| Sent { due_ns: n * 1_000_000, latency_ns: 100_000, is_acknowledged: false };
    let mut refused = testing::report(&(0..50).map(none).collect::<Vec<_>>());
    refused.judge(&["p99<500ms".parse().unwrap()]);
    assert_eq!(refused.verdict(), "failed", "nobody was there");
    assert!(refused.thresholds[0].broken.is_some());
    refused.thresholds.clear();
    assert_eq!(refused.verdict(), "failed");
}

/// A burst of two seconds for which a core is used up, a trickle of one webhook a second, and one that nobody ever answers.
fn burst() -> Tally {
    const SECOND: u64 = 1_000_000_000;
    let mut tally = Tally::new(std::time::Duration::from_secs(1));
    for second in 0..200 {
        let webhooks = if second < 2 { 500 } else { 1 };
        for _ in 0..webhooks {
            tally.planned(second * SECOND);
            tally.attempts += 1;
            tally.series.sent(second * SECOND);
        }
        tally.last_sent_ns = second * SECOND;
        let worked_ns = if second < 2 { SECOND } else { SECOND / 1_000 };
        tally.series.worked(second * SECOND, (second + 1) * SECOND, worked_ns);
        tally.cpu_ns = tally.cpu_ns.map(|ns| ns + worked_ns);
    }
    tally.ended(crate::load::tally::End::TimedOut, 900 * SECOND, 700 * SECOND);
    tally
}

#[test]
fn what_comes_after_a_burst_makes_the_generator_no_less_busy() {
    let check = |rate: Rate, expected: &str| {
        let simulator = Simulator::builtin("default", crate::plan::PlanOptions::default()).unwrap();
        let target = Target::parse("http://127.0.0.1:9/", &[]).unwrap();
        let started = Started { wall_ms: 0, monotonic_ns: 1, is_stopped: false };
        let report = LoadReport::new(&simulator, &target, &LoadOptions::new(rate), &burst(), started, None);
        let told = report.saturation.as_deref().unwrap_or_default();
        assert!(told.contains("busy 100 % of the time") && told.contains(expected), "{told}");
        assert_eq!((report.verdict(), report.fine_at.is_some()), ("inconclusive", true), "{report}");
        let read = LoadReport::parse(&json(&report)).unwrap();
        assert_eq!(read.fine_at, report.fine_at);
    };
    // In the unit that was asked for.
    check(Rate::Webhooks(500.0), "at about 350 webhooks per second it would have been fine");
    check(Rate::Calls(4.0), "at about 2.80 calls per second it would have been fine");
    check(Rate::Erlangs(300.0), "at about 210 erlangs it would have been fine");
}

#[test]
fn what_was_written_is_read_and_what_is_not_is_told() {
    let mut whole = report(2_500);
    whole.judge(&["errors==0".parse().unwrap(), "p99<1s".parse().unwrap()]);
    assert_eq!(whole.verdict(), "failed");
    let written =
        LoadReport { verdict: "failed".to_owned(), reason: Some("threshold".to_owned()), ..whole.clone() };
    assert_eq!(LoadReport::parse(&json(&whole)).unwrap(), written);
    let counts: Vec<_> = whole.series.iter().map(|one| (one.at_s, one.sent, one.errors)).collect();
    assert_eq!(counts, [(0.0, 1_000, 100), (1.0, 1_000, 100), (2.0, 500, 50)]);
    assert!((whole.series[2].seconds - 0.4995).abs() < 1e-4);

    let wrong = |text: &str, reason: &str| {
        let error = LoadReport::parse(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    wrong("{", "no report of a load");
    wrong("{\"schema\": \"piopiy-mock.check/v1\"}", "piopiy-mock.check/v1");
    whole.series[1].latency = "no".to_owned();
    wrong(&json(&whole), "should be a histogram");
}

#[test]
fn a_page_fetches_nothing_and_escapes_what_others_wrote() {
    let page = html::render(&report(2_500));
    assert!(page.contains("default-src 'none'"));
    assert!(!page.contains("<b>|") && page.contains("&lt;b&gt;") || page.contains("%3Cb%3E"), "{page}");
    for element in ["<link", "<img", "@import", "url("] {
        assert!(!page.contains(element), "{element}");
    }
    // Each whole second has errors; what is cut short at the end has no rate.
    assert_eq!(page.matches("class=\"errors\"").count(), 2);
    assert!(page.contains("100 errors"));
}
