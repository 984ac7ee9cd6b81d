//! What happens during a run, as it happens, on stderr.
//!
//! Two sinks: bars on a terminal, plain lines elsewhere. A hidden bar would
//! swallow the lines that are printed through it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::text::{count, duration, indented};
use super::{output, waiting};
use crate::engine::{Failure, Level, Notice, Receipt};
use crate::exec::{Event, Stop};
use crate::graph::{MigrationGraph, Node};
use crate::ops::{Planned, UpEvent, UpSink};

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Failures only.
    Quiet,
    /// Each migration when it has ended, and the server's warnings.
    Normal,
    /// Also when it starts, its statements, and whatever else the server says.
    Verbose,
}

/// The sink that fits: bars when stderr is a terminal and there is something to
/// show there.
pub(crate) fn sink<'a>(
    graph: &'a MigrationGraph,
    verbosity: Verbosity,
    on_terminal: bool,
) -> Box<dyn UpSink + 'a> {
    if on_terminal && verbosity > Verbosity::Quiet {
        Box::new(Bars::new(graph, verbosity))
    } else {
        Box::new(Lines { graph, verbosity, done: 0, total: 0 })
    }
}

/// One line for each thing.
struct Lines<'a> {
    graph: &'a MigrationGraph,
    verbosity: Verbosity,
    done: usize,
    total: usize,
}

impl Lines<'_> {
    fn say(&self, least: Verbosity, line: &str) {
        if self.verbosity >= least {
            output::log(line);
        }
    }

    fn numbered(&self, line: &str) -> String {
        let width = self.total.to_string().len();
        format!("[{:>width$}/{}] {line}", self.done, self.total)
    }
}

impl UpSink for Lines<'_> {
    fn event(&mut self, event: &UpEvent<'_>) {
        use Verbosity::{Normal, Verbose};
        match event {
            UpEvent::NoServer(error) => self.say(Normal, &waiting::for_server(error)),
            UpEvent::Waiting(waiting) => self.say(Normal, &waiting::for_lock(waiting)),
            UpEvent::Planned(planned) => {
                self.total = planned.plan.len();
                self.say(Normal, &planned_line(planned));
                planned.shortage.iter().for_each(|it| self.say(Normal, &it.to_string()));
            }
            UpEvent::Run(Event::Started { node }) => {
                self.say(Verbose, &format!("started {}", self.graph.id(*node)));
            }
            UpEvent::Run(Event::Statement { node, number }) => {
                self.say(Verbose, &statement_line(self.graph, *node, *number));
            }
            UpEvent::Run(Event::Healed { node, how }) => {
                self.say(Normal, &healed_line(self.graph, *node, how));
            }
            UpEvent::Run(Event::Notice { node, notice }) => {
                self.say(least(notice), &notice_line(self.graph, *node, notice));
            }
            UpEvent::Run(Event::NoticesOmitted { node, count }) => {
                self.say(Verbose, &omitted_line(self.graph, *node, *count));
            }
            UpEvent::Run(Event::Applied { node, receipt }) => {
                self.done += 1;
                let line = applied_line(self.graph, *node, *receipt);
                self.say(Normal, &self.numbered(&line));
            }
            UpEvent::Run(Event::Failed { node, failure }) => {
                let rendered = super::failure::render(self.graph.migration(*node), failure);
                self.say(Verbosity::Quiet, &rendered);
            }
            UpEvent::Run(Event::Stopping { stop, running }) => {
                self.say(Normal, &stopping_line(*stop, *running));
            }
            UpEvent::Run(Event::Retrying { node, failure, delay }) => {
                self.say(Normal, &retrying_line(self.graph, *node, failure, *delay));
            }
            UpEvent::Run(Event::FewerSessions { slots }) => self.say(Normal, &fewer_line(*slots)),
            UpEvent::Run(Event::Tick) => {}
        }
    }
}

fn planned_line(planned: &Planned) -> String {
    let plan = &planned.plan;
    format!(
        "{} in {} to apply",
        count(plan.len(), "migration"),
        count(plan.layers().len(), "layer")
    )
}

