//! The versioned documents of `--format json`.
//!
//! One complete document per invocation, on failure too. Fields are added, never
//! renamed or removed, within one `schema_version`.

use serde::Serialize;

use super::findings::Finding;
use super::infer::reason;
use crate::analyse::Dependency;
use crate::engine::{Failure, FailureKind, Notice, Notices};
use crate::exec::{Ended, Skip};
use crate::graph::{MigrationGraph, Node};
use crate::model::{Diagnostic, Location, Migration, Place};
use crate::ops::{Inference, Planned, Repaired, Shortage, Status, UpReport};
use crate::plan::{Applied, Schedule};

/// The version of every document here.
const SCHEMA_VERSION: u32 = 1;

/// What every document has; `T`'s fields stand beside these.
#[derive(Serialize)]
pub(crate) struct Document<T> {
    schema_version: u32,
    command: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Problem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Problem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<Problem>,
    #[serde(flatten)]
    body: T,
}

impl<T: Serialize> Document<T> {
    pub(crate) fn new(command: &'static str, ok: bool, body: T) -> Self {
        let (errors, warnings, notes) = (vec![], vec![], vec![]);
        Self { schema_version: SCHEMA_VERSION, command, ok, errors, warnings, notes, body }
    }

    pub(crate) fn errors(mut self, errors: Vec<Problem>) -> Self {
        self.errors = errors;
        self
    }

    pub(crate) fn warnings(mut self, warnings: &[Diagnostic]) -> Self {
        self.warnings = warnings.iter().map(|one| Problem::of(&one.into())).collect();
        self
    }

    pub(crate) fn notes(mut self, notes: &[Diagnostic]) -> Self {
        self.notes = notes.iter().map(|one| Problem::of(&one.into())).collect();
        self
    }

    /// Adds a warning that there are fewer sessions than workers.
    pub(crate) fn shortage(mut self, shortage: Option<Shortage>) -> Self {
        let warning = |it: Shortage| Problem {
            severity: Some("warning"),
            ..Problem::new("few-connections", it.to_string(), String::new())
        };
        self.warnings.extend(shortage.map(warning));
        self
    }

    /// The document as text that ends in a line break.
    pub(crate) fn render(&self) -> String {
        // Only a map with keys that are no strings could fail; there is none.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// A body without fields.
#[derive(Serialize)]
pub(crate) struct Empty {}

/// A diagnostic, or any other reason why a command ended badly.
#[derive(Serialize)]
pub(crate) struct Problem {
    pub(crate) code: String,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) severity: Option<&'static str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<JsonPlace>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) related: Vec<JsonPlace>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) help: Vec<String>,
}

impl Problem {
    /// A problem that is in no file.
    pub(crate) fn new(code: &str, message: String, help: String) -> Self {
        Self {
            code: code.to_owned(),
            message,
            severity: None,
            place: None,
            related: vec![],
            help: Some(help).filter(|help| !help.is_empty()).into_iter().collect(),
        }
    }

