//! Participants and agents as the data path meets them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use xdoflow::ddl;
use xdoflow::generate::Generator;
use xdoflow::partition::Partition;
use xdoflow::pg::{BatchStream, Database, RawAccess, Settings, Side, TableInfo, sql};
use xdoflow::pgcopy::ondisk::ByteOrder;
use xdoflow::pgcopy::{Batch, Form, RowBuffer, encode, jsonb_text};
use xdoflow::progress::{Progress, Words};
use xdoflow::server::{Server, ServerOptions};
use xdoflow::spec::model::{Origin, PipelineSpec};
use xdoflow::summary::ReadPath;
use xdoflow::transform::document::WantedKeys;
use xdoflow::transform::{Program, compile};
use xdoflow::workspace;

/// 21,062 participants and 1,111 agents: some megabytes of each, more than any cache of one core.
const SCALE: f64 = 0.03;
/// What `stage::extract` hands out.
const BATCH_BYTES: usize = 256 << 10;

/// One entity: its documents in each of the forms in which a step takes them.
pub struct Entity {
    /// Compiled against the tables of V2.
    pub program: Program,
    /// The byte order of the server.
    pub order: ByteOrder,
    /// The top-level keys that the pipeline reads.
    pub wanted: WantedKeys,
    /// The same, in the order of their slots.
    pub keys: Vec<String>,
    /// The stream of the COPY, from its header to its trailer.
    pub stream: Vec<u8>,
    /// The documents as text.
    pub text: Parts<String>,
    /// The same documents as the server keeps them.
    pub kept: Parts<Vec<u8>>,
}

/// The batches of one form.
pub struct Parts<D> {
    pub parts: Vec<Part<D>>,
    turn: AtomicUsize,
}

/// One batch, and its documents.
pub struct Part<D> {
    pub batch: Batch,
    pub documents: Vec<D>,
    /// Of its documents.
    bytes: usize,
}

impl<D: Sync> Parts<D> {
    /// Runs `work` on one part after the other, round and round: a part takes less than a time slice of
    /// the system's scheduler, so that most samples are whole even on a busy machine.
    pub fn bench(&'static self, bencher: Bencher, work: impl Fn(&Part<D>) -> usize + Sync) {
        // The last one is not as large as the others.
        let parts = &self.parts[..self.parts.len() - 1];
        bencher
            .with_inputs(|| &parts[self.turn.fetch_add(1, Ordering::Relaxed) % parts.len()])
            .input_counter(|part| ItemsCount::new(part.documents.len()))
            .input_counter(|part| BytesCount::new(part.bytes))
            .bench_values(|part| work(divan::black_box(part)));
    }
}

/// The names that a benchmark takes as arguments.
pub const ENTITIES: [&str; 2] = ["participants", "agents"];

/// The entity of one of [`ENTITIES`].
pub fn entity(name: &str) -> &'static Entity {
    static DATA: LazyLock<Vec<Entity>> = LazyLock::new(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(fetch()).expect("documents from the server")
    });
    let at = ENTITIES.iter().position(|&known| known == name).expect("a name of ENTITIES");
    &DATA[at]
}

/// Starts a server, fills it, and takes what the benchmarks need; the server is gone at the end.
async fn fetch() -> xdoflow::Result<Vec<Entity>> {
    let server = Server::start(ServerOptions::for_tests())?;
    let settings = Settings::resolve(Some(&server.socket_url()), &|_| None)?;
    let database = Database::new(Side::Target, settings);
    let generator = Generator::new(1, SCALE);
    let names = generator.tables().iter().map(|table| table.entity.to_owned()).collect::<Vec<_>>();
    let progress = Arc::new(Progress::with_words(names, Words::GENERATE));
    workspace::fill_v1(&database, generator, 2, progress).await?;
    let session = database.connect("bench").await?;
    session.batch(&ddl::v2_ddl(None)).await?;
    workspace::lend_jsonb(&database).await?;
    let RawAccess::Yes(order) = RawAccess::ask(&session).await? else { panic!("the server lends jsonb out") };

    let specs = xdoflow::spec::shipped().expect("the shipped pipelines");
    let mut entities = Vec::new();
    for name in ENTITIES {
        let spec = specs.iter().find(|spec| spec.entity == name).expect("a shipped pipeline");
        let mut tables = Vec::new();
        for target in &spec.targets {
            tables.push(TableInfo::read(&session, &target.table).await?.expect("a table of V2"));
        }
        let schemas: Vec<_> = tables.iter().map(|table| table.columns.as_slice()).collect();
        let program = compile(spec, &schemas).expect("the pipeline fits");

        let source = &spec.source;
        let read = async |path, form| {
            let (id, document, whole) = (&source.id, &source.document, &Partition::Whole);
            let copy = sql::copy_documents(&source.table, id, document, whole, path, false);
            let mut stream = BatchStream::open(&session, &copy, 2, BATCH_BYTES).await?.in_form(form);
            let mut batches = Vec::new();
            while let Some(batch) = stream.next().await? {
                batches.push(batch);
            }
            Ok::<_, xdoflow::Error>(batches)
        };
        let text = read(ReadPath::Text, Form::Text).await?;
        let kept = read(ReadPath::Raw, Form::OnDisk(order)).await?;
        let (wanted, keys) = wanted(spec);
        let stream = stream_of(&text);
        let text = parts(text, |field| jsonb_text(field).expect("a jsonb").to_owned(), String::len);
        let kept = parts(kept, <[u8]>::to_vec, Vec::len);
        entities.push(Entity { program, order, wanted, keys, stream, text, kept });
    }
    Ok(entities)
}

fn wanted(spec: &PipelineSpec) -> (WantedKeys, Vec<String>) {
    let columns = spec.targets.iter().flat_map(|target| &target.columns);
    let paths = columns.flat_map(|column| match &column.origin {
        Origin::Keys(paths) => paths.as_slice(),
        Origin::Id | Origin::Position | Origin::Const(_) => &[],
    });
    let mut keys: Vec<String> = paths.map(|path| path.steps[0].clone()).collect();
    let wanted = WantedKeys::new(keys.iter().map(String::as_str));
    keys.sort_by_key(|key| wanted.slot(key));
    keys.dedup();
    (wanted, keys)
}

/// The stream that batches were cut from.
fn stream_of(batches: &[Batch]) -> Vec<u8> {
    let mut rows = RowBuffer::default();
    for fields in batches.iter().flat_map(Batch::tuples) {
        rows.begin_row(2);
        fields.for_each(|field| rows.field(field.expect("no NULL in V1")));
        rows.end_row();
    }
    [encode::header(), rows.into_bytes(), encode::TRAILER.to_vec()].concat()
}

fn parts<D>(batches: Vec<Batch>, document: impl Fn(&[u8]) -> D, len: impl Fn(&D) -> usize) -> Parts<D> {
    let part = |batch: Batch| {
        let fields = batch.tuples().map(|mut fields| fields.nth(1).flatten().expect("no NULL in V1"));
        let documents: Vec<D> = fields.map(&document).collect();
        let bytes = documents.iter().map(&len).sum();
        Part { batch, documents, bytes }
    };
    Parts { parts: batches.into_iter().map(part).collect(), turn: AtomicUsize::new(0) }
}
