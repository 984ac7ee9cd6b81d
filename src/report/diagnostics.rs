//! Diagnostics in rustc's look, by annotate-snippets.

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::findings::Finding;
use crate::model::{Diagnostic, Place, Severity, Source, Span};

/// Only a part of a longer line is given to the renderer. It shows the part that
/// matters by itself, and better, but its time grows with the line.
const LONG_LINE: usize = 100_000;
/// How much is shown on either side of the place in such a line.
const WINDOW: usize = 36;

/// One message with places and advice, as text.
pub(crate) struct Message<'a> {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What is wrong.
    pub(crate) title: &'a str,
    /// A short name for it, such as a code or an SQLSTATE.
    pub(crate) id: Option<&'a str>,
    /// Where, the main place first.
    pub(crate) places: Vec<&'a Place>,
    /// Facts.
    pub(crate) notes: Vec<String>,
    /// Advice.
    pub(crate) help: Vec<String>,
}

impl<'a> Message<'a> {
    /// An error without a place.
    pub(crate) fn error(title: &'a str) -> Self {
        let severity = Severity::Error;
        Self { severity, title, id: None, places: vec![], notes: vec![], help: vec![] }
    }

    /// The message as text that ends in a line break; styled for a terminal.
    /// [`super::output`] takes the styles out where they are not wanted.
    pub(crate) fn render(&self) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Info => Level::INFO,
        };
        let title = level.primary_title(self.title);
        let title = match self.id {
            Some(id) => title.id(id),
            None => title,
        };
        let mut group = Group::with_title(title);
        for elements in by_source(&self.places).into_iter().map(elements) {
            group = group.elements(elements);
        }
        for note in &self.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        format!("{}\n", Renderer::styled().render(&[group]))
    }
}

/// All of `diagnostics`, with an empty line between two, and how many there are.
pub(crate) fn render(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|one| render_one(one) + "\n").collect()
}

/// One diagnostic.
pub(crate) fn render_one(diagnostic: &Diagnostic) -> String {
    render_finding(&Finding::from(diagnostic))
}

/// One finding.
pub(crate) fn render_finding(finding: &Finding) -> String {
    Message {
        severity: finding.severity,
        title: &finding.message,
        id: Some(finding.code),
        places: finding.place.iter().chain(&finding.related).collect(),
        notes: vec![],
        help: finding.help.clone(),
    }
    .render()
}

/// Places of one file together, in the order of their first appearance; the main
/// place is marked.
fn by_source<'a>(places: &[&'a Place]) -> Vec<Vec<(bool, &'a Place)>> {
    let mut groups: Vec<Vec<(bool, &Place)>> = Vec::new();
    for (at, place) in places.iter().enumerate() {
        let same = |group: &&mut Vec<(bool, &Place)>| {
            place.span.is_some()
                && group.first().is_some_and(|(_, first)| {
                    first.span.is_some() && first.source.path() == place.source.path()
                })
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push((at == 0, place)),
            None => groups.push(vec![(at == 0, place)]),
        }
    }
    groups
}

/// What shows the places of one file.
fn elements(places: Vec<(bool, &Place)>) -> Vec<Element<'_>> {
    let Some((_, first)) = places.first() else { return vec![] };
    let source: &Source = &first.source;
    let path = source.shown_path();
    let spans: Vec<Span> = places.iter().filter_map(|(_, place)| place.span).collect();
    let (Some(start), Some(end)) =
        (spans.iter().map(|span| span.start).min(), spans.iter().map(|span| span.end).max())
    else {
        return vec![Origin::path(path).into()];
    };
    let shown = lines_around(source.text(), Span::new(start, end));
    let text = source.slice(shown);
    if text.lines().any(|line| line.len() > LONG_LINE) {
        return places.into_iter().flat_map(|(primary, place)| in_part(primary, place)).collect();
    }
    let annotations = places.iter().filter_map(|(primary, place)| {
        let span = place.span?;
        let kind = if *primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let range = (span.start - shown.start)..(span.end - shown.start);
        Some(kind.span(range).label(place.label.as_str()))
    });
    let line = source.location(shown.start).line;
    vec![Snippet::source(text).path(path).line_start(line).annotations(annotations).into()]
}