fn applied_line(graph: &MigrationGraph, node: Node, receipt: Receipt) -> String {
    format!("applied {} in {}", graph.id(node), duration(receipt.execution_time()))
}

fn statement_line(graph: &MigrationGraph, node: Node, number: usize) -> String {
    let migration = graph.migration(node);
    format!("{}: statement {number} of {}", migration.id, migration.up.statements.len())
}

fn healed_line(graph: &MigrationGraph, node: Node, how: &str) -> String {
    format!("healed {}: {how}", graph.id(node))
}

/// A warning is worth a line, and a run that has ended cannot show it again.
fn least(notice: &Notice) -> Verbosity {
    match notice.level {
        Level::Warning => Verbosity::Normal,
        _ => Verbosity::Verbose,
    }
}

/// What the server said, under the migration's name.
fn notice_line(graph: &MigrationGraph, node: Node, notice: &Notice) -> String {
    let Notice { level, message, detail, hint, .. } = notice;
    let more = [("detail", detail), ("hint", hint)].map(|(what, text)| match text {
        Some(text) => format!("\n  {what}: {}", indented(text)),
        None => String::new(),
    });
    format!("{}: {level}: {}{}", graph.id(node), indented(message), more.concat())
}

fn omitted_line(graph: &MigrationGraph, node: Node, omitted: usize) -> String {
    format!("{}: {}", graph.id(node), count(omitted, "more notice"))
}

fn retrying_line(
    graph: &MigrationGraph,
    node: Node,
    failure: &Failure,
    delay: Option<Duration>,
) -> String {
    let when = match delay {
        Some(delay) => format!("in {}", duration(delay)),
        None => "when others have ended".to_owned(),
    };
    let code =
        failure.sqlstate.as_deref().map(|code| format!(" (SQLSTATE {code})")).unwrap_or_default();
    format!("trying {} again {when}: {}{code}", graph.id(node), indented(&failure.message))
}

fn fewer_line(slots: usize) -> String {
    format!("the server gives no more sessions: going on with {}", count(slots, "worker"))
}

fn stopping_line(stop: Stop, running: usize) -> String {
    let running = count(running, "running migration");
    match stop {
        Stop::Cancel => format!("cancelling {running} and waiting for the server's answer"),
        _ => format!("stopping: nothing new is started, {running} will finish (again to cancel)"),
    }
}

/// A migration gets a line of its own when it has run for so long: hundreds of
/// tiny ones would only flicker, and drawing costs more than running them.
const WORTH_A_LINE: Duration = Duration::from_millis(150);

/// A line for each running migration and one for all.
struct Bars<'a> {
    graph: &'a MigrationGraph,
    verbosity: Verbosity,
    screen: MultiProgress,
    overall: ProgressBar,
    running: BTreeMap<Node, Running>,
    /// By layer: how many migrations it has left.
    left: Vec<usize>,
    layer_of: BTreeMap<Node, usize>,
}

struct Running {
    since: Instant,
    statement: Option<usize>,
    line: Option<ProgressBar>,
}

impl<'a> Bars<'a> {
    fn new(graph: &'a MigrationGraph, verbosity: Verbosity) -> Self {
        Self {
            graph,
            verbosity,
            screen: MultiProgress::new(),
            overall: ProgressBar::hidden(),
            running: BTreeMap::new(),
            left: Vec::new(),
            layer_of: BTreeMap::new(),
        }
    }

    fn begin(&mut self, planned: &Planned) {
        let plan = &planned.plan;
        self.left = plan.layers().iter().map(Vec::len).collect();
        self.layer_of = plan.nodes().filter_map(|node| Some((node, plan.layer(node)?))).collect();
        let bar = ProgressBar::new(plan.len() as u64)
            .with_style(style("{prefix} [{bar:24}] {pos}/{len}  {rate}  {elapsed}, {eta} left"));
        self.overall = self.screen.add(bar);
        self.show_layer();
    }

    /// The first layer that is not done.
    fn show_layer(&self) {
        let open = self
            .left
            .iter()
            .position(|left| *left > 0)
            .unwrap_or(self.left.len().saturating_sub(1));
        self.overall.set_prefix(format!("layer {}/{}", open + 1, self.left.len()));
    }

