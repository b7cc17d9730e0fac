use proptest::prelude::*;

use super::*;

const FIRST: Duration = Duration::from_secs(1);

fn queue(max_attempts: u32) -> Queue {
    Queue::new(Backoff { first: FIRST, most: Duration::from_secs(60) }, max_attempts, Jitter::new(1))
}

fn names(text: &str) -> Vec<CallName> {
    text.split_whitespace().map(CallName::from).collect()
}

/// All that may go now.
fn all(queue: &mut Queue, now: Duration) -> Vec<u64> {
    std::iter::from_fn(|| queue.next(now)).map(|(seq, _)| seq).collect()
}

#[test]
fn webhooks_of_one_call_go_one_after_another() {
    let mut queue = queue(3);
    for (seq, of) in [(1, "A C"), (2, "B C"), (3, "D"), (4, "A")] {
        queue.push(seq, names(of), 0);
    }
    assert_eq!(all(&mut queue, Duration::ZERO), [1, 3]);
    assert_eq!(queue.settle(1, Ended::Delivered, Duration::ZERO), Next::Settled);
    assert_eq!(all(&mut queue, Duration::ZERO), [2, 4], "legs of one call, and what names leg a alone");
}

#[test]
fn what_is_in_flight_stays_so_where_it_is_taken_again() {
    let mut queue = queue(3);
    queue.push(1, names("A"), 0);
    assert_eq!(all(&mut queue, Duration::ZERO), [1]);
    queue.push(1, names("A"), 0);
    queue.push(2, names("A"), 0);
    assert_eq!(all(&mut queue, Duration::ZERO), [0; 0]);
    assert_eq!(queue.settle(1, Ended::Delivered, Duration::ZERO), Next::Settled);
    assert_eq!((queue.in_flight(), all(&mut queue, Duration::ZERO)), (0, vec![2]));
}

#[test]
fn a_failure_holds_up_its_call_alone() {
    let mut queue = queue(2);
    for (seq, of) in [(1, "A"), (2, "A"), (3, "B")] {
        queue.push(seq, names(of), 0);
    }
    assert_eq!(all(&mut queue, Duration::ZERO), [1, 3]);
    assert_eq!(queue.settle(1, Ended::Failed, Duration::ZERO), Next::Again { attempts: 1 });
    assert_eq!(queue.settle(3, Ended::Delivered, Duration::ZERO), Next::Settled);
    assert_eq!(all(&mut queue, Duration::ZERO), [0; 0]);
    let due = queue.wake_at().unwrap();
    assert!((FIRST / 2..=FIRST).contains(&due), "{due:?}");
    assert_eq!(all(&mut queue, due), [1]);
    assert_eq!(queue.settle(1, Ended::Failed, due), Next::Dead { attempts: 2 });
    assert_eq!(all(&mut queue, due), [2], "it is given up, and its call goes on");
}

#[test]
fn a_destination_that_is_down_is_asked_with_one_webhook_at_a_time() {
    let mut queue = queue(1);
    for seq in 1..=4 {
        queue.push(seq, names(&seq.to_string()), 0);
    }
    let mut now = Duration::ZERO;
    assert_eq!(all(&mut queue, now), [1, 2, 3, 4]);
    for seq in 1..=4 {
        assert_eq!(queue.settle(seq, Ended::Unreachable, now), Next::Again { attempts: 0 });
    }
    for _ in 0..20 {
        assert!(queue.is_held());
        assert_eq!(all(&mut queue, now), [0; 0]);
        now = queue.wake_at().unwrap();
        assert_eq!(all(&mut queue, now), [1], "one at a time");
        assert_eq!(queue.settle(1, Ended::Unreachable, now), Next::Again { attempts: 0 });
    }
    now = queue.wake_at().unwrap();
    assert_eq!(all(&mut queue, now), [1]);
    assert_eq!(queue.settle(1, Ended::Delivered, now), Next::Settled);
    assert_eq!(all(&mut queue, now), [2, 3, 4], "it answers again");
}

