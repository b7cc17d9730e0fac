//! Virtual time: nobody waits, and what is late is late by exactly as much as was meant.

use std::f64::consts::PI;

use tokio::io::DuplexStream;
use tokio::sync::oneshot;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use super::super::dial::Wire;
use super::super::{Speaker, StreamFaults, Streams};
use super::*;
use crate::deliver::Target;

type App = WebSocketStream<DuplexStream>;

/// Both ends of a line; so many bytes may be on their way.
async fn ends(room: usize) -> (Socket, App) {
    let (near, far) = tokio::io::duplex(room);
    let wire: Box<dyn Wire> = Box::new(near);
    let (near, far) = tokio::join!(client_async("ws://app.example/", wire), accept_async(far));
    (near.unwrap().0, far.unwrap())
}

fn spec(listens: Listens, faults: StreamFaults) -> StreamSpec {
    StreamSpec {
        target: Target::parse_websocket("ws://127.0.0.1:1/", &[]).unwrap(),
        sample_rate: 8_000,
        listens,
        caller: Speaker { says: None, seed: 1 },
        callee: None,
        settings: Streams::default(),
        faults,
        seed: 7,
        heard: None,
        said: None,
    }
}

/// A minute of a tone.
fn tone(hertz: f64) -> Voice {
    let sample = |n: usize| 8_000.0 * libm::sin(2.0 * PI * hertz * n as f64 / 8_000.0);
    #[expect(clippy::cast_possible_truncation, reason = "it is not above 8000")]
    let samples: Vec<i16> = (0..480_000).map(|n| sample(n) as i16).collect();
    Voice::File { samples: samples.into(), at: 0 }
}

/// How loud a tone is in a frame: 1 where it is all of a voice of [`tone`].
fn loudness(frame: &[i16], hertz: f64) -> f64 {
    let turn = 2.0 * libm::cos(2.0 * PI * hertz / 8_000.0);
    let (mut one, mut two) = (0.0, 0.0);
    for &sample in frame {
        (one, two) = (f64::from(sample) + turn * one - two, one);
    }
    2.0 * (one * one + two * two - turn * one * two).max(0.0).sqrt() / (8_000.0 * frame.len() as f64)
}

/// What came of a line.
struct Came {
    /// When each frame came, since the line was opened, and what was in it.
    frames: Vec<(Duration, Vec<i16>)>,
    code: u16,
    figures: StreamFigures,
    notes: Vec<String>,
}

/// Carries a line whose application only listens, while `meanwhile` controls it.
async fn carried<F: Future<Output = ()>>(
    spec: &StreamSpec,
    voices: (Voice, Option<Voice>),
    meanwhile: impl FnOnce(mpsc::UnboundedSender<Control>) -> F,
) -> Came {
    let (near, mut far) = ends(1 << 20).await;
    let began = Instant::now();
    let (tell, frames) = oneshot::channel();
    tokio::spawn(async move {
        let mut frames = Vec::new();
        while let Some(Ok(message)) = far.next().await {
            if let Message::Binary(bytes) = message {
                let samples = bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
                frames.push((began.elapsed(), samples));
            }
        }
        let _ = tell.send(frames);
    });
    let (told, mut events) = mpsc::channel(64);
    let (control, mut controlled) = mpsc::unbounded_channel();
    let carrying = carry(spec, voices, near, &told, VecDeque::new(), &mut controlled);
    let ((code, _, figures), ()) = tokio::join!(carrying, meanwhile(control));
    drop(told);
    let mut notes = Vec::new();
    while let Some(event) = events.recv().await {
        if let StreamEvent::Note(note) = event {
            notes.push(note);
        }
    }
    Came { frames: frames.await.unwrap(), code, figures, notes }
}

