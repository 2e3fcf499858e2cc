//! The one integration-test binary: modules by behaviour, each test with a database of its own, and the
//! real program as the subject wherever a user would meet it.
//!
//! The server is shared by all tests of a process; it is removed when the process ends.

mod support;

mod faults;
mod floors;
mod import;
mod publish;
