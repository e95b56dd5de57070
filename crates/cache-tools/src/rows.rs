//! Reads a file of inputs on its own thread, and hands out batches of valid ones.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use model_package::{Input, InvalidInput, Signature};
use tokio::sync::mpsc;

use super::{Model, ToolError, cells::Columns};

#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) inputs: Vec<Input>,
    /// The line of each input.
    pub(crate) lines: Vec<u64>,
    /// A message for each invalid row.
    pub(crate) problems: Vec<String>,
    /// The number of rows, valid or not.
    pub(crate) rows: u64,
    /// The line where the next batch begins.
    pub(crate) next_line: u64,
    /// The number of bytes read from the file so far.
    pub(crate) bytes_read: u64,
}

/// The receiving end of the reader thread.
pub(crate) struct Rows {
    batches: mpsc::Receiver<Result<Batch, ToolError>>,
    /// The size in bytes, if the source is a regular file.
    pub(crate) size: Option<u64>,
}

impl Rows {
    /// Starts the reader thread.
    pub(crate) fn open(file: &str, from_line: u64, batch: usize, model: Arc<dyn Model>) -> Result<Self, ToolError> {
        let unreadable = |error: io::Error| ToolError::File { file: file.to_owned(), problem: error.to_string() };
        let (source, size): (Box<dyn Read + Send>, _) = if file == "-" {
            (Box::new(io::stdin()), None)
        } else {
            let opened = File::open(file).map_err(unreadable)?;
            let metadata = opened.metadata().map_err(unreadable)?;
            (Box::new(opened), metadata.is_file().then_some(metadata.len()))
        };
        let (sender, batches) = mpsc::channel(1);
        let file = file.to_owned();
        // Reading can block for as long as a pipe stays empty; the thread ends with the process.
        thread::spawn(move || {
            let mut reader = Reader { model: model.signature(), sender, batch, from_line, pending: Batch::default() };
            if let Err(problem) = reader.read(source) {
                let _ = reader.sender.blocking_send(Err(ToolError::File { file, problem }));
            }
        });
        Ok(Self { batches, size })
    }

    pub(crate) async fn next(&mut self) -> Option<Result<Batch, ToolError>> {
        self.batches.recv().await
    }
}

struct Reader<'a> {
    model: &'a Signature,
    sender: mpsc::Sender<Result<Batch, ToolError>>,
    batch: usize,
    from_line: u64,
    pending: Batch,
}

/// The receiver was dropped, so reading can stop.
struct ReceiverClosed;

impl Reader<'_> {
    fn read(&mut self, source: impl Read) -> Result<(), String> {
        let counter = Arc::new(AtomicU64::new(0));
        let mut source = BufReader::new(CountingReader { source, count: Arc::clone(&counter) });
        skip_byte_order_mark(&mut source).map_err(|error| error.to_string())?;
        let first = source.fill_buf().map_err(|error| error.to_string())?;
        // A JSON line begins with `{`; no field name in a CSV header does.
        let is_json = first.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let ended = if is_json { self.read_json_lines(source, &counter)? } else { self.read_csv(source, &counter)? };
        if ended.is_ok() && self.pending.rows > 0 {
            let last = std::mem::take(&mut self.pending);
            let _ = self.sender.blocking_send(Ok(last));
        }
        Ok(())
    }

    fn read_json_lines(
        &mut self,
        mut source: impl BufRead,
        read: &AtomicU64,
    ) -> Result<Result<(), ReceiverClosed>, String> {
        let mut text = Vec::new();
        for line in 1_u64.. {
            text.clear();
            if source.read_until(b'\n', &mut text).map_err(|error| error.to_string())? == 0 {
                break;
            }
            if line >= self.from_line && !text.trim_ascii().is_empty() && self.add(line, line + 1, &text, read).is_err()
            {
                return Ok(Err(ReceiverClosed));
            }
        }
        Ok(Ok(()))
    }

    fn read_csv(&mut self, source: impl BufRead, read: &AtomicU64) -> Result<Result<(), ReceiverClosed>, String> {
        let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(source);
        let header = csv.headers().map_err(|error| csv_problem(&error))?;
        let columns = Columns::new(self.model, header.iter())?;
        let mut record = csv::StringRecord::new();
        loop {
            let line = csv.position().line();
            let outcome = match csv.read_record(&mut record) {
                Ok(false) => return Ok(Ok(())),
                Ok(true) => {
                    let line = record.position().map_or(line, csv::Position::line);
                    if line < self.from_line {
                        continue;
                    }
                    let next = csv.position().line();
                    if record.len() == columns.len() {
                        self.add(line, next, columns.to_json(record.iter()).as_bytes(), read)
                    } else {
                        let problem = format!("has {} cells, expected {}", record.len(), columns.len());
                        self.add_problem(line, next, &problem, read)
                    }
                }
                Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                    if line < self.from_line {
                        continue;
                    }
                    self.add_problem(line, csv.position().line(), "is not UTF-8", read)
                }
                Err(error) => return Err(csv_problem(&error)),
            };
            if outcome.is_err() {
                return Ok(Err(ReceiverClosed));
            }
        }
    }

    fn add(&mut self, line: u64, next_line: u64, json: &[u8], read: &AtomicU64) -> Result<(), ReceiverClosed> {
        match self.model.read(json) {
            Ok(input) => {
                self.pending.inputs.push(input);
                self.pending.lines.push(line);
                self.added(next_line, read)
            }
            Err(invalid) => self.add_problem(line, next_line, &problem(&invalid), read),
        }
    }

    fn add_problem(
        &mut self,
        line: u64,
        next_line: u64,
        problem: &str,
        read: &AtomicU64,
    ) -> Result<(), ReceiverClosed> {
        self.pending.problems.push(format!("line {line}: {problem}"));
        self.added(next_line, read)
    }

    fn added(&mut self, next_line: u64, read: &AtomicU64) -> Result<(), ReceiverClosed> {
        self.pending.rows += 1;
        self.pending.next_line = next_line;
        self.pending.bytes_read = read.load(Ordering::Relaxed);
        if (self.pending.rows as usize) < self.batch {
            return Ok(());
        }
        self.sender.blocking_send(Ok(std::mem::take(&mut self.pending))).map_err(|_| ReceiverClosed)
    }
}

/// Describes an invalid row by its fields, never by their values, which may be personal data.
fn problem(invalid: &InvalidInput) -> String {
    match invalid {
        // The library's message would count lines within the row, not within the file.
        InvalidInput::Syntax(error) => format!("is not valid JSON at column {}", error.column()),
        InvalidInput::NotAnObject(_)
        | InvalidInput::Empty
        | InvalidInput::Fields { .. }
        | InvalidInput::NoInputs
        | InvalidInput::TooManyInputs
        | InvalidInput::Items { .. } => invalid.to_string(),
    }
}

/// Describes an unreadable file without quoting it.
fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        csv::ErrorKind::Utf8 { .. } => "the first line is not UTF-8".to_owned(),
        _ => "is not valid CSV".to_owned(),
    }
}

fn skip_byte_order_mark(source: &mut impl BufRead) -> io::Result<()> {
    let mark = "\u{feff}".as_bytes();
    if source.fill_buf()?.starts_with(mark) {
        source.consume(mark.len());
    }
    Ok(())
}

/// Counts the bytes read.
struct CountingReader<R> {
    source: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
