//! What holds for any input: bytes, graphs, and any order of events.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use migraph::graph::{self, MigrationGraph, Node};
use migraph::model::{Code, Diagnostic, Diagnostics, Migration, Place};
use migraph::parse::{Depth, Unlisted, parse, settle};
use migraph::plan::{Claim, Estimator, Plan, ReadyQueue, Schedule, Separation, Timings, simulate};
use migraph::syntax::{on_large_stack, statements};
use proptest::prelude::*;
use proptest::sample::Index;

fn few() -> ProptestConfig {
    // Failing cases are to be written down as tests, not kept in files.
    ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }
}

// ---- bytes

/// Parses as `validate` does and checks that every place is one.
fn survives(bytes: &[u8]) {
    let file = on_large_stack(|| parse("0001_any.sql".into(), bytes.to_vec(), Depth::Syntax));
    let works = file.scripts.is_some();
    assert!(works || file.diagnostics.iter().any(Diagnostic::is_error), "refused without a reason");
    let set = settle(vec![file], Unlisted::Refuse);
    for one in &set.diagnostics {
        assert!(!one.message.is_empty() && !one.message.contains('\n'), "{one:?}");
        one.place.iter().chain(&one.related).for_each(place_is_inside);
    }
    for migration in &set.migrations {
        script_is_inside(migration);
    }
}

fn place_is_inside(place: &Place) {
    let Some(span) = place.span else { return };
    let text = place.source.text();
    assert!(text.get(span.start..span.end).is_some(), "{place:?} in {} bytes", text.len());
    let at = place.location().unwrap();
    assert!(at.line >= 1 && at.line <= text.split('\n').count() && at.column >= 1, "{at:?}");
}

fn script_is_inside(migration: &Migration) {
    for script in [Some(&migration.up), migration.down.as_ref()].into_iter().flatten() {
        assert!(!script.statements.is_empty());
        let mut end = script.span.start;
        for statement in &script.statements {
            assert!(end <= statement.span.start && !statement.span.is_empty());
            end = statement.span.end;
        }
        assert!(end <= script.span.end && script.span.end <= migration.source.text().len());
        let sql = script.sql(&migration.source);
        let written = migration.source.slice(script.span);
        assert_eq!(sql.chars().count(), written.chars().count(), "positions fit the file");
    }
}

/// The sample's files, and pieces that its files do not have.
fn corpus() -> Vec<Vec<u8>> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut paths: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Pieces at which lexers stumble.
const PIECES: [&str; 24] = [
    "'",
    "\"",
    "$$",
    "$a$",
    "/*",
    "*/",
    "--",
    "\n-- UP MIGRATION\n",
    "\n-- DOWN MIGRATION\n",
    "-- @dependencies: [",
    "-- @name:\n",
    ";",
    "(",
    ")",
    "\\",
    "\\.\n",
    "E'\\'",
    "\nBEGIN;\n",
    "\nCOMMIT;\n",
    "COPY t FROM stdin;\n",
    "é🧬",
    "\r\n",
    "\u{feff}",
    "BEGIN ATOMIC",
];

#[derive(Clone, Debug)]
enum Change {
    Delete(Index, usize),
    Insert(Index, &'static str),
    Byte(Index, u8),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), 1_usize..40).prop_map(|(at, n)| Change::Delete(at, n)),
        (any::<Index>(), proptest::sample::select(&PIECES[..]))
            .prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let at = |index: &Index| index.index(bytes.len());
        match change {
            Change::Delete(index, n) => {
                let from = at(index);
                let to = (from + n).min(bytes.len());
                bytes.drain(from..to);
            }
            Change::Insert(index, piece) => {
                let from = at(index);
                bytes.splice(from..from, piece.bytes());
            }
            Change::Byte(index, byte) => {
                let from = at(index);
                bytes[from] = *byte;
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn parsing_survives_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }

    #[test]
    fn parsing_survives_any_text(text in "\\PC{0,200}") {
        survives(text.as_bytes());
    }

    #[test]
    fn parsing_survives_any_pieces(
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..30),
    ) {
        survives(pieces.join(" ").as_bytes());
        survives(pieces.concat().as_bytes());
    }

    #[test]
    fn parsing_survives_a_damaged_file(
        file in any::<Index>(),
        changes in proptest::collection::vec(change(), 1..8),
    ) {
        let corpus = corpus();
        survives(&changed(corpus[file.index(corpus.len())].clone(), &changes));
    }
}