#[test]
fn a_webhook_that_alone_is_refused_does_not_stop_the_others_for_ever() {
    let mut queue = queue(5);
    queue.push(1, names("A"), 0);
    queue.push(2, names("B"), 0);
    let mut now = Duration::ZERO;
    let mut delivered = Vec::new();
    for _ in 0..40 {
        let Some(wake_at) = queue.wake_at() else { break };
        now = now.max(wake_at);
        while let Some((seq, _)) = queue.next(now) {
            let ended = if seq == 1 { Ended::Refused { retry_after: None } } else { Ended::Delivered };
            if queue.settle(seq, ended, now) == Next::Settled {
                delivered.push(seq);
            }
        }
    }
    assert_eq!((delivered, queue.len()), (vec![2], 0));
}

#[test]
fn retry_after_is_waited_for() {
    let mut queue = queue(5);
    queue.push(1, names("A"), 0);
    assert_eq!(all(&mut queue, Duration::ZERO), [1]);
    let after = Duration::from_secs(40);
    queue.settle(1, Ended::Refused { retry_after: Some(after) }, Duration::ZERO);
    assert_eq!(queue.wake_at(), Some(after));
}

#[test]
fn answers_to_what_was_sent_before_a_hold_do_not_end_it() {
    let mut queue = queue(5);
    for seq in 1..=3 {
        queue.push(seq, names(&seq.to_string()), 0);
    }
    assert_eq!(all(&mut queue, Duration::ZERO), [1, 2, 3]);
    let after = Duration::from_secs(40);
    queue.settle(1, Ended::Refused { retry_after: Some(after) }, Duration::ZERO);
    queue.settle(2, Ended::Unreachable, Duration::ZERO);
    queue.settle(3, Ended::Delivered, Duration::ZERO);
    assert!(queue.is_held());
    assert_eq!(queue.wake_at(), Some(after));
    assert_eq!(all(&mut queue, after), [2], "one at a time, and first what was not refused");
    queue.settle(2, Ended::Delivered, after);
    assert_eq!(all(&mut queue, after), [1]);
}

/// A queue with two webhooks that were refused, and between them one that was delivered.
fn two_of_three_refused(refused: Ended) -> Queue {
    let mut queue = queue(99);
    for seq in 1..=3 {
        queue.push(seq, names(&seq.to_string()), 0);
    }
    assert_eq!(all(&mut queue, Duration::ZERO), [1, 2, 3]);
    for (seq, ended) in [(1, refused), (2, Ended::Delivered), (3, refused)] {
        queue.settle(seq, ended, Duration::ZERO);
    }
    queue
}

#[test]
fn a_destination_that_refuses_again_is_not_taken_for_one_that_answers() {
    let refused = Ended::Refused { retry_after: Some(Duration::from_secs(40)) };
    let mut queue = two_of_three_refused(refused);
    let mut now = queue.wake_at().unwrap();
    for attempts in 1..5 {
        assert!(queue.is_held());
        let (seq, _) = queue.next(now).unwrap();
        assert_eq!(queue.next(now), None, "one at a time");
        queue.settle(seq, refused, now);
        let wake_at = queue.wake_at().unwrap();
        assert!(wake_at >= now + Duration::from_secs(40), "{attempts}: asked again in {:?}", wake_at - now);
        now = wake_at;
    }
    let (seq, _) = queue.next(now).unwrap();
    queue.settle(seq, Ended::Delivered, now);
    assert!(!queue.is_held());
}

#[test]
fn what_is_refused_for_ever_is_not_asked_with_alone() {
    let refused = Ended::Refused { retry_after: Some(Duration::from_secs(300)) };
    let mut queue = two_of_three_refused(refused);
    let mut asked = Vec::new();
    while queue.len() > 1 {
        let now = queue.wake_at().unwrap();
        let (seq, _) = queue.next(now).unwrap();
        asked.push(seq);
        queue.settle(seq, if seq == 1 { refused } else { Ended::Delivered }, now);
    }
    assert_eq!(asked, [1, 3]);
}

