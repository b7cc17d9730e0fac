//! The REST API's bodies: what an application asks of the platform, and what it is told.
//!
//! Two generations: [`legacy`] (v1 and v2, `appid` and `secret` in the body) and [`v3`] (Bearer token).

pub mod legacy;
pub mod v3;
