//! Integration tests of the mock platform.

mod plan;
