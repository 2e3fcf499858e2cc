//! Images of V2: what the targets must hold, made once, and the way back to it after each contender.
//!
//! An image is an unlogged table in a schema of its own, with the columns that the pipeline feeds. It is
//! computed on the server by [`sqlgen`], of which no contender has a part. Of each target
//! there are two: `base`, what V1 says before it is changed for a refresh, and `want`, what it says now.
//! Ids of split tables and columns that V1 does not feed are in neither.

use crate::error::Result;
use crate::name::{TableName, quote};
use crate::pg::TableInfo;
use crate::spec::model::{DerivedSpec, PipelineSpec, TargetSpec};
use crate::sqlgen::{self, CopiedColumn};

/// The schema of all that a bench keeps in the database.
pub const SCHEMA: &str = "xdoflow_bench";

/// One target, and its images.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its entity, among those of the bench.
    pub entity: usize,
    /// The pipeline's words for it.
    pub spec: TargetSpec,
    /// What it is derived from, where it is not filled row by row.
    pub derived: Option<DerivedSpec>,
    /// What the server says of it.
    pub info: TableInfo,
    /// Its columns, as a copy needs them.
    pub columns: Vec<CopiedColumn>,
    /// Whether its key is the id of the source row.
    pub key_is_id: bool,
    /// Its number, in the names of its images.
    pub number: usize,
}

/// Which image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// What V1 said at first.
    Base,
    /// What it says now.
    Want,
}

impl Target {
    /// The image's table, quoted.
    pub fn image(&self, image: Image) -> String {
        let name = match image {
            Image::Base => format!("base_{}", self.number),
            Image::Want => format!("want_{}", self.number),
        };
        TableName::new(SCHEMA, name).quoted()
    }

    /// The target, quoted, with its schema.
    pub fn table(&self) -> String {
        self.info.name.quoted()
    }

    /// The columns that the pipeline feeds, quoted, with commas.
    pub fn fed(&self) -> String {
        self.names("", |_| true)
    }

    /// Makes an empty image.
    pub fn create_image(&self, image: Image) -> String {
        let (name, fed, table) = (self.image(image), self.fed(), self.table());
        format!(
            "DROP TABLE IF EXISTS {name}; CREATE UNLOGGED TABLE {name} WITH (autovacuum_enabled = off) \
             AS SELECT {fed} FROM {table} WITH NO DATA"
        )
    }

    /// Makes an image that is filled ready to be compared with.
    pub fn finish_image(&self, image: Image) -> Vec<String> {
        let name = self.image(image);
        // Not unique: where V1 breaks the key, every contender is wrong in its own way, and may show it.
        vec![format!("CREATE INDEX ON {name} ({})", self.key("")), format!("VACUUM (ANALYZE) {name}")]
    }

    /// What V1 says of this target, into an image; `condition` may restrict the rows of V1, called `v`.
    pub fn fill_image(
        &self,
        image: Image,
        spec: &PipelineSpec,
        source: &TableName,
        condition: Option<&str>,
    ) -> Result<String> {
        let rows = match &self.derived {
            Some(derived) => sqlgen::expected_derived_rows(spec, derived, &self.info.columns, source)?,
            None => sqlgen::expected_rows(spec, &self.spec, &self.info.columns, source, condition)?,
        };
        Ok(format!("INSERT INTO {} ({}) {rows}", self.image(image), self.fed()))
    }

    /// Fills the empty target from an image.
    pub fn fill(&self, image: Image) -> String {
        let fed = self.fed();
        format!("INSERT INTO {} ({fed}) SELECT {fed} FROM {}", self.table(), self.image(image))
    }

    /// Counts the rows in which target and image differ: rows that one of them lacks, rows of which a cell
    /// is another, and rows of the target beyond the first of their key.
    pub fn count_wrong(&self, image: Image) -> String {
        let (table, name) = (self.table(), self.image(image));
        let is_cell = |index: &usize| !self.spec.key.contains(index);
        let differs = match self.names("", is_cell).is_empty() {
            true => String::new(),
            false => format!(
                " OR ROW({})::record *<> ROW({})::record",
                self.names("t.", is_cell),
                self.names("e.", is_cell)
            ),
        };
        let key_names: Vec<String> = self.key_names();
        let surplus = match self.info.is_unique(&key_names) {
            true => String::new(),
            false => format!(
                " + (SELECT coalesce(sum(d.n - 1), 0) FROM \
                 (SELECT count(*) AS n FROM {table} t GROUP BY {} HAVING count(*) > 1) d)::bigint",
                self.key("t.")
            ),
        };
        format!(
            "SELECT (SELECT count(*) FROM {table} t FULL JOIN {name} e ON {} \
             WHERE t.ctid IS NULL OR e.ctid IS NULL{differs}){surplus}",
            self.matched()
        )
    }

    /// The statements that make the target equal to the base again where only rows with ids of a table `ids
    /// (id)` may differ.
    pub fn restore_ids(&self, ids: &str) -> Vec<String> {
        let key = self.key("");
        let of_ids = format!("{key} IN (SELECT id FROM {ids})");
        let fed = self.fed();
        let (table, base) = (self.table(), self.image(Image::Base));
        vec![
            format!("DELETE FROM {table} WHERE {of_ids}"),
            format!("INSERT INTO {table} ({fed}) SELECT {fed} FROM {base} WHERE {of_ids}"),
        ]
    }

    /// The statements that make the target equal to the base again, whatever has happened to it. Only rows
    /// that differ are written, and the target keeps its file.
    pub fn restore(&self) -> Vec<String> {
        let (table, base, fed) = (self.table(), self.image(Image::Base), self.fed());
        let is_cell = |index: &usize| !self.spec.key.contains(index);
        let same = match self.names("", is_cell).is_empty() {
            true => String::new(),
            false => format!(
                " AND ROW({})::record *= ROW({})::record",
                self.names("t.", is_cell),
                self.names("e.", is_cell)
            ),
        };
        let matched = self.matched();
        let mut statements = vec![format!(
            "DELETE FROM {table} t WHERE NOT EXISTS (SELECT FROM {base} e WHERE {matched}{same})"
        )];
        if !self.info.is_unique(&self.key_names()) {
            statements.push(format!(
                "DELETE FROM {table} t USING (SELECT ctid, row_number() OVER (PARTITION BY {}) AS number FROM {table}) n \
                 WHERE n.ctid = t.ctid AND n.number > 1",
                self.key("")
            ));
        }
        statements.push(format!(
            "INSERT INTO {table} ({fed}) SELECT {fed} FROM {base} e WHERE NOT EXISTS (SELECT FROM {table} t WHERE {matched})"
        ));
        statements
    }

    /// The names of the key's columns.
    pub fn key_names(&self) -> Vec<String> {
        self.spec
            .key
            .iter()
            .filter_map(|&index| self.spec.columns.get(index))
            .map(|c| c.name.clone())
            .collect()
    }

    /// The columns of the key, quoted, with commas.
    pub fn key(&self, before: &str) -> String {
        self.names(before, |index| self.spec.key.contains(index))
    }

    fn matched(&self) -> String {
        let parts: Vec<String> =
            self.key_names().iter().map(|name| format!("t.{0} = e.{0}", quote(name))).collect();
        parts.join(" AND ")
    }

    fn names(&self, before: &str, wanted: impl Fn(&usize) -> bool) -> String {
        let columns = self.spec.columns.iter().enumerate().filter(|(index, _)| wanted(index));
        let names: Vec<String> =
            columns.map(|(_, column)| format!("{before}{}", quote(&column.name))).collect();
        names.join(", ")
    }
}
