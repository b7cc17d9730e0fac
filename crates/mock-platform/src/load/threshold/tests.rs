use super::*;

fn check(text: &str, expected: Result<Option<&str>, &str>) {
    let mut report = LoadReport::default();
    report.summary.attempts = 1_000;
    report.summary.errors = 2;
    report.summary.sent_per_second = 99.5;
    report.summary.latency_us.p99 = 500_000;
    report.summary.publish_delay_us.p999 = 90;
    match (text.parse::<Threshold>(), expected) {
        (Ok(threshold), Ok(None)) => assert_eq!(threshold.broken_by(&report), None),
        (Ok(threshold), Ok(Some(reason))) => {
            let broken = threshold.broken_by(&report).unwrap();
            assert!(broken.contains(reason), "{broken}");
        }
        (Err(error), Err(reason)) => assert!(error.to_string().contains(reason), "{error}"),
        (parsed, _) => panic!("{text}: {parsed:?}"),
    }
}

#[test]
fn thresholds_hold_or_say_why_not() {
    check("p99<=500ms", Ok(None));
    check("p99 < 0.5s", Ok(Some("it is 500 ms")));
    check("publish_delay_p999<100us", Ok(None));
    check("errors<0.1%", Ok(Some("it is 0.200 %")));
    check("errors<=0.2%", Ok(None));
    check("errors==2", Ok(None));
    check("errors==0", Ok(Some("it is 2")));
    check("rate>=100", Ok(Some("it is 99.5")));
    check("dropped==0", Ok(None));
    check("lost==0", Ok(Some("unknown")));
}

#[test]
fn what_was_not_answered_is_within_no_bound() {
    let mut report = LoadReport::default();
    report.summary.attempts = 1_000;
    let broken = |report: &LoadReport, text: &str| text.parse::<Threshold>().unwrap().broken_by(report);
    // A connection that is refused is no answer within a tenth of a millisecond.
    report.summary.errors_by_kind.insert("no_connection".to_owned(), 8);
    report.summary.errors_by_kind.insert("reset".to_owned(), 2);
    assert_eq!(broken(&report, "p99<500ms"), None, "one in a hundred may be anything");
    let told = broken(&report, "p999<500ms").unwrap();
    assert!(told.contains("10 of 1000 had no answer"), "{told}");
    assert!(broken(&report, "max<500ms").is_some());
    assert_eq!(broken(&report, "publish_delay_p999<500ms"), None);
    report.summary.errors_by_kind.insert("timeout".to_owned(), 1);
    assert!(broken(&report, "p99<500ms").is_some());
    // An answer that refuses is one.
    report.summary.errors_by_kind = [("5xx".to_owned(), 1_000)].into();
    assert_eq!(broken(&report, "max<500ms"), None);
}

#[test]
fn what_the_generator_was_late_for_is_not_held_against_the_receiver() {
    let check = |text: &str, [time_us, lag_us]: [u64; 2], expected: [bool; 2]| {
        let mut report = LoadReport::default();
        (report.summary.attempts, report.summary.acknowledged) = (1_000, 1_000);
        report.summary.latency_us.p99 = time_us;
        report.summary.publish_delay_us.p99 = time_us;
        report.summary.scheduling_lag_us.p99 = lag_us;
        report.judge(&[text.parse().unwrap()]);
        let told = &report.thresholds[0];
        assert_eq!([told.broken.is_some(), told.is_by_generator], expected, "{told:?}");
        let verdict = if !expected[0] {
            "passed"
        } else if expected[1] {
            "inconclusive"
        } else {
            "failed"
        };
        assert_eq!(report.verdict(), verdict, "{told:?}");
        let is_said = told.broken.as_ref().is_some_and(|told| told.contains("it woke up 15 ms late itself"));
        assert_eq!(is_said, expected[1], "{told:?}");
        for (text, is_told) in [("::error", expected == [true, false]), ("::warning", expected[1])] {
            assert_eq!(report.annotations().contains(text), is_told, "{}", report.annotations());
        }
        assert_eq!(report.outputs().contains("failed=p"), expected == [true, false], "{}", report.outputs());
    };
    check("p99<10ms", [15_300, 15_000], [true, true]);
    check("publish_delay_p99<=10ms", [15_100, 15_000], [true, true]);
    check("p99<10ms", [9_900, 9_000], [false, false]);
    // It was late, and too little for that to be why.
    check("p99<200ms", [210_000, 15_000], [true, false]);
    // The receiver was too slow for it by itself.
    check("p99<20ms", [415_000, 15_000], [true, false]);
    check("p99>20ms", [15_300, 15_000], [true, false]);
    check("p90<=0ms", [15_300, 15_000], [false, false]);

    let mut unanswered = LoadReport::default();
    unanswered.summary.attempts = 10;
    unanswered.summary.scheduling_lag_us.p99 = 15_000;
    unanswered.summary.errors_by_kind.insert("timeout".to_owned(), 10);
    unanswered.judge(&["p99<10ms".parse().unwrap()]);
    assert!(!unanswered.thresholds[0].is_by_generator, "who has no answer waits for it without an end");
}

