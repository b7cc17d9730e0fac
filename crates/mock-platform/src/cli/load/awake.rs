use clap::ValueEnum;
use piopiy_mock_platform::load::Awake;

/// See [`Awake`].
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum AwakeArg {
    Auto,
    Always,
    Never,
}

impl From<AwakeArg> for Awake {
    fn from(awake: AwakeArg) -> Self {
        match awake {
            AwakeArg::Auto => Self::Auto,
            AwakeArg::Always => Self::Always,
            AwakeArg::Never => Self::Never,
        }
    }
}