    fn end(&mut self, node: Node) {
        if let Some(line) = self.running.remove(&node).and_then(|running| running.line) {
            line.finish_and_clear();
            self.screen.remove(&line);
        }
        if let Some(left) = self.layer_of.get(&node).and_then(|layer| self.left.get_mut(*layer)) {
            *left = left.saturating_sub(1);
        }
        self.show_layer();
    }

    /// A migration that went back into the queue is not running.
    fn pause(&mut self, node: Node, delay: Option<Duration>) {
        if delay.is_none()
            && let Some(line) = self.running.remove(&node).and_then(|running| running.line)
        {
            line.finish_and_clear();
            self.screen.remove(&line);
        }
    }

    fn draw_running(&mut self) {
        for (node, running) in &mut self.running {
            if running.since.elapsed() < WORTH_A_LINE {
                continue;
            }
            let line = running.line.get_or_insert_with(|| {
                let line = ProgressBar::new_spinner().with_style(style("  {spinner} {msg}"));
                self.screen.insert_before(&self.overall, line)
            });
            let migration = self.graph.migration(*node);
            let all = migration.up.statements.len();
            let statements = match running.statement {
                Some(number) => format!("statement {number} of {all}"),
                None => count(all, "statement"),
            };
            let seconds = running.since.elapsed().as_secs_f64();
            line.set_message(format!("{}  {statements}  {seconds:.1} s", migration.id));
            line.tick();
        }
        self.overall.tick();
    }

    fn say(&self, line: &str) {
        self.screen.suspend(|| output::log(line));
    }
}

impl UpSink for Bars<'_> {
    fn event(&mut self, event: &UpEvent<'_>) {
        match event {
            UpEvent::NoServer(error) => self.say(&waiting::for_server(error)),
            UpEvent::Waiting(waiting) => self.say(&waiting::for_lock(waiting)),
            UpEvent::Planned(planned) => {
                planned.shortage.iter().for_each(|it| self.say(&it.to_string()));
                self.begin(planned);
            }
            UpEvent::Run(Event::Started { node }) => {
                let running = Running { since: Instant::now(), statement: None, line: None };
                self.running.insert(*node, running);
            }
            UpEvent::Run(Event::Statement { node, number }) => {
                if let Some(running) = self.running.get_mut(node) {
                    running.statement = Some(*number);
                }
            }
            UpEvent::Run(Event::Healed { node, how }) => {
                self.say(&healed_line(self.graph, *node, how));
            }
            UpEvent::Run(Event::Notice { node, notice }) if self.verbosity >= least(notice) => {
                self.say(&notice_line(self.graph, *node, notice));
            }
            UpEvent::Run(Event::NoticesOmitted { node, count })
                if self.verbosity >= Verbosity::Verbose =>
            {
                self.say(&omitted_line(self.graph, *node, *count));
            }
            UpEvent::Run(Event::Notice { .. } | Event::NoticesOmitted { .. }) => {}
            UpEvent::Run(Event::Applied { node, .. }) => {
                self.end(*node);
                self.overall.inc(1);
            }
            UpEvent::Run(Event::Failed { node, failure }) => {
                self.end(*node);
                self.say(&super::failure::render(self.graph.migration(*node), failure));
            }
            UpEvent::Run(Event::Stopping { stop, running }) => {
                self.say(&stopping_line(*stop, *running));
            }
            UpEvent::Run(Event::Retrying { node, failure, delay }) => {
                self.pause(*node, *delay);
                self.say(&retrying_line(self.graph, *node, failure, *delay));
            }
            UpEvent::Run(Event::FewerSessions { slots }) => self.say(&fewer_line(*slots)),
            UpEvent::Run(Event::Tick) => self.draw_running(),
        }
    }
}

/// The summary follows: nothing of the bars is left on the screen.
impl Drop for Bars<'_> {
    fn drop(&mut self) {
        self.overall.finish_and_clear();
        let _ = self.screen.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // A display that cannot be written to is nobody's concern.
        let _ = write!(out, "{:.1}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", rate)
}
