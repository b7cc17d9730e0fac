use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};
use piopiy_receiver::StoreLocation;

/// Reads a [`StoreLocation`]. Other parsers repeat a value that they do not understand, and here it may hold a password.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreValue;

impl TypedValueParser for StoreValue {
    type Value = StoreLocation;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let fail = |reason: String| {
            clap::Error::raw(
                ErrorKind::ValueValidation,
                format!("invalid value for '--store <STORE>': {reason}\n"),
            )
            .with_cmd(command)
        };
        let text = value.to_str().ok_or_else(|| fail("it is no UTF-8".to_owned()))?;
        text.parse().map_err(|error: piopiy_receiver::InvalidStoreLocation| fail(error.to_string()))
    }
}
