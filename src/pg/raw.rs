//! Whether a database lends its `jsonb` out as it keeps it.
//!
//! `jsonb` and `bytea` are stored alike: a length and bytes. A cast between them WITHOUT FUNCTION is free, and
//! then `document::bytea` sends what the server holds, without printing a line of JSON. Only a superuser may
//! make such a cast, and xdoflow does not make it by itself: `check` prints [`CREATE_CAST`], and what of it.

use super::session::Session;
use crate::error::Result;
use crate::pgcopy::ondisk::{ByteOrder, PROBE};

/// What a superuser runs once in V1's database.
pub const CREATE_CAST: &str = "CREATE CAST (jsonb AS bytea) WITHOUT FUNCTION";
/// What takes it back.
pub const DROP_CAST: &str = "DROP CAST (jsonb AS bytea)";
/// What it changes.
pub const CAST_EFFECT: &str = "it is binary-coercible and explicit only: a query that does not say document::bytea is as \
     before, no row is written, and pg_dump keeps it with the database";

/// The answer of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawAccess {
    /// Documents can be read as it keeps them.
    Yes(ByteOrder),
    /// There is no such cast.
    NoCast,
    /// There is one, but documents must not be read through it.
    No(String),
}

impl RawAccess {
    /// Why not, in words; `None` where it can be done.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Yes(_) => None,
            Self::NoCast => Some("the source has no cast from jsonb to bytea without function"),
            Self::No(reason) => Some(reason),
        }
    }

    /// Asks the database. No statement fails where the cast is missing: this may be in a transaction.
    pub async fn ask(session: &Session) -> Result<Self> {
        let rows = session.query(CAST, &[]).await?;
        let Some(row) = rows.first() else { return Ok(Self::NoCast) };
        let (coercible, explicit): (bool, bool) = (row.get("coercible"), row.get("explicit"));
        let encoding: String = row.get("encoding");
        if !coercible || !explicit {
            let text = "the source's cast from jsonb to bytea is not the explicit one without function";
            return Ok(Self::No(text.to_owned()));
        }
        // The server converts the text that it sends, and leaves bytes as they are.
        if encoding != "UTF8" {
            return Ok(Self::No(format!("the source's encoding is {encoding}, and not UTF8")));
        }
        let row = session.query_one("SELECT $1::text::jsonb::bytea", &[&PROBE]).await?;
        let bytes: Vec<u8> = row.get(0);
        Ok(match ByteOrder::of_probe(&bytes) {
            Some(order) => Self::Yes(order),
            None => Self::No("the source keeps jsonb in a form that is not known here".to_owned()),
        })
    }
}

const CAST: &str = "
    SELECT castmethod = 'b' AS coercible, castcontext = 'e' AS explicit,
           current_setting('server_encoding') AS encoding
    FROM pg_cast WHERE castsource = 'jsonb'::regtype AND casttarget = 'bytea'::regtype";
