//! Tokens: squawk's lexer, with what a migration tool needs beside it.

use squawk_lexer::{LiteralKind, TokenKind as Raw};

use crate::model::Span;

/// What a token is. Only the distinctions that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An unquoted word: a keyword or an identifier.
    Word,
    /// `"Name"` or `U&"Name"`.
    QuotedWord,
    /// A number.
    Number,
    /// `'text'`.
    Str,
    /// `E'text'`, also its continuation on a further line.
    EscapeStr,
    /// `B'01'`, `X'1F'`, `N'text'`, `U&'text'`.
    OtherStr,
    /// `$tag$text$tag$`.
    DollarStr,
    /// `$1`.
    Parameter,
    /// One character of an operator, or a colon.
    Operator,
    /// `.` or `..`.
    Dot,
    /// `,`.
    Comma,
    /// `;`.
    Semicolon,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// `-- text`, without its line end.
    LineComment,
    /// `/* text */`.
    BlockComment,
    /// Blanks and line ends.
    Blank,
    /// The lines that follow `COPY … FROM STDIN;`, up to and with `\.`.
    CopyData,
    /// `\` and the rest of its line: a psql command.
    Backslash,
    /// `\restrict TOKEN` or `\unrestrict TOKEN` between two statements, as
    /// `pg_dump` writes them: means something to psql only.
    Restrict,
    /// A character that no SQL has.
    Unknown,
}

impl TokenKind {
    /// True for what PostgreSQL's grammar sees: neither blank nor comment, nor
    /// what only psql reads.
    pub fn is_significant(self) -> bool {
        !matches!(self, Self::Blank | Self::LineComment | Self::BlockComment | Self::Restrict)
    }
}

/// One token and its place. Offsets fit 32 bits: longer files are refused
/// before they are lexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    start: u32,
    end: u32,
}

impl Token {
    /// Where it stands.
    pub fn span(self) -> Span {
        Span::new(self.start as usize, self.end as usize)
    }

    /// Its text.
    pub fn text(self, source: &str) -> &str {
        &source[self.start as usize..self.end as usize]
    }

    /// True when it is the unquoted word `word`, which is given in lower case.
    pub fn is_word(self, source: &str, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text(source).eq_ignore_ascii_case(word)
    }
}

/// A string, comment or quoted name that the text ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unterminated {
    /// What it is, for people: `string`, `block comment` …
    pub what: &'static str,
    /// Where it began.
    pub start: usize,
}

/// The tokens of a text: together they are the text, without a gap.
#[derive(Debug, Default)]
pub struct Lexed {
    /// All tokens, blanks and comments included.
    pub tokens: Vec<Token>,
    /// The last token, when it has no end.
    pub unterminated: Option<Unterminated>,
}

/// Cuts a text into tokens. Never fails: what is no SQL becomes
/// [`TokenKind::Unknown`]. A text of 4 GiB or more is not supported.
pub fn lex(text: &str) -> Lexed {
    let mut lexer =
        Lexer { text, lexed: Lexed::default(), copy: CopyState::StatementStart, depth: 0 };
    let mut at = 0;
    while at < text.len() {
        at = lexer.run(at);
    }
    lexer.lexed
}

/// How much of `COPY … FROM STDIN;` has been seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CopyState {
    StatementStart,
    Other,
    Copy,
    From,
    Stdin,
}