    /// A finding; only those about files have a severity.
    pub(crate) fn of(finding: &Finding) -> Self {
        Self {
            code: finding.code.to_owned(),
            message: finding.message.clone(),
            severity: finding.rule.map(|_| finding.severity.as_str()),
            place: finding.place.as_ref().map(JsonPlace::of),
            related: finding.related.iter().map(JsonPlace::of).collect(),
            help: finding.help.clone(),
        }
    }
}

/// A place in a file; lines and columns from 1, columns in characters.
#[derive(Serialize)]
pub(crate) struct JsonPlace {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
    #[serde(skip_serializing_if = "String::is_empty")]
    label: String,
}

impl JsonPlace {
    pub(crate) fn of(place: &Place) -> Self {
        let (start, end) = place.range().unzip();
        let line = |at: Option<Location>| at.map(|at| at.line);
        let column = |at: Option<Location>| at.map(|at| at.column);
        Self {
            file: place.source.path().display().to_string(),
            line: line(start),
            column: column(start),
            end_line: line(end),
            end_column: column(end),
            label: place.label.clone(),
        }
    }
}

/// Milliseconds with the ledger's three decimals.
fn ms(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn ids(graph: &MigrationGraph, nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|node| graph.id(*node).to_string()).collect()
}

/// `plan`, and `up --dry-run`.
#[derive(Serialize)]
pub(crate) struct PlanBody {
    online: bool,
    agrees: bool,
    applied: usize,
    pending: usize,
    layers: Vec<Vec<PlanStep>>,
    critical_path: Vec<String>,
    kept_apart: Vec<KeptApart>,
    estimates: Estimates,
}

/// Migrations of one layer that are never running at once.
#[derive(Serialize)]
struct KeptApart {
    layer: usize,
    because: String,
    migrations: Vec<String>,
}

#[derive(Serialize)]
struct PlanStep {
    id: String,
    name: String,
    file: String,
    dependencies: Vec<String>,
    transactional: bool,
    has_down: bool,
    performance_impact: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_alone: Option<String>,
    estimate_ms: f64,
    estimate_basis: &'static str,
}

#[derive(Serialize)]
struct Estimates {
    workers: usize,
    critical_path_ms: f64,
    serial_ms: f64,
    layers_ms: f64,
    ready_ms: f64,
    layers_together_ms: f64,
    ready_together_ms: f64,
}

impl PlanBody {
    pub(crate) fn of(graph: &MigrationGraph, planned: &Planned) -> Self {
        let plan = &planned.plan;
        let layer = |layer: &Vec<Node>| {
            layer.iter().filter_map(|node| step(graph, planned, *node)).collect()
        };
        Self {
            online: planned.online,
            agrees: planned.comparison.agrees(),
            applied: planned.comparison.applied.len(),
            pending: plan.len(),
            layers: plan.layers().iter().map(layer).collect(),
            critical_path: ids(graph, plan.critical_path()),
            kept_apart: kept_apart(graph, planned),
            estimates: Estimates {
                workers: planned.jobs,
                critical_path_ms: ms(plan.critical_time()),
                serial_ms: ms(planned.serial),
                layers_ms: ms(planned.layers),
                ready_ms: ms(planned.ready),
                layers_together_ms: ms(planned.together.0),
                ready_together_ms: ms(planned.together.1),
            },
        }
    }
}

fn kept_apart(graph: &MigrationGraph, planned: &Planned) -> Vec<KeptApart> {
    let plan = &planned.plan;
    let in_layer = |(layer, nodes): (usize, &Vec<Node>)| {
        let groups = plan.separation().groups(nodes).into_iter();
        let group = |(because, group): (&str, Vec<Node>)| KeptApart {
            layer,
            because: because.to_owned(),
            migrations: ids(graph, &group),
        };
        groups.map(group).collect::<Vec<_>>()
    };
    plan.layers().iter().enumerate().flat_map(in_layer).collect()
}

fn step(graph: &MigrationGraph, planned: &Planned, node: Node) -> Option<PlanStep> {
    let migration = graph.migration(node);
    let estimate = planned.plan.estimate(node)?;
    Some(PlanStep {
        id: migration.id.to_string(),
        name: migration.name().to_owned(),
        file: migration.source.path().display().to_string(),
        dependencies: ids(graph, &graph.dependencies(node)),
        transactional: !migration.up.is_non_transactional(),
        has_down: migration.down.is_some(),
        performance_impact: migration.header.impact.as_str(),
        runs_alone: planned.plan.separation().is_alone(node).map(str::to_owned),
        estimate_ms: ms(estimate.time),
        estimate_basis: estimate.basis.as_str(),
    })
}

/// `validate`.
#[derive(Serialize)]
pub(crate) struct ValidateBody {
    pub(crate) migrations: usize,
}

/// `up`. `plan --timings` reads `migrations[].id` and `.execution_time_ms`.
#[derive(Serialize)]
pub(crate) struct UpBody {
    outcome: &'static str,
    batch_id: String,
    schedule: &'static str,
    jobs: usize,
    wall_ms: f64,
    already_applied: usize,
    lock_lost: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unflushed: Option<String>,
    migrations: Vec<UpMigration>,
}

#[derive(Serialize)]
struct UpMigration {
    id: String,
    layer: Option<usize>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_time_ms: Option<f64>,
    retries: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    healed: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unrecorded: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<JsonFailure>,
    notices: Vec<JsonNotice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notices_omitted: Option<usize>,
}

#[derive(Serialize)]
struct JsonFailure {
    kind: &'static str,
    message: String,
    sqlstate: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unrecorded: Option<String>,
    statement: Option<usize>,
    #[serde(flatten)]
    place: JsonPlace,
}

/// What the server said of a migration.
#[derive(Serialize)]
struct JsonNotice {
    severity: String,
    sqlstate: String,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    statement: Option<usize>,
}

impl UpBody {
    pub(crate) fn of(graph: &MigrationGraph, report: &UpReport, schedule: Schedule) -> Self {
        let result = &report.result;
        let mut migrations: Vec<_> =
            report.planned.plan.nodes().map(|node| outcome(graph, report, node)).collect();
        migrations.sort_by_key(|it| it.layer);
        Self {
            outcome: match result.ended {
                Ended::Complete if report.planned.plan.is_empty() => "nothing-to-do",
                Ended::Complete => "applied",
                Ended::Failed => "failed",
                Ended::Stopped if report.lock_lost => "failed",
                Ended::Stopped => "stopped",
            },
            batch_id: report.batch.clone(),
            schedule: schedule.as_str(),
            jobs: report.planned.jobs,
            wall_ms: ms(result.wall),
            already_applied: report.planned.comparison.applied.len(),
            lock_lost: report.lock_lost,
            unflushed: report.unflushed.clone(),
            migrations,
        }
    }
}

fn outcome(graph: &MigrationGraph, report: &UpReport, node: Node) -> UpMigration {
    let result = &report.result;
    let receipt = result.applied.get(&node);
    let notices = result.notices.get(&node);
    let failure = result.failed.iter().find(|(failed, _)| *failed == node).map(|(_, it)| it);
    let skip = result.skipped.iter().find(|(skipped, _)| *skipped == node).map(|(_, it)| *it);
    let needs = match skip {
        Some(Skip::Needs(root)) => Some(graph.id(root).to_string()),
        _ => None,
    };
    UpMigration {
        id: graph.id(node).to_string(),
        layer: report.planned.plan.layer(node),
        outcome: match (receipt, failure, skip) {
            (Some(_), ..) => "applied",
            (_, Some(failure), _) if failure.kind == FailureKind::Cancelled => "cancelled",
            (_, Some(failure), _) if failure.kind == FailureKind::Interrupted => "interrupted",
            (_, Some(_), _) => "failed",
            (.., Some(Skip::Needs(_))) => "skipped",
            _ => "not-started",
        },
        execution_time_ms: receipt.map(|it| it.execution_time_ms),
        retries: result.retried.get(&node).copied().unwrap_or(0),
        unrecorded: result.unrecorded.get(&node).copied(),
        healed: result.healed.get(&node).cloned().unwrap_or_default(),
        applied_at: receipt.map(|it| it.applied_at.to_string()),
        because: needs,
        failure: failure.map(|failure| json_failure(graph.migration(node), failure)),
        notices: notices.map(|it| it.kept().iter().map(json_notice).collect()).unwrap_or_default(),
        notices_omitted: notices.map(Notices::omitted).filter(|omitted| *omitted > 0),
    }
}

fn json_notice(notice: &Notice) -> JsonNotice {
    JsonNotice {
        severity: notice.level.as_str().to_ascii_lowercase(),
        sqlstate: notice.sqlstate.clone(),
        message: notice.message.clone(),
        detail: notice.detail.clone(),
        hint: notice.hint.clone(),
        statement: notice.statement,
    }
}

fn json_failure(migration: &Migration, failure: &Failure) -> JsonFailure {
    let place = match failure.span {
        Some(span) => Place::new(&migration.source, span, ""),
        None => Place::file(&migration.source),
    };
    JsonFailure {
        kind: match failure.kind {
            FailureKind::RolledBack => "rolled-back",
            FailureKind::Cancelled => "cancelled",
            FailureKind::Halted => "halted",
            FailureKind::Interrupted => "interrupted",
            FailureKind::NotStarted => "not-started",
            FailureKind::Unknown => "unknown",
        },
        message: failure.message.clone(),
        sqlstate: failure.sqlstate.clone(),
        detail: failure.detail.clone(),
        hint: failure.hint.clone(),
        context: failure.context.clone(),
        unrecorded: failure.unrecorded.clone(),
        statement: failure.statement,
        place: JsonPlace::of(&place),
    }
}

/// `infer`.
#[derive(Serialize)]
pub(crate) struct InferBody {
    written: bool,
    migrations: Vec<InferMigration>,
}

#[derive(Serialize)]
struct InferMigration {
    id: String,
    file: String,
    changed: bool,
    dependencies: Vec<InferDependency>,
}

#[derive(Serialize)]
struct InferDependency {
    id: String,
    declared: bool,
    implied: bool,
    soft: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl InferBody {
    pub(crate) fn of(graph: &MigrationGraph, inference: &Inference, written: bool) -> Self {
        let dependency = |it: &Dependency| InferDependency {
            id: graph.id(it.on).to_string(),
            declared: it.declared,
            implied: it.need.is_some(),
            soft: it.need.is_some_and(|need| need.soft),
            reason: it.need.map(|need| reason(inference.analysis.catalogue(), &need)),
        };
        let migration = |node: Node| InferMigration {
            id: graph.id(node).to_string(),
            file: graph.migration(node).source.path().display().to_string(),
            changed: inference.changes.iter().any(|change| change.node == node),
            dependencies: inference.dependencies[node.index()].iter().map(dependency).collect(),
        };
        Self { written, migrations: graph.nodes().map(migration).collect() }
    }
}

/// `repair`.
#[derive(Serialize)]
pub(crate) struct RepairBody {
    id: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumes_at: Option<usize>,
}

impl RepairBody {
    pub(crate) fn of(graph: &MigrationGraph, repaired: Repaired) -> Self {
        Self {
            id: graph.id(repaired.node).to_string(),
            outcome: if repaired.resumes_at.is_some() { "to-resume" } else { "applied" },
            resumes_at: repaired.resumes_at,
        }
    }
}

/// `status`.
#[derive(Serialize)]
pub(crate) struct StatusBody {
    applied: Vec<JsonApplied>,
    pending: Vec<String>,
    changed: Vec<String>,
    unknown: Vec<JsonApplied>,
    unknown_unfinished: Vec<String>,
    unfinished: Vec<JsonUnfinished>,
    total_execution_time_ms: f64,
    average_execution_time_ms: Option<f64>,
}

#[derive(Serialize)]
struct JsonApplied {
    id: String,
    applied_at: String,
    execution_time_ms: f64,
    batch_id: String,
    layer: usize,
    checksum: String,
    checksum_algorithm: String,
}

#[derive(Serialize)]
struct JsonUnfinished {
    id: String,
    statements_done: usize,
    interrupted_statement: Option<usize>,
}

impl StatusBody {
    pub(crate) fn of(graph: &MigrationGraph, status: &Status) -> Self {
        let comparison = &status.comparison;
        let changed: Vec<Node> = comparison.changed.iter().copied().collect();
        let times: Vec<f64> = comparison.applied.values().map(|it| it.execution_time_ms).collect();
        let total: f64 = times.iter().sum();
        let round = |ms: f64| (ms * 1e3).round() / 1e3;
        #[expect(clippy::cast_precision_loss, reason = "no ledger has 2^52 rows")]
        let average = (!times.is_empty()).then(|| round(total / times.len() as f64));
        let unfinished = comparison.unfinished.iter().map(|(node, it)| JsonUnfinished {
            id: graph.id(*node).to_string(),
            statements_done: it.statements_done(&graph.migration(*node).up),
            interrupted_statement: it.interrupted().map(|one| one.statement),
        });
        Self {
            applied: comparison.applied.values().map(json_applied).collect(),
            pending: ids(graph, &status.pending),
            changed: ids(graph, &changed),
            unknown: comparison.unknown.iter().map(json_applied).collect(),
            unknown_unfinished: comparison.unknown_unfinished.iter().cloned().collect(),
            unfinished: unfinished.collect(),
            total_execution_time_ms: round(total),
            average_execution_time_ms: average,
        }
    }
}

fn json_applied(record: &Applied) -> JsonApplied {
    JsonApplied {
        id: record.id.clone(),
        applied_at: record.applied_at.to_string(),
        execution_time_ms: record.execution_time_ms,
        batch_id: record.batch_id.clone(),
        layer: record.layer,
        checksum: record.checksum.clone(),
        checksum_algorithm: record.checksum_algorithm.clone(),
    }
}
