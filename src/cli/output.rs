//! Where text goes: standard output and standard error, coloured when people read them.

use std::io::{self, IsTerminal, Write};

use clap::ColorChoice;

use super::args::Voice;
use crate::report::diff::Destination;
use crate::report::{Paint, printable};

/// How a worker is to render what it found out.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) paint: Paint,
    pub(super) destination: Destination,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
}

impl View {
    /// For work that renders nothing.
    pub(super) fn silent() -> Self {
        Self {
            paint: Paint::default(),
            destination: Destination::Program,
            quiet: true,
            verbose: false,
        }
    }
}

/// The two streams of the process.
pub(super) struct Output {
    out: io::BufWriter<io::Stdout>,
    view: View,
    error_paint: Paint,
    /// Whether standard output was closed by its reader: nothing more is printed there.
    closed: bool,
}

impl Output {
    /// The streams, dressed as `voice` and the environment (`NO_COLOR`, `TERM`) ask.
    pub(super) fn new(voice: &Voice) -> Self {
        let terminal = io::stdout().is_terminal();
        let choice = |auto: anstream::ColorChoice| match voice.color {
            ColorChoice::Auto => auto != anstream::ColorChoice::Never,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        Self {
            view: View {
                paint: Paint {
                    color: choice(anstream::AutoStream::choice(&io::stdout())),
                    width: terminal.then(terminal_width).flatten(),
                },
                destination: if terminal {
                    Destination::Terminal
                } else {
                    Destination::Program
                },
                quiet: voice.quiet,
                verbose: voice.verbose,
            },
            error_paint: Paint {
                color: choice(anstream::AutoStream::choice(&io::stderr())),
                width: None,
            },
            out: io::BufWriter::with_capacity(1 << 16, io::stdout()),
            closed: false,
        }
    }

    /// How workers render.
    pub(super) fn view(&self) -> View {
        self.view
    }

    /// Writes bytes to standard output.
    pub(super) fn print(&mut self, bytes: &[u8]) {
        if !self.closed && self.out.write_all(bytes).is_err() {
            self.closed = true;
        }
    }

    /// Writes out what is buffered.
    pub(super) fn flush(&mut self) {
        if !self.closed && self.out.flush().is_err() {
            self.closed = true;
        }
    }

    /// `error: …` on standard error.
    pub(super) fn error(&mut self, message: &str) {
        self.flush();
        self.on_stderr(
            anstyle::AnsiColor::Red.on_default().bold(),
            "error: ",
            message,
        );
    }

    /// A remark on standard error, unless the user wants quiet.
    pub(super) fn remark(&mut self, message: &str) {
        self.flush();
        if !self.view.quiet {
            self.on_stderr(anstyle::Style::new(), "", message);
        }
    }

    fn on_stderr(&self, style: anstyle::Style, label: &str, message: &str) {
        let mut text = String::new();
        for (at, line) in message.lines().enumerate() {
            match (at, self.error_paint.color) {
                (0, true) => text.push_str(&format!("{style}{label}{style:#}")),
                (0, false) => text.push_str(label),
                _ => text.push_str("  "),
            }
            text.push_str(&printable(line.as_bytes()));
            text.push('\n');
        }
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Columns of the terminal, where it has a sensible number of them.
fn terminal_width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size()?;
    (columns >= 40).then_some(usize::from(columns))
}
