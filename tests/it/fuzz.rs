//! A short run of what the fuzzer runs without end (`fuzz/`): its corpus, and inputs that are drawn from
//! it by changing, cutting and joining.

use std::fs;
use std::path::Path;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

#[path = "../../fuzz/checks.rs"]
mod checks;

/// Inputs that are drawn for each function.
const DRAWN: usize = 200_000;
/// Changed bytes are drawn from these half of the time: what means something in one of the formats.
const TELLING: &[u8] = b"{}[]\",: \\ue0123456789.-+aEbid\0\xff\x01\x02";

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file")).collect()
}

fn below(rng: &mut Pcg64Mcg, bound: usize) -> usize {
    (rng.next_u64() % bound.max(1) as u64) as usize
}

/// A seed of the corpus, changed in one to eight places.
fn drawn(rng: &mut Pcg64Mcg, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[below(rng, seeds.len())].clone();
    for _ in 0..=below(rng, 8) {
        let at = below(rng, bytes.len() + 1);
        let byte = if rng.next_u32().is_multiple_of(2) {
            TELLING[below(rng, TELLING.len())]
        } else {
            rng.next_u32() as u8
        };
        match rng.next_u32() % 5 {
            0 => bytes.insert(at, byte),
            1 if at < bytes.len() => bytes[at] = byte,
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ => {
                let other = &seeds[below(rng, seeds.len())];
                let from = below(rng, other.len());
                bytes.splice(at..at, other[from..].iter().copied());
            }
        }
    }
    bytes
}

fn run(name: &str, check: fn(&[u8])) {
    let seeds = corpus(name);
    assert!(seeds.len() > 5, "{name} has a corpus");
    for seed in &seeds {
        check(seed);
    }
    // The same inputs each time: what they find first stands in the corpus afterwards.
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    for _ in 0..DRAWN {
        check(&drawn(&mut rng, &seeds));
    }
}

#[test]
fn the_document_scanner_takes_any_bytes_and_finds_what_serde_json_finds() {
    run("document", checks::document);
}

#[test]
fn the_reader_of_documents_on_disk_takes_any_bytes_and_finds_what_the_text_reader_finds() {
    run("ondisk", checks::ondisk);
}

#[test]
fn the_copy_decoder_takes_any_bytes_however_they_are_cut() {
    run("copy", checks::copy);
}

#[test]
fn the_numeric_encoder_takes_any_bytes_and_what_it_encodes_stays_the_same() {
    run("numeric", checks::numeric);
}
