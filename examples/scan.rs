use std::sync::Arc;
use std::time::Instant;
use xdoflow::name::TableName;
use xdoflow::pg::*;
use xdoflow::stage::extract::SourceSnapshot;
use xdoflow::stage::scan::Scan;
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let url = std::env::args().nth(1).unwrap();
    let lanes: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let s = Database::new(Side::Source, Settings::resolve(Some(&url), &|_| None).unwrap());
    let t = Database::new(Side::Target, Settings::resolve(Some(&url), &|_| None).unwrap());
    let ts = t.connect("x").await.unwrap();
    for (e, tab) in [("participants", "mvpw1_39"), ("agents", "mvpw1_36"), ("network", "mvpw1_48")] {
        let info = TableInfo::read(&ts, &tab.parse::<TableName>().unwrap()).await.unwrap().unwrap();
        let staging = TableName::new("xdoflow", format!("stage_test_{e}"));
        for round in 0..4 {
            let snap = SourceSnapshot::export(&s).await.unwrap();
            let t0 = Instant::now();
            let scan = Arc::new(Scan::new(e, &info, "id", &staging, 0));
            let mut set = tokio::task::JoinSet::new();
            for _ in 0..lanes {
                let (scan, r, l) =
                    (scan.clone(), snap.reader(&s, "scan").await.unwrap(), t.connect("scan").await.unwrap());
                set.spawn(async move { scan.lane(&r, &l).await.unwrap() });
            }
            while let Some(x) = set.join_next().await {
                x.unwrap();
            }
            let f = scan.take_found();
            println!(
                "{e} {round}: {:?} rows {} staged {} many {}",
                t0.elapsed(),
                f.rows,
                f.staged,
                f.too_many
            );
            if f.staged > 0 {
                ts.batch(&format!("DELETE FROM xdoflow.fingerprint_blocks b USING {0} s WHERE b.entity='{e}' AND b.first_page=s.first_page; INSERT INTO xdoflow.fingerprint_blocks SELECT '{e}', first_page, rows, bytes FROM {0}; DROP TABLE {0}", staging.quoted())).await.unwrap();
            }
        }
        println!("{}", ts.query_one("select sum(length(bytes))::text||' bytes, '||sum(rows)::text||' rows, '||count(*) from xdoflow.fingerprint_blocks where entity=$1", &[&e]).await.unwrap().get::<_, String>(0));
    }
    ts.batch("TRUNCATE xdoflow.fingerprint_blocks").await.unwrap();
}