// ---- checksums

fn up_checksum(text: &str) -> String {
    let file = parse("0001_any.sql".into(), text.as_bytes().to_vec(), Depth::Tokens);
    file.scripts.unwrap_or_else(|| panic!("{:?}", file.diagnostics)).0.checksum.to_hex()
}

/// What may stand for any blanks; none may touch the token behind it.
const BLANKS: [&str; 6] = [" ", "\t", "   ", " /* remark */ ", "/* nested /* ' */ */", " /**/ "];

/// `text` with other blanks wherever the lexer saw some. Line breaks are kept:
/// between two strings they count.
fn laid_out_anew(text: &str, choices: &[Index]) -> String {
    let mut choices = choices.iter().cycle();
    let mut out = String::new();
    for token in migraph::syntax::lex(text).tokens {
        let written = token.text(text);
        out.push_str(written);
        if token.kind == migraph::syntax::TokenKind::Blank {
            // First, because it may be the end of a line comment.
            out.push_str(if written.contains('\n') { "\n" } else { "" });
            out += BLANKS[choices.next().unwrap().index(BLANKS.len())];
        }
    }
    out
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn layout_does_not_change_a_checksum(
        file in any::<Index>(),
        choices in proptest::collection::vec(any::<Index>(), 1..20),
    ) {
        let corpus = corpus();
        let text = String::from_utf8(corpus[file.index(corpus.len())].clone()).unwrap();
        let (head, script) = text.split_once("-- UP MIGRATION\n").unwrap();
        let (up, down) = script.split_once("-- DOWN MIGRATION\n").unwrap();
        let up = laid_out_anew(up, &choices);
        let anew = format!("{head}-- UP MIGRATION\n{up}\n-- DOWN MIGRATION\n{down}");
        prop_assert_eq!(up_checksum(&anew), up_checksum(&text), "{}", anew);
        prop_assert_eq!(up_checksum(&text.replace('\n', "\r\n")), up_checksum(&text));
        prop_assert_eq!(up_checksum(&format!("\u{feff}{text}")), up_checksum(&text));
    }
}

#[test]
fn statements_and_what_is_between_them_are_the_whole_text() {
    for bytes in corpus() {
        let text = String::from_utf8(bytes).unwrap();
        let lexed = migraph::syntax::lex(&text);
        let tokens: String = lexed.tokens.iter().map(|token| token.text(&text)).collect();
        assert_eq!(tokens, text);
        assert!(!statements(&text, &lexed.tokens).is_empty());
    }
}

// ---- graphs

/// A graph as data: for each node its dependencies and those it excludes.
#[derive(Clone, Debug)]
struct Shape {
    dependencies: Vec<BTreeSet<usize>>,
    exclusive: Vec<BTreeSet<usize>>,
    /// Node, resource, and the two sets of a claim.
    claims: Vec<(usize, usize, u16, u16)>,
    alone: Vec<usize>,
    milliseconds: Vec<u32>,
}

/// Ids in another order than the dependencies, so that no test passes by chance.
fn id(n: usize) -> String {
    format!("m{:03}", (n * 37 + 11) % 101)
}