#[test]
fn what_is_refused_for_itself_comes_again_when_it_was_told_to() {
    let mut queue = queue(9);
    queue.push(1, names("A"), 0);
    queue.push(2, names("B"), 0);
    let after = Duration::from_secs(40);
    let refused = Ended::Refused { retry_after: Some(after) };
    assert_eq!(queue.next(Duration::ZERO), Some((1, 0)));
    queue.settle(1, refused, Duration::ZERO);
    assert_eq!(queue.next(after), Some((2, 0)));
    queue.settle(2, Ended::Delivered, after);
    assert_eq!(queue.next(after), Some((1, 1)));
    queue.settle(1, refused, after);
    assert!(!queue.is_held(), "the others are taken");
    assert_eq!(queue.due(1), Some(2 * after));
}

#[test]
fn what_comes_before_something_in_flight_waits_for_it() {
    let mut queue = queue(5);
    queue.push(7, names("A"), 0);
    assert_eq!(all(&mut queue, Duration::ZERO), [7]);
    queue.push(3, names("A"), 0);
    assert_eq!(all(&mut queue, Duration::ZERO), [0; 0]);
    queue.settle(7, Ended::Failed, Duration::ZERO);
    assert_eq!(all(&mut queue, Duration::ZERO), [3], "and is then the first");
}

#[test]
fn what_starts_over_does_not_wait() {
    let mut queue = queue(2);
    queue.push(1, names("A"), 0);
    all(&mut queue, Duration::ZERO);
    queue.settle(1, Ended::Failed, Duration::ZERO);
    queue.start_over(1);
    assert_eq!(all(&mut queue, Duration::ZERO), [1]);
    assert_eq!(queue.settle(1, Ended::Failed, Duration::ZERO), Next::Again { attempts: 1 });
}

#[test]
fn what_is_asked_for_again_goes_before_what_is_later_in_its_call() {
    let mut queue = queue(5);
    queue.push(7, names("A"), 0);
    queue.push(3, names("A"), 0);
    assert_eq!(all(&mut queue, Duration::ZERO), [3]);
    queue.settle(3, Ended::Delivered, Duration::ZERO);
    assert_eq!(all(&mut queue, Duration::ZERO), [7]);
}

proptest! {
    /// Whatever calls there are and however attempts end: no two of one call are in flight, each call is delivered in
    /// order, and all are settled in the end.
    #[test]
    fn order_per_call_holds_and_nothing_is_forgotten(
        calls in prop::collection::vec((0..4_u8, 0..4_u8), 1..40),
        outcomes in prop::collection::vec(0..6_u8, 1..400),
        at_once in 1..6_usize,
    ) {
        let mut queue = queue(3);
        let names_of: Vec<Vec<CallName>> = calls.iter().map(|(a, c)| names(&format!("a{a} c{c}"))).collect();
        for (seq, names) in (1..).zip(&names_of) {
            queue.push(seq, names.clone(), 0);
        }
        let mut outcomes = outcomes.into_iter().cycle();
        let (mut now, mut in_flight, mut settled) = (Duration::ZERO, Vec::new(), Vec::new());
        while queue.len() > 0 {
            while in_flight.len() < at_once && let Some((seq, _)) = queue.next(now) {
                let index = |seq: u64| usize::try_from(seq).unwrap() - 1;
                let share = |other: &u64| {
                    names_of[index(*other)].iter().any(|name| names_of[index(seq)].contains(name))
                };
                prop_assert!(!in_flight.iter().any(share), "{seq} beside {in_flight:?}");
                let earlier: Vec<u64> = (1..seq).filter(|other| share(other) && !settled.contains(other)).collect();
                prop_assert_eq!(earlier, Vec::<u64>::new(), "before {}", seq);
                in_flight.push(seq);
            }
            if in_flight.is_empty() {
                now = queue.wake_at().expect("something is left, so there is a time for it").max(now);
                continue;
            }
            let seq = in_flight.remove(0);
            let ended = match outcomes.next() {
                Some(0) => Ended::Failed,
                Some(1) => Ended::Unreachable,
                Some(2) => Ended::Refused { retry_after: None },
                _ => Ended::Delivered,
            };
            // A list of failures alone must come to an end too.
            let ended = if now > Duration::from_secs(3600) { Ended::Delivered } else { ended };
            if !matches!(queue.settle(seq, ended, now), Next::Again { .. }) {
                settled.push(seq);
            }
        }
        prop_assert_eq!(settled.len(), calls.len());
    }
}
