//! What one event costs in each part that it passes: `cargo bench --features benchmarks`.
//!
//! How fast the whole is on a machine, `hookyard bench` tells.

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hookyard::benchmarks::{Block, Building, Matching, Signing, Target, Vetting};

/// Bytes of an event's data: an ordinary one, and a long one.
const DATA: [usize; 2] = [200, 20_000];
/// The events of a commit.
const EVENTS: u64 = 32;

fn data(bytes: usize) -> Vec<u8> {
    format!(r#"{{"pad":"{}"}}"#, "x".repeat(bytes - 10)).into_bytes()
}

fn building(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build a body");
    for bytes in DATA {
        let (building, data) = (Building::default(), data(bytes));
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |timer| {
            timer.iter(|| building.build(black_box(&data)))
        });
    }
}

fn signing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sign a request");
    for bytes in DATA {
        let (signing, body) = (Signing::default(), data(bytes));
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |timer| {
            timer.iter(|| signing.sign(black_box(&body)))
        });
    }
}

fn matching(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("match an event");
    for subscriptions in [1, 1_000, 1_000_000] {
        let matching = Matching::among(subscriptions);
        assert_eq!(matching.find(), 1);
        group.bench_function(BenchmarkId::from_parameter(subscriptions), |timer| {
            timer.iter(|| black_box(&matching).find())
        });
    }
}

fn blocks(criterion: &mut Criterion) {
    let block = Block::of(EVENTS, &data(DATA[0]));
    let bytes = block.encode();
    assert_eq!(block.decode(&bytes) as u64, EVENTS);
    let mut group = criterion.benchmark_group("a block of events");
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("encode", |timer| timer.iter(|| black_box(&block).encode()));
    group.bench_function("decode", |timer| timer.iter(|| block.decode(black_box(&bytes))));
}

fn guard(criterion: &mut Criterion) {
    let (vetting, url) = (Vetting::default(), Target::parse("https://hooks.example.com/a/webhook"));
    let address: SocketAddr = ([198, 41, 0, 4], 443).into();
    assert!(vetting.url(&url) && vetting.address(address));
    let mut group = criterion.benchmark_group("the egress guard");
    group.bench_function("a URL", |timer| timer.iter(|| vetting.url(black_box(&url))));
    group.bench_function("an address", |timer| timer.iter(|| vetting.address(black_box(address))));
}

criterion_group!(parts, building, signing, matching, blocks, guard);
criterion_main!(parts);