impl Shape {
    fn migrations(&self) -> Vec<Migration> {
        let list =
            |set: &BTreeSet<usize>| set.iter().map(|n| id(*n)).collect::<Vec<_>>().join(", ");
        let files = (0..self.dependencies.len()).map(|n| {
            let mut text = format!("-- @dependencies: [{}]\n", list(&self.dependencies[n]));
            if !self.exclusive[n].is_empty() {
                let _ = writeln!(text, "-- @exclusiveWith: [{}]", list(&self.exclusive[n]));
            }
            text += "SELECT 1;";
            parse(format!("{}.sql", id(n)).into(), text.into_bytes(), Depth::Tokens)
        });
        let set = settle(files.collect(), Unlisted::Refuse);
        assert!(set.diagnostics.is_empty(), "{:?}", set.diagnostics);
        set.migrations
    }

    fn build(&self) -> Result<MigrationGraph, Diagnostics> {
        graph::build(self.migrations(), &[])
    }

    /// What the authors say, and a few claims beside it.
    fn separation(&self, graph: &MigrationGraph) -> Separation {
        let mut separation = Separation::declared(graph);
        let nodes = nodes_by_number(self, graph);
        let resources: Vec<_> = (0..4).map(|n| separation.resource(format!("table {n}"))).collect();
        for (node, resource, holds, excludes) in &self.claims {
            let claim = Claim { holds: *holds, excludes: *excludes };
            separation.claim(nodes[*node], resources[*resource], claim);
        }
        for node in &self.alone {
            separation.alone(nodes[*node], "it drops a type");
        }
        separation
    }

    fn plan(&self, graph: &MigrationGraph, applied: &BTreeSet<Node>) -> Plan {
        let timings = self.milliseconds.iter().enumerate();
        let timings: Timings = timings.map(|(n, ms)| (id(n), f64::from(*ms))).collect();
        let estimator = Estimator::new(timings, graph.nodes().map(|node| graph.migration(node)));
        Plan::new(graph, &vec![true; graph.len()], applied, &estimator, self.separation(graph))
    }
}

/// A random acyclic graph of up to 25 nodes: each depends on some before it.
fn shape() -> impl Strategy<Value = Shape> {
    (1_usize..25).prop_flat_map(|n| {
        let some = |at: usize| proptest::collection::btree_set(0..at.max(1), 0..4);
        let dependencies: Vec<_> = (0..n).map(some).collect();
        let exclusive = proptest::collection::vec((0..n, 0..n), 0..n);
        let claims = proptest::collection::vec((0..n, 0_usize..4, 1_u16..8, 0_u16..8), 0..n);
        let alone = proptest::collection::vec(0..n, 0..3);
        let times = proptest::collection::vec(0_u32..50, n);
        let all = (dependencies, exclusive, claims, alone, times);
        all.prop_map(move |(mut dependencies, pairs, claims, alone, milliseconds)| {
            dependencies[0].clear();
            let mut exclusive = vec![BTreeSet::new(); n];
            for (a, b) in pairs.into_iter().filter(|(a, b)| a != b) {
                exclusive[a].insert(b);
            }
            Shape { dependencies, exclusive, claims, alone, milliseconds }
        })
    })
}

