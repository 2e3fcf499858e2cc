//! V1 from a file instead of a database: its rows stand in a table of the target database while the run lasts.
//!
//! ```text
//! FILE.csv | FILE.jsonl, as it is or as .gz or .zst ─► rows (id, xdo) ─► xdoflow.from_PID ─► the run reads that
//!     one thread that may block                 bounded channel     COPY BINARY
//! ```
//! The server reads the documents into `jsonb` as it did when V1 was written, so a file means what the table meant.
//! A row has an id and a document, by the names that the pipeline gives to the two columns of its source; whatever
//! else is in the file is left alone. An empty field, or a `null`, is a row without a document.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::error::{Error, Result};
use crate::name::{TableName, quote};
use crate::pg::{Database, Loader, Session, sql};
use crate::pgcopy::RowBuffer;
use crate::spec::model::SourceSpec;
use crate::stage::ledger;
use crate::stage::staging::SCHEMA;

/// Rows are sent when they are so many bytes.
const SEND_BYTES: usize = 256 << 10;

/// Row buffers on their way.
const IN_FLIGHT: usize = 4;

/// The version in front of a binary `jsonb`.
const JSONB_VERSION: [u8; 1] = [1];

/// Ids that stand twice are named so many.
const NAMED_IDS: i64 = 5;

/// What a text of the ids looks like.
const FORMS: &str = "a CSV file has a header with the columns id and xdo; a line of a JSONL file is an object such as \
                     {\"id\": 17, \"xdo\": {…}}";

/// A file whose rows are in the database.
pub struct Dump {
    session: Session,
    table: TableName,
    /// How many rows it had.
    pub rows: u64,
}

impl Dump {
    /// Loads a file for the source of a pipeline.
    ///
    /// # Errors
    /// Where the file cannot be read or is of another form, with its line; or where an id stands twice.
    pub async fn load(
        target: &Database,
        file: &Path,
        source: &SourceSpec,
        interrupted: impl Future<Output = ()>,
    ) -> Result<Self> {
        let session = target.connect("load a file").await?;
        ledger::create(&session).await?;
        drop_leftovers(&session).await?;
        let table = TableName::new(SCHEMA, format!("from_{}", session.pid()));
        let mut dump = Self { session, table, rows: 0 };
        let filled = tokio::select! {
            filled = dump.fill(file, source) => filled,
            () = interrupted => Err(Error::interrupted()),
        };
        match filled {
            Ok(rows) => {
                dump.rows = rows;
                Ok(dump)
            }
            Err(error) => {
                // Else the next run from a file does.
                let _ = dump.close().await;
                Err(error)
            }
        }
    }

    async fn fill(&self, file: &Path, source: &SourceSpec) -> Result<u64> {
        let (session, table) = (&self.session, &self.table);
        let columns = [source.id.as_str(), source.document.as_str()];
        session
            .batch(&format!(
                "CREATE UNLOGGED TABLE {} ({} bigint NOT NULL, {} jsonb) WITH (autovacuum_enabled = off)",
                table.quoted(),
                quote(columns[0]),
                quote(columns[1])
            ))
            .await?;
        let (sender, mut buffers) = mpsc::channel(IN_FLIGHT);
        let reader = FileReader {
            file: file.to_owned(),
            id: source.id.clone(),
            document: source.document.clone(),
            sender,
            rows: RowBuffer::default(),
        };
        let reading = tokio::task::spawn_blocking(move || reader.read());
        let mut loader = Loader::open(session, &sql::copy_into(table, columns)).await?;
        while let Some(rows) = buffers.recv().await {
            loader.send(rows).await?;
        }
        reading
            .await
            .map_err(|error| Error::stop(format!("reading the file ended unexpectedly: {error}")))??;
        let rows = loader.finish().await.map_err(|error| error.context(file.display()).hint(FORMS))?;
        self.index(file, source).await?;
        Ok(rows)
    }

    /// Gives the rows the order of their ids, as V1's table has it.
    async fn index(&self, file: &Path, source: &SourceSpec) -> Result<()> {
        let (table, id) = (self.table.quoted(), quote(&source.id));
        let indexed = format!("ALTER TABLE {table} ADD PRIMARY KEY ({id}); ANALYZE {table}");
        let Err(error) = self.session.batch(&indexed).await else { return Ok(()) };
        let twice = format!(
            "SELECT {id}::text FROM {table} GROUP BY {id} HAVING count(*) > 1 ORDER BY {id} LIMIT {NAMED_IDS}"
        );
        let ids: Vec<String> = self.session.query(&twice, &[]).await?.iter().map(|row| row.get(0)).collect();
        if ids.is_empty() {
            return Err(error);
        }
        Err(Error::stop(format!("{} holds rows with the same id", file.display()))
            .detail(format!("such as {}", ids.join(", ")))
            .hint("leave one row of each id in the file"))
    }

    /// Where a pipeline finds the rows.
    pub fn source(&self, source: &SourceSpec) -> SourceSpec {
        SourceSpec { table: self.table.clone(), ..source.clone() }
    }

    /// Drops the rows.
    ///
    /// # Errors
    /// Those of the server; the next run from a file drops them then.
    pub async fn close(self) -> Result<()> {
        self.session.batch(&format!("DROP TABLE IF EXISTS {}", self.table.quoted())).await
    }
}