impl CopyState {
    fn after(self, kind: TokenKind, text: &str) -> Self {
        let word = |word: &str| kind == TokenKind::Word && text.eq_ignore_ascii_case(word);
        match self {
            _ if kind == TokenKind::Semicolon => Self::StatementStart,
            _ if !kind.is_significant() => self,
            Self::StatementStart if word("copy") => Self::Copy,
            Self::StatementStart | Self::Other => Self::Other,
            Self::Copy | Self::From if word("from") => Self::From,
            Self::From if word("stdin") => Self::Stdin,
            Self::From => Self::Copy,
            Self::Copy | Self::Stdin => self,
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    lexed: Lexed,
    copy: CopyState,
    /// Open brackets, which hide a query's FROM from [`CopyState`].
    depth: usize,
}

impl Lexer<'_> {
    /// Lexes from `start` until the end, or until squawk's lexer must be started
    /// anew behind something it does not know; returns where to go on.
    fn run(&mut self, start: usize) -> usize {
        let mut at = start;
        for raw in squawk_lexer::tokenize(&self.text[start..]) {
            let end = at + raw.len as usize;
            let (kind, unterminated) = kind_of(raw.kind, &self.text[at..end]);
            if self.continues_escape_string(kind) {
                return self.push_escape_continuation(at);
            }
            if kind == TokenKind::Backslash {
                return self.push_psql_command(at);
            }
            let data_follows = kind == TokenKind::Semicolon && self.copy == CopyState::Stdin;
            self.push(kind, at, end);
            if let Some(what) = unterminated {
                self.lexed.unterminated = Some(Unterminated { what, start: at });
            }
            if data_follows {
                return self.push_copy_data(end);
            }
            at = end;
        }
        at
    }

    fn push(&mut self, kind: TokenKind, start: usize, end: usize) {
        match kind {
            TokenKind::Open => self.depth += 1,
            TokenKind::Close => self.depth = self.depth.saturating_sub(1),
            TokenKind::Semicolon => self.depth = 0,
            _ => {}
        }
        if self.depth == 0 || self.copy == CopyState::StatementStart {
            self.copy = self.copy.after(kind, &self.text[start..end]);
        }
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.lexed.tokens.push(Token { kind, start: offset(start), end: offset(end) });
    }

    /// `E'a'` and, on a further line, `'b\'c'` are one string, backslashes and
    /// all; squawk 2.68 lexes the second part as a plain string. See
    /// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS>.
    fn continues_escape_string(&self, kind: TokenKind) -> bool {
        kind == TokenKind::Str && {
            let mut line_ended = false;
            let before = self.lexed.tokens.iter().rev().find(|token| {
                line_ended |= token.text(self.text).contains('\n');
                !matches!(token.kind, TokenKind::Blank | TokenKind::LineComment)
            });
            before.is_some_and(|token| token.kind == TokenKind::EscapeStr) && line_ended
        }
    }

    fn push_escape_continuation(&mut self, start: usize) -> usize {
        let end = escape_string_end(self.text, start);
        if end.is_none() {
            self.lexed.unterminated = Some(Unterminated { what: "string", start });
        }
        let end = end.unwrap_or(self.text.len());
        self.push(TokenKind::EscapeStr, start, end);
        end
    }

    /// What follows the backslash is psql's own language: a quote in it opens no
    /// string.
    fn push_psql_command(&mut self, start: usize) -> usize {
        let end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let between = self.copy == CopyState::StatementStart;
        let skipped = between && is_restrict(&self.text[start..end]);
        self.push(if skipped { TokenKind::Restrict } else { TokenKind::Backslash }, start, end);
        end
    }

    /// The rest of the line, then the data up to and with its `\.` line.
    fn push_copy_data(&mut self, at: usize) -> usize {
        let Some(line_end) = self.text[at..].find('\n').map(|found| at + found + 1) else {
            return at;
        };
        if !self.text[at..line_end].trim().is_empty() {
            return at;
        }
        self.push(TokenKind::Blank, at, line_end);
        let mut end = line_end;
        for line in self.text[line_end..].split_inclusive('\n') {
            end += line.len();
            if line.trim_end_matches(['\n', '\r']) == "\\." {
                break;
            }
        }
        if end > line_end {
            self.push(TokenKind::CopyData, line_end, end);
        }
        self.copy = CopyState::StatementStart;
        end
    }
}

/// `\restrict` or `\unrestrict` and the token that psql asks for, which is random
/// (<https://www.postgresql.org/docs/current/app-psql.html>).
fn is_restrict(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let command = words.next().is_some_and(|word| matches!(word, "\\restrict" | "\\unrestrict"));
    let token =
        words.next().is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    command && token && words.next().is_none()
}

/// The end of the string that begins with the quote at `start`, where
/// backslashes escape; `None` when it has none.
fn escape_string_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn kind_of(raw: Raw, text: &str) -> (TokenKind, Option<&'static str>) {
    let ended = |terminated: bool, what| if terminated { None } else { Some(what) };
    match raw {
        Raw::Literal { kind } => literal(kind),
        Raw::QuotedIdent { terminated, .. } => {
            (TokenKind::QuotedWord, ended(terminated, "quoted identifier"))
        }
        Raw::BlockComment { terminated } => {
            (TokenKind::BlockComment, ended(terminated, "block comment"))
        }
        raw => (simple(raw, text), None),
    }
}

fn literal(kind: LiteralKind) -> (TokenKind, Option<&'static str>) {
    let ended = |terminated: bool, what| if terminated { None } else { Some(what) };
    match kind {
        LiteralKind::Int { .. } | LiteralKind::Numeric { .. } => (TokenKind::Number, None),
        LiteralKind::Str { terminated } => (TokenKind::Str, ended(terminated, "string")),
        LiteralKind::EscStr { terminated } => (TokenKind::EscapeStr, ended(terminated, "string")),
        LiteralKind::DollarQuotedString { terminated } => {
            (TokenKind::DollarStr, ended(terminated, "dollar-quoted string"))
        }
        LiteralKind::NationalStr { terminated }
        | LiteralKind::ByteStr { terminated }
        | LiteralKind::BitStr { terminated }
        | LiteralKind::UnicodeEscStr { terminated } => {
            (TokenKind::OtherStr, ended(terminated, "string"))
        }
    }
}

fn simple(raw: Raw, text: &str) -> TokenKind {
    match raw {
        Raw::Ident => TokenKind::Word,
        Raw::Whitespace => TokenKind::Blank,
        Raw::LineComment => TokenKind::LineComment,
        Raw::PositionalParam { .. } => TokenKind::Parameter,
        Raw::Semi => TokenKind::Semicolon,
        Raw::Comma => TokenKind::Comma,
        Raw::Dot | Raw::DotDot => TokenKind::Dot,
        Raw::OpenParen | Raw::OpenBracket | Raw::OpenCurly => TokenKind::Open,
        Raw::CloseParen | Raw::CloseBracket | Raw::CloseCurly => TokenKind::Close,
        Raw::Unknown if text == "\\" => TokenKind::Backslash,
        Raw::Unknown | Raw::Eof => TokenKind::Unknown,
        _ => TokenKind::Operator,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(TokenKind, &str)> {
        let significant = |token: &&Token| token.kind != TokenKind::Blank;
        let lexed = lex(text);
        lexed.tokens.iter().filter(significant).map(|t| (t.kind, t.text(text))).collect()
    }

    #[test]
    fn an_escape_string_goes_on_over_a_line_break_with_its_backslashes() {
        let text = "select E'a' -- remark\n'b\\'c', 'd'";
        let kinds: Vec<_> =
            shown(text).into_iter().filter(|(kind, _)| *kind != TokenKind::LineComment).collect();
        assert_eq!(
            kinds,
            [
                (TokenKind::Word, "select"),
                (TokenKind::EscapeStr, "E'a'"),
                (TokenKind::EscapeStr, "'b\\'c'"),
                (TokenKind::Comma, ","),
                (TokenKind::Str, "'d'"),
            ]
        );
        assert_eq!(lex(text).unterminated, None);
    }

    #[test]
    fn what_has_no_end_is_named_with_its_beginning() {
        let cases = [
            ("select 'abc", "string", 7),
            ("select E'a\\'", "string", 7),
            ("select E'a'\n'b\\'", "string", 12),
            ("select $f$ it's", "dollar-quoted string", 7),
            ("/* /* */", "block comment", 0),
            ("select \"a", "quoted identifier", 7),
        ];
        for (text, what, start) in cases {
            assert_eq!(lex(text).unterminated, Some(Unterminated { what, start }), "{text}");
        }
    }

    #[test]
    fn a_psql_command_takes_its_line() {
        let text = "\\ir it's.sql\nselect 1 \\gexec";
        assert_eq!(
            shown(text),
            [
                (TokenKind::Backslash, "\\ir it's.sql"),
                (TokenKind::Word, "select"),
                (TokenKind::Number, "1"),
                (TokenKind::Backslash, "\\gexec"),
            ]
        );
        assert_eq!(lex(text).unterminated, None);
    }

    #[test]
    fn the_lines_that_restrict_psql_are_insignificant_between_statements() {
        let cases = [
            (
                "\\restrict aB3\nselect 1;\n\n\\unrestrict aB3\n",
                [TokenKind::Restrict; 2].as_slice(),
            ),
            ("copy t from stdin;\n1\n\\.\n\\restrict x", &[TokenKind::Restrict]),
            ("select 1\n\\restrict x\n;", &[TokenKind::Backslash]),
            ("\\restrict", &[TokenKind::Backslash]),
            ("\\restrict a b", &[TokenKind::Backslash]),
            ("\\restricted a", &[TokenKind::Backslash]),
        ];
        for (text, expected) in cases {
            let lines = shown(text).into_iter().map(|(kind, _)| kind);
            let commands = [TokenKind::Restrict, TokenKind::Backslash];
            let found: Vec<_> = lines.filter(|kind| commands.contains(kind)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn copy_data_is_one_token() {
        let text = "copy t (a) from stdin with (format csv);\nit's;\n\\.\nselect 1;";
        let kinds = shown(text);
        assert!(kinds.contains(&(TokenKind::CopyData, "it's;\n\\.\n")), "{kinds:?}");
        assert_eq!(lex(text).unterminated, None);
        let select = "copy (select 'stdin' from t) to '/x'; select 1";
        assert!(shown(select).iter().all(|(kind, _)| *kind != TokenKind::CopyData));
    }
}