fn nodes_by_number(shape: &Shape, graph: &MigrationGraph) -> Vec<Node> {
    let node = |n| graph.node(&id(n).parse().unwrap()).unwrap();
    (0..shape.dependencies.len()).map(node).collect()
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn a_layer_is_the_longest_distance_from_a_root(shape in shape()) {
        let graph = shape.build().unwrap();
        let plan = shape.plan(&graph, &BTreeSet::new());
        let nodes = nodes_by_number(&shape, &graph);
        let mut distance = vec![0; nodes.len()];
        for n in 0..nodes.len() {
            let behind = shape.dependencies[n].iter().map(|d| distance[*d] + 1).max();
            distance[n] = behind.unwrap_or(0);
            prop_assert_eq!(plan.layer(nodes[n]), Some(distance[n]));
        }
        let in_order: Vec<_> = plan.nodes().collect();
        prop_assert_eq!(in_order.len(), nodes.len());
        prop_assert!(plan.layers().iter().all(|layer| layer.is_sorted() && !layer.is_empty()));
        let place: BTreeMap<_, _> = in_order.iter().enumerate().map(|(at, n)| (*n, at)).collect();
        for n in 0..nodes.len() {
            for d in &shape.dependencies[n] {
                prop_assert!(place[&nodes[*d]] < place[&nodes[n]]);
            }
        }
    }

    #[test]
    fn what_is_pending_waits_for_its_pending_ancestors(
        shape in shape(),
        choice in proptest::collection::vec(any::<bool>(), 25),
    ) {
        let graph = shape.build().unwrap();
        let nodes = nodes_by_number(&shape, &graph);
        let applied: BTreeSet<Node> =
            nodes.iter().zip(&choice).filter(|(_, applied)| **applied).map(|(n, _)| *n).collect();
        let plan = shape.plan(&graph, &applied);
        prop_assert_eq!(plan.len(), nodes.len() - applied.len());
        for node in plan.nodes() {
            prop_assert!(!applied.contains(&node));
            let ancestors = graph.with_ancestors(&[node]);
            for other in nodes.iter().filter(|n| **n != node && ancestors[n.index()]) {
                let earlier = plan.layer(*other).is_none_or(|layer| Some(layer) < plan.layer(node));
                prop_assert!(earlier);
            }
        }
    }

    #[test]
    fn a_cycle_is_reported_as_a_path_that_is_one(
        shape in shape(),
        back in proptest::collection::vec((any::<Index>(), any::<Index>()), 1..4),
    ) {
        let mut shape = shape;
        let n = shape.dependencies.len();
        for (from, to) in back {
            let (from, to) = (from.index(n), to.index(n));
            if from != to {
                shape.dependencies[from].insert(to);
            }
        }
        let cyclic = has_cycle(&shape.dependencies);
        match shape.build() {
            Ok(_) => prop_assert!(!cyclic),
            Err(problems) => {
                prop_assert!(cyclic && !problems.is_empty());
                problems.iter().for_each(|problem| path_is_a_cycle(&shape, problem));
            }
        }
    }
}

/// Takes away what depends on nothing that is left; a rest is a cycle.
fn has_cycle(dependencies: &[BTreeSet<usize>]) -> bool {
    let mut left: BTreeSet<usize> = (0..dependencies.len()).collect();
    loop {
        let free: Vec<_> =
            left.iter().copied().filter(|n| dependencies[*n].is_disjoint(&left)).collect();
        if free.is_empty() {
            return !left.is_empty();
        }
        left.retain(|n| !free.contains(n));
    }
}

fn path_is_a_cycle(shape: &Shape, problem: &Diagnostic) {
    assert_eq!(problem.code, Code::Cycle);
    let (_, path) = problem.message.split_once(": ").unwrap();
    let number = |name: &str| (0..shape.dependencies.len()).find(|n| id(*n) == name).unwrap();
    let path: Vec<_> = path.split(" -> ").map(number).collect();
    assert_eq!(path.first(), path.last());
    assert_eq!(path.iter().collect::<BTreeSet<_>>().len(), path.len() - 1, "{path:?}");
    for step in path.windows(2) {
        assert!(shape.dependencies[step[0]].contains(&step[1]), "{path:?} in {shape:?}");
    }
    let places = problem.place.iter().chain(&problem.related);
    for (place, step) in places.zip(path.windows(2)) {
        assert_eq!(place.source.slice(place.span.unwrap()), id(step[1]));
    }
}

// ---- the queue

