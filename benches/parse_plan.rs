//! Loading a directory, against only reading its files.

#![expect(clippy::expect_used, reason = "a bench that cannot prepare its input must stop")]

mod workload;

use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, Throughput};
use migraph::load::{LoadOptions, Loaded, load};
use migraph::parse::{Depth, Unlisted};
use migraph::plan::{Estimator, Plan, Separation, Timings};

const FILES: u64 = 2_000;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let files = workload::headers(usize::try_from(FILES).expect("a small number"));
    workload::write(dir.path(), &files).expect("room for the files");
    let paths: Vec<PathBuf> = files.iter().map(|file| workload::path(dir.path(), file)).collect();
    let loaded = |depth| {
        let options = LoadOptions {
            dir: dir.path().to_owned(),
            unlisted: Unlisted::Refuse,
            depth,
            cache: None,
        };
        load(&options).expect("the generated files are valid")
    };

    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let mut group = criterion.benchmark_group("parse_plan");
    group.throughput(Throughput::Elements(FILES));
    group.bench_function("read", |bench| {
        bench.iter(|| {
            paths.iter().filter_map(|path| fs::read(path).ok()).map(|it| it.len()).sum::<usize>()
        });
    });
    group.bench_function("load", |bench| bench.iter(|| loaded(Depth::Tokens)));
    group.bench_function("load_and_plan", |bench| bench.iter(|| plan(&loaded(Depth::Tokens))));
    group.bench_function("load_with_syntax", |bench| bench.iter(|| loaded(Depth::Syntax)));
    group.finish();
    criterion.final_summary();
}

fn plan(loaded: &Loaded) -> usize {
    let graph = &loaded.graph;
    let migrations = graph.nodes().map(|node| graph.migration(node));
    let estimator = Estimator::new(Timings::default(), migrations);
    let plan = Plan::new(
        graph,
        &vec![true; graph.len()],
        &BTreeSet::new(),
        &estimator,
        Separation::declared(graph),
    );
    black_box(plan.layers().len())
}