/// The whole lines that `span` touches, with the last one's break: without it the
/// renderer does not see a last line that is empty.
fn lines_around(text: &str, span: Span) -> Span {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at + 1);
    Span::new(start, end)
}

/// A place in a line that is too long to show.
fn in_part(primary: bool, place: &Place) -> Vec<Element<'_>> {
    let source: &Source = &place.source;
    let span = place.span.unwrap_or_default();
    let line = lines_around(source.text(), Span::at(span.start));
    let text = source.slice(line);
    let offset = span.start - line.start;
    let from = text[..offset].char_indices().rev().nth(WINDOW).map_or(0, |(at, _)| at);
    let to = text[offset..].char_indices().nth(WINDOW).map_or(text.len(), |(at, _)| offset + at);
    let end = (span.end - line.start).clamp(offset, to);
    let kind = if primary { AnnotationKind::Primary } else { AnnotationKind::Context };
    let at = source.location(span.start);
    let snippet = Snippet::source(&text[from..to])
        .line_start(at.line)
        .annotation(kind.span(offset - from..end - from).label(place.label.as_str()));
    let origin = Origin::path(source.shown_path());
    vec![origin.line(at.line).char_column(at.column).into(), snippet.into()]
}

/// `2 errors and 1 warning`.
pub(crate) fn summary(diagnostics: &[Diagnostic]) -> String {
    let of = |severity| diagnostics.iter().filter(|one| one.severity == severity).count();
    let parts =
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "note")]
            .map(|(severity, noun)| (of(severity), noun));
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<_> = parts.map(|(number, noun)| super::text::count(number, noun)).collect();
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::model::Code;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn place(source: &Arc<Source>, start: usize, end: usize) -> Place {
        Place::new(source, Span::new(start, end), "here")
    }

    #[test]
    fn a_place_in_a_huge_line_is_shown_with_its_neighbourhood() {
        let text = format!("{}x{}", "ä ".repeat(LONG_LINE), " ö".repeat(LONG_LINE));
        let source = Arc::new(Source::new("a.sql", text));
        let at = LONG_LINE * 3;
        let problem = Diagnostic::error(Code::Syntax, "bad").at(place(&source, at, at + 1));
        let shown = plain(&render_one(&problem));
        assert!(shown.contains(&format!("a.sql:1:{}", LONG_LINE * 2 + 1)), "{shown}");
        assert!(shown.contains("ä x ö") && shown.len() < 1_000, "{shown}");
    }

    #[test]
    fn places_of_which_the_last_is_an_empty_line_are_shown() {
        let source = Arc::new(Source::new("a.sql", "a\n\nb".to_owned()));
        let problem = Diagnostic::error(Code::Syntax, "bad");
        let shown = problem.at(place(&source, 2, 2)).also(place(&source, 0, 0));
        let shown = plain(&render_one(&shown));
        assert!(shown.contains("a.sql:2:1"), "{shown}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_places_can_be_shown(
            text in "([a-z\t\n (]|\\PC|\r|é|🧬){0,80}",
            spans in proptest::collection::vec((any::<Index>(), any::<Index>()), 1..4),
        ) {
            let source = Arc::new(Source::new("a.sql", text.clone()));
            let bounds: Vec<_> =
                (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
            let mut problem = Diagnostic::error(Code::Syntax, "bad");
            for (a, b) in &spans {
                let (a, b) = (*a.get(&bounds), *b.get(&bounds));
                problem = problem.also(place(&source, a.min(b), a.max(b)));
            }
            problem.place = problem.related.first().cloned();
            let shown = plain(&render_one(&problem));
            let main = problem.place.unwrap();
            // Behind the last line break there is no line to show: nothing of ours
            // points there, and the renderer takes it for the line before.
            prop_assume!(main.span.unwrap().start < text.len() || !text.ends_with('\n'));
            let at = main.location().unwrap();
            // The renderer has its own idea of the column in a few odd texts.
            let header = format!("a.sql:{}:", at.line);
            prop_assert!(shown.contains(&header), "{header}: {shown}");
        }
    }
}
