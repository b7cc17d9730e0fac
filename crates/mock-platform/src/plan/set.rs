use piopiy_events::{ParseError, Raw, Webhook};

/// Why a member of a payload cannot be set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// Not `key=value`.
    #[error("`{0}` is not of the form key=value")]
    NotAnAssignment(String),
    /// The JSON pointer goes into a member: payloads are flat.
    #[error(
        "`{0}` points into a member: payloads are flat, so name the member itself (`~1` stands for a / in its name)"
    )]
    Nested(String),
    /// The payload is no JSON object.
    #[error("the payload is no JSON object that members could be set in")]
    Payload(#[from] ParseError),
}

/// Sets a member of a payload: `key=value` or `/key=value`. A value that is JSON is taken as it is, to its last
/// digit; anything else is taken as a string.
///
/// # Errors
/// Where the assignment is none, or the payload is no JSON object.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::plan::set;
///
/// let body = br#"{"from":447700900123,"leg":"a"}"#;
/// assert_eq!(set(body, "from=\"447700900123\"")?, br#"{"from":"447700900123","leg":"a"}"#);
/// assert_eq!(set(body, "/leg=c")?, br#"{"from":447700900123,"leg":"c"}"#);
/// assert_eq!(set(body, "new=12.0")?, br#"{"from":447700900123,"leg":"a","new":12.0}"#);
/// # Ok::<(), piopiy_mock_platform::plan::SetError>(())
/// ```
pub fn set(body: &[u8], assignment: &str) -> Result<Vec<u8>, SetError> {
    let (path, value) =
        assignment.split_once('=').ok_or_else(|| SetError::NotAnAssignment(assignment.to_owned()))?;
    let key = match path.strip_prefix('/') {
        Some(rest) if rest.contains('/') => return Err(SetError::Nested(path.to_owned())),
        Some(rest) => rest.replace("~1", "/").replace("~0", "~"),
        None => path.to_owned(),
    };
    if key.is_empty() {
        return Err(SetError::NotAnAssignment(assignment.to_owned()));
    }
    let mut webhook = Webhook::parse(body)?;
    webhook.set(&key, Some(value.parse().unwrap_or_else(|_| Raw::string(value))));
    Ok(webhook.to_json().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_assignment_is_refused() {
        let refused = |assignment: &str| set(b"{}", assignment).unwrap_err().to_string();
        assert_eq!(refused("from"), "`from` is not of the form key=value");
        assert_eq!(refused("=1"), "`=1` is not of the form key=value");
        assert!(refused("/a/b=1").starts_with("`/a/b` points into a member"));
        assert!(matches!(set(b"[]", "a=1"), Err(SetError::Payload(_))));
    }

    #[test]
    fn values_are_json_or_else_text() {
        let value = |text: &str| String::from_utf8(set(b"{}", &format!("k={text}")).unwrap()).unwrap();
        assert_eq!(value("1e400"), r#"{"k":1e400}"#);
        assert_eq!(value("{\"a\": [1]}"), r#"{"k":{"a": [1]}}"#);
        assert_eq!(value("01"), r#"{"k":"01"}"#);
        assert_eq!(value(""), r#"{"k":""}"#);
        assert_eq!(value("a=b"), r#"{"k":"a=b"}"#);
    }
}
