//! What is known of the pieces that are staged, beside their rows: enough to go on with them in another run.
//!
//! ```text
//! piece -1  the head: how the entity was begun, and what its fingerprints are worth
//! piece n   piece n is staged, and brought this
//! ```
//! Each note is written in the transaction of what it tells of. The table is unlogged like the staging tables
//! beside it; its columns are [`PIECE_COLUMNS`](crate::pg::sql::PIECE_COLUMNS): a crash of the server empties
//! all of them, and then nothing is said of rows that are gone. Who goes on with a run takes the head away
//! first: what was begun twice is not begun a third time.

use crate::error::Result;
use crate::name::{TableName, literal};
use crate::pg::Session;

/// The number of the head.
const HEAD: i32 = -1;

/// All notes of an entity.
#[derive(Debug)]
pub struct Notes {
    /// How it was begun; not there where nobody may go on with it.
    pub head: Option<String>,
    /// The pieces that are staged, by their numbers.
    pub pieces: Vec<Note>,
}

impl Notes {
    /// Whether a run could go on with what is staged.
    pub fn is_of_use(&self) -> bool {
        self.head.is_some() && !self.pieces.is_empty()
    }
}

/// What is noted of one piece.
#[derive(Debug)]
pub struct Note {
    /// Its number.
    pub piece: i32,
    /// What it brought.
    pub text: String,
    /// The edges that it brought, packed.
    pub edges: Vec<Vec<u8>>,
}

/// Notes how an entity is begun.
pub async fn note_head(session: &Session, table: &TableName, text: &str) -> Result<()> {
    session.batch(&insert(table, HEAD, text, &[])).await
}

/// The statements that note a piece, and commit it.
pub fn note_and_commit(table: &TableName, piece: i32, text: &str, edges: &[Vec<u8>]) -> String {
    format!("{}; COMMIT", insert(table, piece, text, edges))
}

fn insert(table: &TableName, piece: i32, text: &str, edges: &[Vec<u8>]) -> String {
    let edges: Vec<String> = edges
        .iter()
        .map(|block| format!("'\\x{}'", block.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
        .collect();
    format!(
        "INSERT INTO {} VALUES ({piece}, {}, ARRAY[{}]::bytea[])",
        table.quoted(),
        literal(text),
        edges.join(",")
    )
}

/// Whether a piece is staged.
pub async fn has(session: &Session, table: &TableName, piece: i32) -> Result<bool> {
    let sql = format!("SELECT EXISTS (SELECT FROM {} WHERE piece = $1)", table.quoted());
    Ok(session.query_one(&sql, &[&piece]).await?.get(0))
}

/// Reads all notes; `None` where the table is not there.
pub async fn read(session: &Session, table: &TableName) -> Result<Option<Notes>> {
    let there = format!("SELECT to_regclass({}) IS NOT NULL", literal(&table.quoted()));
    if !session.query_one(&there, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = format!("SELECT piece, note, edges FROM {} ORDER BY piece", table.quoted());
    let mut notes = Notes { head: None, pieces: Vec::new() };
    for row in session.query(&sql, &[]).await? {
        let (piece, text): (i32, String) = (row.get(0), row.get(1));
        match piece {
            HEAD => notes.head = Some(text),
            _ => notes.pieces.push(Note { piece, text, edges: row.get(2) }),
        }
    }
    Ok(Some(notes))
}

/// The statement that takes the head away.
pub fn forget_head(table: &TableName) -> String {
    format!("DELETE FROM {} WHERE piece = {HEAD}", table.quoted())
}