/// Runs a queue to its end in the order that `choices` decide, failing about
/// `fails` in 256, and checks every start. Returns what was applied.
fn drive(
    plan: &Plan,
    schedule: Schedule,
    slots: usize,
    choices: &[(Index, u8)],
    fails: u8,
) -> BTreeSet<Node> {
    let mut queue = ReadyQueue::new(plan, schedule, slots);
    let mut choices = choices.iter().cycle();
    let (mut applied, mut failed) = (BTreeSet::new(), BTreeSet::new());
    let mut started = BTreeSet::new();
    loop {
        while let Some(node) = queue.start_next() {
            assert!(started.insert(node), "started twice");
            may_start(plan, schedule, &queue, &applied, node);
        }
        assert!(queue.running().len() <= slots);
        let running: Vec<_> = queue.running().iter().copied().collect();
        if running.is_empty() {
            break;
        }
        let (choice, luck) = choices.next().unwrap();
        let node = *choice.get(&running);
        if *luck < fails {
            queue.failed(node);
            failed.insert(node);
        } else {
            queue.applied(node);
            applied.insert(node);
        }
    }
    assert_eq!(queue.applied_count(), applied.len());
    let not_started: BTreeSet<_> = queue.not_started().into_iter().collect();
    assert!(not_started.is_disjoint(&started));
    assert_eq!(not_started.len() + started.len(), plan.len());
    if schedule == Schedule::Ready {
        nothing_is_forgotten(plan, &not_started, &failed);
    }
    applied
}

fn may_start(
    plan: &Plan,
    schedule: Schedule,
    queue: &ReadyQueue<'_>,
    applied: &BTreeSet<Node>,
    node: Node,
) {
    assert!(plan.dependencies(node).iter().all(|it| applied.contains(it)), "too early");
    let separation = plan.separation();
    let mut others = queue.running().iter().filter(|it| **it != node);
    assert_eq!(others.find_map(|it| separation.between(node, *it)), None, "is not kept apart");
    let alone = queue.running().iter().find(|it| separation.is_alone(**it).is_some());
    assert!(alone.is_none() || queue.running().len() == 1, "does not run alone");
    if schedule == Schedule::Layers {
        let layers: BTreeSet<_> = queue.running().iter().map(|it| plan.layer(*it)).collect();
        assert_eq!(layers.len(), 1, "layers are mixed");
    }
}

/// Without layers only what depends on a failure, directly or not, is left.
fn nothing_is_forgotten(plan: &Plan, not_started: &BTreeSet<Node>, failed: &BTreeSet<Node>) {
    for node in not_started {
        let mut needs = plan.dependencies(*node).iter();
        assert!(needs.any(|it| failed.contains(it) || not_started.contains(it)), "forgotten");
    }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn the_queue_keeps_its_promises(
        shape in shape(),
        slots in 1_usize..6,
        choices in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..40),
        fails in 0_u8..60,
    ) {
        let graph = shape.build().unwrap();
        let plan = shape.plan(&graph, &BTreeSet::new());
        for schedule in [Schedule::Layers, Schedule::Ready] {
            let applied = drive(&plan, schedule, slots, &choices, 0);
            prop_assert_eq!(applied.len(), plan.len(), "nothing fails, so all is applied");
            let applied = drive(&plan, schedule, slots, &choices, fails);
            let rest: BTreeSet<_> = plan.nodes().filter(|it| !applied.contains(it)).collect();
            for node in &rest {
                prop_assert!(plan.dependents(*node).iter().all(|it| rest.contains(it)));
            }
        }
    }

    #[test]
    fn a_simulated_time_is_between_the_critical_path_and_the_sum(
        shape in shape(),
        workers in 1_usize..6,
    ) {
        let graph = shape.build().unwrap();
        let plan = shape.plan(&graph, &BTreeSet::new());
        let sum: Duration = shape.milliseconds.iter().map(|ms| Duration::from_millis(u64::from(*ms))).sum();
        for schedule in [Schedule::Layers, Schedule::Ready] {
            prop_assert_eq!(simulate(&plan, schedule, 1), sum);
            let time = simulate(&plan, schedule, workers);
            prop_assert!(plan.critical_time() <= time && time <= sum);
            prop_assert_eq!(simulate(&plan, schedule, workers), time);
        }
    }
}
