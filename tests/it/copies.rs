//! COPY streams through the public interface of `pg`, where a whole run would meet a case only by chance.

use futures::FutureExt;
use futures::future::{join_all, try_join_all};
use xdoflow::pg::{BatchStream, Database as Db, Settings, Side};

use crate::support::{Database, block_on};

/// Entities that begin at the same time sample their documents over the one session of the snapshot.
#[test]
fn copies_that_begin_at_the_same_time_on_one_session_get_their_own_rows() {
    let database = Database::with(&[], "");
    block_on(async {
        let settings = Settings::resolve(Some(&database.url), &|_| None)?;
        let session = Db::new(Side::Source, settings).connect("test").await?;
        for _ in 0..20 {
            let read = |number: i64| {
                let session = &session;
                async move {
                    // Every other one cannot begin, or has a statement before it.
                    let sql = match number % 3 {
                        0 => "COPY (SELECT 1 / 0, 'none') TO STDOUT (FORMAT binary)".to_owned(),
                        _ => format!(
                            "COPY (SELECT {number}::bigint, repeat('x', 3000) FROM generate_series(1, 200)) \
                             TO STDOUT (FORMAT binary)"
                        ),
                    };
                    if number % 2 == 0 {
                        session.batch("SELECT 1").await?;
                    }
                    let mut rows: u32 = 0;
                    let mut stream = BatchStream::open(session, &sql, 2, 1 << 14).await?;
                    while let Some(batch) = stream.next().await? {
                        for mut tuple in batch.tuples() {
                            assert_eq!(tuple.next().flatten(), Some(&number.to_be_bytes()[..]));
                            rows += 1;
                        }
                    }
                    Ok(rows)
                }
            };
            let read_all: Vec<xdoflow::Result<u32>> = join_all((0..12).map(read)).await;
            for (number, rows) in (0..12).zip(read_all) {
                match rows {
                    Ok(rows) => assert_eq!((rows, number % 3 != 0), (200, true)),
                    Err(error) => assert_eq!((error.code(), number % 3), (Some("22012"), 0)),
                }
            }
        }
        // One that gave up before the server had answered, after it was polled once, leaves nothing for the next one.
        let sql = "COPY (SELECT 1::bigint, 'x') TO STDOUT (FORMAT binary)";
        assert!(BatchStream::open(&session, sql, 2, 1).now_or_never().is_none());
        let refused = BatchStream::open(&session, sql, 2, 1).await.err().expect("an error");
        assert_eq!(refused.message(), "a COPY was given up before it began");
        try_join_all([session.batch("SELECT 1"), session.batch("SELECT 2")]).await.map(|_| ())
    })
    .expect("the session works");
}