/// Drops what runs from files have left that are no longer there.
async fn drop_leftovers(session: &Session) -> Result<()> {
    let rows = session
        .query(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname ~ '^from_[0-9]+$'
               AND substr(c.relname, 6)::bigint NOT IN (SELECT pid FROM pg_stat_activity)",
            &[&SCHEMA],
        )
        .await?;
    for row in &rows {
        let name = TableName::new(SCHEMA, row.get::<_, String>(0));
        session.batch(&format!("DROP TABLE IF EXISTS {}", name.quoted())).await?;
    }
    Ok(())
}

/// Reads a file on a thread of its own.
struct FileReader {
    file: PathBuf,
    id: String,
    document: String,
    sender: mpsc::Sender<RowBuffer>,
    rows: RowBuffer,
}

impl FileReader {
    fn read(mut self) -> Result<()> {
        let form = Form::of(&self.file)?;
        let file = File::open(&self.file).map_err(|error| self.unread(&error))?;
        let mut file = BufReader::with_capacity(SEND_BYTES, file);
        // By their first bytes: a name is soon wrong.
        let start = file.fill_buf().map_err(|error| self.unread(&error))?;
        let input: Box<dyn Read> = match start {
            [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(
                ruzstd::decoding::StreamingDecoder::new(file)
                    .map_err(|error| self.unread(&io::Error::other(error.to_string())))?,
            ),
            _ => Box::new(file),
        };
        match form {
            Form::Csv => self.read_csv(input)?,
            Form::JsonLines => self.read_lines(input)?,
        }
        self.flush()
    }

    fn read_csv(&mut self, input: impl Read) -> Result<()> {
        let mut reader = csv::Reader::from_reader(input);
        let header = reader.headers().map_err(|error| self.malformed_csv(&error))?;
        let place = |name: &str| {
            header.iter().position(|column| column == name).ok_or_else(|| {
                Error::usage(format!("{} has no column {name}", self.file.display()))
                    .detail(format!("its header is {}", header.iter().collect::<Vec<_>>().join(",")))
                    .hint(FORMS)
            })
        };
        let (id, document) = (place(&self.id)?, place(&self.document)?);
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(|error| self.malformed_csv(&error))? {
            let line = record.position().map_or(0, csv::Position::line);
            let (id, document) =
                (record.get(id).unwrap_or_default(), record.get(document).unwrap_or_default());
            let document = Some(document).filter(|text| !text.is_empty());
            if let Some(text) = document {
                // The server would say so, too, but not in which line. Its error may hold what stands there.
                serde_json::from_str::<&RawValue>(text)
                    .map_err(|error| self.malformed(line, &format!("the document is no JSON: {error}")))?;
            }
            self.push(line, id, document)?;
        }
        Ok(())
    }

    fn read_lines(&mut self, input: impl Read) -> Result<()> {
        let mut reader = BufReader::with_capacity(SEND_BYTES, input);
        let mut text = String::new();
        for line in 1.. {
            text.clear();
            if reader.read_line(&mut text).map_err(|error| self.unread(&error))? == 0 {
                return Ok(());
            }
            if text.trim().is_empty() {
                continue;
            }
            let fields: Fields<'_> =
                serde_json::from_str(&text).map_err(|error| self.malformed(line, &error))?;
            let find =
                |name: &str| fields.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.get());
            let id =
                find(&self.id).ok_or_else(|| self.malformed(line, &format!("there is no {}", self.id)))?;
            let document = find(&self.document).filter(|text| *text != "null");
            self.push(line, id.trim_matches('"'), document)?;
        }
        Ok(())
    }

    fn push(&mut self, line: u64, id: &str, document: Option<&str>) -> Result<()> {
        let id: i64 = id.trim().parse().map_err(|_| self.malformed(line, &"its id is no whole number"))?;
        self.rows.begin_row(2);
        self.rows.field(&id.to_be_bytes());
        match document {
            Some(text) => self.rows.field_parts([&JSONB_VERSION, text.as_bytes()]),
            None => self.rows.null(),
        }
        self.rows.end_row();
        if self.rows.len() >= SEND_BYTES { self.flush() } else { Ok(()) }
    }

    /// Sends what has gathered. Nobody listens any more where the load has failed, which is told there.
    fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() || self.sender.blocking_send(rows).is_ok() {
            return Ok(());
        }
        Err(Error::interrupted())
    }

    fn unread(&self, error: &io::Error) -> Error {
        Error::usage(format!("cannot read {}: {error}", self.file.display()))
    }

    fn malformed_csv(&self, error: &csv::Error) -> Error {
        match error.kind() {
            csv::ErrorKind::Io(error) => self.unread(error),
            _ => Error::usage(format!("{}: {error}", self.file.display())).hint(FORMS),
        }
    }

    fn malformed(&self, line: u64, what: &dyn std::fmt::Display) -> Error {
        Error::usage(format!("{}, line {line}: {what}", self.file.display())).hint(FORMS)
    }
}

/// The forms of a file.
enum Form {
    Csv,
    JsonLines,
}

impl Form {
    /// By the name, whatever it was compressed with.
    fn of(file: &Path) -> Result<Self> {
        let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            _ => Err(Error::usage(format!("the name of {} does not say what it is", file.display()))
                .hint("name it .csv or .jsonl, with .gz or .zst behind it where it is compressed")),
        }
    }
}

/// The fields of a line, in their order: a map would copy the keys.
struct Fields<'l>(Vec<(std::borrow::Cow<'l, str>, &'l RawValue)>);

impl<'de: 'l, 'l> Deserialize<'de> for Fields<'l> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with an id and a document")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
