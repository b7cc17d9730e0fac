//! JSON Schema (2020-12) of every payload, and one OpenAPI 3.1 document of the webhooks.
//!
//! The schemas are made from the same tables that parsing and validation read. All are open: members that are not
//! documented are allowed everywhere.
//!
//! # Examples
//! ```
//! use piopiy_events::{Form, Profile, schema};
//!
//! let form = Form::named(Profile::Global, "live.in_answered").next().unwrap();
//! let schema = schema::form(form);
//! assert_eq!(schema["properties"]["status"]["const"], "in_answered");
//! assert_eq!(schema::openapi()["openapi"], "3.1.0");
//! ```

mod files;
mod form;
mod json_schema;
mod object;
mod openapi;

pub use files::files;
pub use form::{form, profile};
pub use object::{action, object, pcmo, stream_message};
pub use openapi::openapi;

use serde_json::{Map, Value};

/// The dialect of the schemas.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Puts `schema` on its own, with its dialect and a title.
fn document(title: &str, schema: Value) -> Value {
    let mut document = Map::new();
    document.insert("$schema".to_owned(), DIALECT.into());
    document.insert("title".to_owned(), title.into());
    if let Value::Object(members) = schema {
        document.extend(members);
    }
    Value::Object(document)
}