#[test]
fn at_full_speed_a_busy_generator_is_not_beaten_by_the_receiver() {
    let check = |text: &str, [is_busy, is_at_full_speed]: [bool; 2], expected: bool| {
        let mut report = LoadReport::default();
        (report.summary.attempts, report.summary.acknowledged) = (1_000, 1_000);
        (report.threads, report.connections, report.summary.seconds) = (1, 9, 2.0);
        report.summary.latency_us.p99 = 20_000;
        report.summary.latency_us.p999 = 100_000;
        report.summary.sent_per_second = 900.0;
        // In its busiest second it is at its limit in any case.
        report.summary.cpu = Some(0.99);
        report.summary.cpu_us_per_attempt = Some(if is_busy { 1_980.0 } else { 1_200.0 });
        if is_at_full_speed {
            report.pace = "as fast as they are answered".to_owned();
        }
        report.judge(&[text.parse().unwrap()]);
        let told = &report.thresholds[0];
        assert!(told.broken.is_some(), "{told:?}");
        assert_eq!(told.is_by_generator, expected, "{text} {is_busy} {is_at_full_speed}");
        assert_eq!(report.verdict(), if expected { "inconclusive" } else { "failed" });
    };
    for text in ["p99<10ms", "rate>=1000"] {
        check(text, [true, true], true);
        check(text, [false, true], false);
        check(text, [true, false], false);
    }
    check("rate<800", [true, true], false);
    // Ten turns of its connections are not explained by its own pace.
    check("p999<10ms", [true, true], false);
    check("errors>0", [true, true], false);
}

#[test]
fn what_nobody_looked_at_is_inconclusive() {
    let mut report = LoadReport::default();
    (report.summary.attempts, report.summary.acknowledged) = (10, 10);
    report.judge(&["lost==0".parse().unwrap()]);
    assert!(report.thresholds[0].is_unknown);
    assert_eq!(report.judged(), ("inconclusive", Some("effects_unseen")));
    assert!(report.outputs().contains("failed=\n"), "{}", report.outputs());
    report.summary.lost = Some(0);
    report.judge(&["lost==0".parse().unwrap()]);
    assert_eq!(report.judged(), ("passed", None));
    report.summary.lost = Some(1);
    report.judge(&["lost==0".parse().unwrap()]);
    assert_eq!(report.judged(), ("failed", Some("threshold")));
    // It is what was lost at least.
    report.audit_failed = Some("it is gone".to_owned());
    report.judge(&["lost==0".parse().unwrap(), "lost<5".parse().unwrap(), "lost>=1".parse().unwrap()]);
    let told = report.thresholds.iter().map(|told| (told.broken.is_some(), told.is_unknown));
    assert_eq!(told.collect::<Vec<_>>(), [(true, false), (true, true), (false, false)]);
    let told = report.thresholds[1].broken.as_deref().unwrap();
    assert!(told.ends_with("it is 1 at least, for not all effects could be seen"), "{told}");
}

#[test]
fn what_is_none_is_told() {
    check("p99", Err("compares nothing"));
    check("p98<1ms", Err("no figure \"p98\""));
    check("p99<500", Err("has no unit"));
    check("errors<-1", Err("is no bound"));
    check("errors<many", Err("is no number"));
}
