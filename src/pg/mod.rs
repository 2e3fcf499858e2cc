//! The only user of `tokio_postgres`: connections, the catalogue, snapshots, COPY streams, and what a
//! server's error means.

pub mod catalog;
pub mod compare;
pub mod connect;
pub mod copy;
mod dsn;
mod fault;
pub mod fingerprint;
mod lock;
mod parameters;
mod password;
pub mod profile;
pub mod raw;
pub mod session;
pub mod settings;
pub mod sql;
mod tap;
mod tls;
mod verify;
mod watch;

pub use catalog::TableInfo;
pub use copy::{BatchStream, ByteLoader, ByteStream, Loader};
pub use lock::LockMode;
pub use raw::RawAccess;
pub use session::{Database, Limits, Session, Side};
pub use settings::Settings;
pub use tokio_postgres::Row;
pub use tokio_postgres::types::ToSql;
