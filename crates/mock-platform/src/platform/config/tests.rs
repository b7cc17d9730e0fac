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
    check("[platform]\ntime-scale = 0", Err("mine.toml: platform.time-scale is 0"));
    check(
        "[platform]\ntime-scale = \"fast\"",
        Err("mine.toml:2:14: invalid type: string \"fast\", expected a number"),
    );
    check("[platform.stream]\nkeep-files = -1", Err("integer `-1`, expected a whole number, 0 or more"));
    check("[platform.stream]\nrecord = 1", Err("integer `1`, expected true or false"));
    check("[platform]\nallow-hosts = \"app.example\"", Err("string \"app.example\", expected a list"));
    check("platform = 1", Err("integer `1`, expected a table"));
    check("[platform.caller]\nanswers = \"maybe\"", Err("unknown word `maybe`; the words here: yes, no"));
    check(
        "[platform.caller]\ndigits = [\"1\", \"two\"]",
        Err("[platform.caller] digits: \"two\" cannot be pressed"),
    );
    check("[[platform.person]]\nnumber = 1\ndigits = [\"12*#\", \"\"]", Ok(()));
    check("[platform]\nallow-hosts = [\"app.example:80\", \"[::1]\"]", Ok(()));
    for host in ["http://app.example", "*.example", "me@app.example", ""] {
        check(&format!("[platform]\nallow-hosts = [{host:?}]"), Err("is no host: write HOST or HOST:PORT"));
    }
    let fail = |rule: &str| format!("[[platform.rest.fail]]\n{rule}");
    check(&fail("path = \"/v3/calls/{id}\"\nstatus = 503"), Ok(()));
    check(&fail("path = \"/v3/calls/7\"\nstatus = 503"), Err("\"/v3/calls/7\" is no path of the REST APIs"));
    check(&fail("status = 99"), Err("status is 99: it must be from 200 to 599"));
    check("[platform]\nprofile = \"mars\"", Err("unknown profile \"mars\""));
    check(
        "[[platform.app]]\nappid = 1\nsecret = \"a\"\n[[platform.app]]\nappid = 1\nsecret = \"b\"",
        Err("twice"),
    );
    check("[[platform.number]]\nnumber = 1\napp = 3", Err("has an app that there is not"));
    check(
        "[[platform.number]]\nnumber = 1\nanswer-url = \"http://app.example/\"",
        Err(
            "mine.toml: [[platform.number]] 1: answer-url cannot be used: app.example is not on this machine",
        ),
    );
    check(
        "[[platform.app]]\nappid = 1\nsecret = \"\"",
        Err("[[platform.app]] 1: its secret or its token is empty"),
    );
    check("[[platform.app]]\nappid = 1\nsecret = \"a\"\ntoken = \"\"", Err("its token is empty"));
    check("[[platform.person]]\nnumber = 1\n[[platform.person]]\nnumber = 1", Err("1 is there twice"));
    check("[platform.faults]\nloss = 2", Err("probability of `loss`"));
}

#[test]
fn somebody_behaves_as_everybody_else_but_for_what_is_said_of_them() {
    let text = "[platform.caller]\ndigits = [\"1\"]\nhangs-up-after = \"60s\"\n[[platform.person]]\nnumber = 7\n\
                answers = \"busy\"\n[[platform.person]]\nnumber = 8\nhangs-up-after = \"5s\"";
    let config = Config::parse("mine.toml", text).unwrap();
    let habits = |number, leg_a| {
        let person = config.person(number, leg_a);
        (person.answers, person.digits.len(), person.hangs_up_after.map(Length::millis))
    };
    assert_eq!(habits(7, true), (Answers::Busy, 1, Some(60_000)));
    assert_eq!(habits(7, false), (Answers::Busy, 0, Some(10_000)), "as whoever is on leg b");
    assert_eq!(habits(8, false), (Answers::Yes, 0, Some(5_000)));
    check("[[platform.person]]\nanswers = \"busy\"", Err("missing field `number`"));
}

#[test]
fn secrets_are_not_shown() {
    let text = "[[platform.app]]\nappid = 1\nsecret = \"hush\"\ntoken = \"hush\"\n[[platform.number]]\nnumber = 1\n\
                answer-url = \"http://127.0.0.1/?key=hush\"";
    let config = Config::parse("mine.toml", text).unwrap();
    assert!(!format!("{config:?}").contains("hush"));
}
