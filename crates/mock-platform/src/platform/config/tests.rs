use super::*;

fn check(text: &str, expected: Result<(), &str>) {
    let told = |error: ConfigError| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    };
    let got = Config::parse("mine.toml", text).map(drop).map_err(told);
    match (got, expected) {
        (Ok(()), Ok(())) => {}
        (Err(message), Err(part)) => assert!(message.contains(part), "{text}: {message}"),
        (got, expected) => panic!("{text}: {got:?}, expected {expected:?}"),
    }
}

#[test]
fn what_is_left_out_is_there() {
    let config = Config::parse("mine.toml", "").unwrap();
    let (appid, _, _, number) = Config::ZERO;
    assert_eq!((config.apps[0].appid, config.numbers[0].number), (appid, number));
    assert_eq!(config.app_of(&config.numbers[0]).map(|app| app.appid), Some(appid));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    check("[check]\nanything = 1", Ok(()));
    check("[platform]\nprofil = 1", Err("mine.toml:2:1: unknown key `profil`: did you mean `profile`?"));
    check("[platform.choices]\nbad-answer = \"hangup\"", Err("did you mean `hang-up`?"));
    check("[platform]\ntime-scale = 0", Err("platform.time-scale is 0"));
    check("[platform]\nprofile = \"mars\"", Err("unknown profile \"mars\""));
    check(
        "[[platform.app]]\nappid = 1\nsecret = \"a\"\n[[platform.app]]\nappid = 1\nsecret = \"b\"",
        Err("twice"),
    );
    check("[[platform.number]]\nnumber = 1\napp = 3", Err("has an app that there is not"));
    check(
        "[[platform.number]]\nnumber = 1\nanswer-url = \"http://app.example/\"",
        Err("[[platform.number]] 1: answer-url cannot be used: app.example is not on this machine"),
    );
    check(
        "[[platform.app]]\nappid = 1\nsecret = \"\"",
        Err("[[platform.app]] 1: its secret or its token is empty"),
    );
    check("[[platform.app]]\nappid = 1\nsecret = \"a\"\ntoken = \"\"", Err("its token is empty"));
    check("[platform.faults]\nloss = 2", Err("probability of `loss`"));
}

#[test]
fn secrets_are_not_shown() {
    let text = "[[platform.app]]\nappid = 1\nsecret = \"hush\"\ntoken = \"hush\"\n[[platform.number]]\nnumber = 1\n\
                answer-url = \"http://127.0.0.1/?key=hush\"";
    let config = Config::parse("mine.toml", text).unwrap();
    assert!(!format!("{config:?}").contains("hush"));
}