async fn wait(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// How far each frame is behind its time: milliseconds.
fn late(came: &Came) -> Vec<u128> {
    let late = |(n, (at, _)): (usize, &(Duration, _))| at.as_millis() - 20 * n as u128;
    came.frames.iter().enumerate().map(late).collect()
}

#[tokio::test(start_paused = true)]
async fn a_frame_comes_at_its_time_after_minutes_as_at_the_beginning() {
    let spec = spec(Listens::Caller, StreamFaults::default());
    let came = carried(&spec, (tone(440.0), None), |control| async move {
        wait(120_010).await;
        control.send(Control::HangUp).unwrap();
    })
    .await;
    assert_eq!((came.frames.len(), came.code), (6_001, 1_000));
    // The clock of the runtime has milliseconds, and rounds up.
    assert!(late(&came).iter().all(|&late| late <= 1), "{:?}", late(&came).iter().max());
}

#[tokio::test(start_paused = true)]
async fn what_a_stalled_machine_missed_comes_at_once_and_the_rest_at_its_time() {
    let spec = spec(Listens::Caller, StreamFaults::default());
    let came = carried(&spec, (tone(440.0), None), |control| async move {
        wait(1_010).await;
        tokio::time::advance(Duration::from_millis(500)).await;
        wait(1_000).await;
        control.send(Control::HangUp).unwrap();
    })
    .await;
    let late = late(&came);
    assert_eq!(late.len(), 126, "none is left out");
    assert!(late[..51].iter().chain(&late[76..]).all(|&late| late <= 1), "{late:?}");
    let burst: Vec<_> = came.frames[51..76].iter().map(|(at, _)| at.as_millis()).collect();
    assert!(burst.iter().all(|at| (1_510..=1_512).contains(at)), "{burst:?}");
    let second: Vec<i16> = came.frames.iter().flat_map(|(_, frame)| frame.clone()).collect();
    assert!((loudness(&second[..16_000], 440.0) - 1.0).abs() < 0.01, "the tone is not broken");
}

#[tokio::test(start_paused = true)]
async fn jitter_and_late_frames_are_as_late_as_was_asked_for_and_keep_their_order() {
    let hangs_up = |control: mpsc::UnboundedSender<Control>| async move {
        wait(60_010).await;
        control.send(Control::HangUp).unwrap();
    };
    let faults = StreamFaults { jitter_ms: 15, ..StreamFaults::default() };
    let came = carried(&spec(Listens::Caller, faults), (tone(440.0), None), hangs_up).await;
    let behind = late(&came);
    assert!(behind.iter().all(|&late| late <= 16), "{:?}", behind.iter().max());
    for some in 0..=15 {
        assert!(behind.iter().any(|&late| late.abs_diff(some) <= 1), "none is late by {some} ms");
    }
    let faults = StreamFaults { late: 0.01, late_ms: 200, ..StreamFaults::default() };
    let came = carried(&spec(Listens::Caller, faults), (tone(440.0), None), hangs_up).await;
    let behind = late(&came);
    let begun = (1..behind.len()).filter(|&n| behind[n] >= 199 && behind[n - 1] <= 1).count();
    assert!((10..60).contains(&begun), "{begun} of 3000 frames were held back");
    assert!(behind.iter().all(|&late| late <= 201));
    let all: Vec<i16> = came.frames.iter().flat_map(|(_, frame)| frame.clone()).collect();
    assert!((loudness(&all[..400_000], 440.0) - 1.0).abs() < 0.01, "none overtakes another");
}

#[tokio::test(start_paused = true)]
async fn an_application_hears_whom_it_listens_to() {
    for (listens, alone, together) in [
        (Listens::Caller, (1.0, 0.0), (1.0, 0.0)),
        (Listens::Callee, (0.0, 0.0), (0.0, 1.0)),
        (Listens::Both, (1.0, 0.0), (1.0, 1.0)),
    ] {
        let spec = spec(listens, StreamFaults::default());
        let came = carried(&spec, (tone(450.0), None), |control| async move {
            wait(1_010).await;
            let callee = Control::Callee { nth: 2, voice: Some(tone(1_000.0)), odd: None };
            control.send(callee).unwrap();
            // One that took long to be read, and is there no more.
            let gone = Control::Callee { nth: 1, voice: Some(tone(2_000.0)), odd: None };
            control.send(gone).unwrap();
            wait(1_000).await;
            control.send(Control::Callee { nth: 3, voice: None, odd: None }).unwrap();
            wait(1_000).await;
            control.send(Control::HangUp).unwrap();
        })
        .await;
        for (n, (_, frame)) in came.frames.iter().enumerate() {
            let (caller, callee) = if (51..101).contains(&n) { together } else { alone };
            for (hertz, expected) in [(450.0, caller), (1_000.0, callee), (2_000.0, 0.0)] {
                let loud = loudness(frame, hertz);
                assert!((loud - expected).abs() < 0.05, "{listens:?}, frame {n}: {loud} at {hertz} Hz");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_hold_the_application_hears_silence_at_its_time() {
    let spec = spec(Listens::Both, StreamFaults::default());
    let came = carried(&spec, (tone(450.0), Some(tone(1_000.0))), |control| async move {
        wait(1_010).await;
        control.send(Control::Hold(true)).unwrap();
        wait(1_000).await;
        control.send(Control::Hold(false)).unwrap();
        wait(1_000).await;
        control.send(Control::HangUp).unwrap();
    })
    .await;
    assert!(late(&came).iter().all(|&late| late <= 1));
    for (n, (_, frame)) in came.frames.iter().enumerate() {
        let is_silent = frame.iter().all(|&sample| sample == 0);
        assert_eq!(is_silent, (51..101).contains(&n), "frame {n}");
    }
    assert_eq!(came.frames.len(), 151);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_reads_nothing_misses_frames_and_holds_nothing_up() {
    let (near, far) = ends(4_096).await;
    let (told, mut events) = mpsc::channel(64);
    let (control, mut controlled) = mpsc::unbounded_channel();
    let spec = spec(Listens::Caller, StreamFaults::default());
    let carrying = carry(&spec, (tone(440.0), None), near, &told, VecDeque::new(), &mut controlled);
    let hangs_up = async {
        wait(20_000).await;
        control.send(Control::HangUp).unwrap();
        Instant::now()
    };
    let ((_, _, figures), hung_up) = tokio::join!(carrying, hangs_up);
    assert!(hung_up.elapsed() < Duration::from_secs(2), "{:?}", hung_up.elapsed());
    assert_eq!(figures.frames, 1_001);
    assert!((700..760).contains(&figures.unread_frames), "{figures:?}");
    assert!(events.try_recv().is_err());
    drop(far);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_oddities_and_call_flows_is_told_within_bounds() {
    let (near, mut far) = ends(1 << 20).await;
    let (told, mut events) = mpsc::channel(64);
    let (_control, mut controlled) = mpsc::unbounded_channel();
    let spec = spec(Listens::Caller, StreamFaults::default());
    let floods = async move {
        for _ in 0..500 {
            far.send(Message::text(r#"[{"action":"speak","text":"hello"}]"#)).await.unwrap();
            far.send(Message::text("what?")).await.unwrap();
        }
        far.close(None).await.unwrap();
        while let Some(Ok(_)) = far.next().await {}
    };
    let carrying = carry(&spec, (tone(440.0), None), near, &told, VecDeque::new(), &mut controlled);
    let (code, ..) = tokio::join!(carrying, floods).0;
    assert_eq!(code, 1_005);
    drop(told);
    let mut waiting = 0;
    while events.recv().await.is_some() {
        waiting += 1;
    }
    assert_eq!(waiting, 64, "no more wait than have room");
}

#[tokio::test(start_paused = true)]
async fn faults_end_the_line_when_and_how_they_say() {
    for (faults, code, count) in [
        (StreamFaults { drop_after_ms: Some(1_010), ..StreamFaults::default() }, 1_006, 51),
        (StreamFaults { close_after_ms: Some(210), ..StreamFaults::default() }, 1_011, 11),
        (
            StreamFaults { close_after_ms: Some(210), close_code: Some(4_999), ..StreamFaults::default() },
            4_999,
            11,
        ),
    ] {
        let came = carried(&spec(Listens::Caller, faults), (tone(440.0), None), |control| async move {
            wait(2_000).await;
            // The line is over before.
            let _ = control.send(Control::HangUp);
        })
        .await;
        assert_eq!((came.code, came.frames.len()), (code, count));
        assert!(came.notes.is_empty(), "{:?}", came.notes);
        assert_eq!(came.figures.frames, count as u64);
    }
}
