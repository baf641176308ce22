//! `hookyard backup`: a file that holds everything a running server holds, whole or not there.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use hookyard::backup::{self, Summary};
use serde_json::json;

use super::client::{Client, Connection, Query};
use super::output::{Output, note};
use super::whole_file::WholeFile;
use super::{Failure, progress};

/// Back up a running server to a file; needs an admin key
///
/// The server goes on meanwhile. The file holds everything that was acknowledged before the backup began, is checked as it
/// arrives, and is there only once it is whole. It holds the hooks' secrets, sealed if they are
/// sealed in the store: keep it as you keep the data directory.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Backup {
    /// Where to write it; - is the standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    connection: Connection,
}

const EXAMPLES: &str = "\
Examples:
  hookyard backup hookyard.backup
  hookyard backup - | gzip > hookyard.backup.gz
  HOOKYARD_URL=https://hooks.example.com HOOKYARD_KEY=fp_… hookyard backup /backups/today.backup --force
  hookyard restore hookyard.backup --data-dir restored";

const PATH: &str = "/api/v1/backup";

/// Reads what it passes on.
struct Tee<R, W> {
    from: R,
    to: W,
    /// Why nothing can be passed on.
    refused: Option<io::Error>,
}

impl Backup {
    /// Makes the backup.
    ///
    /// # Errors
    /// When the server does not give it whole, or the file cannot be written; then there is none.
    pub fn run(self) -> Result<(), Failure> {
        let (client, mut output) = (self.connection.client()?, self.connection.output());
        if self.file == Path::new("-") {
            return to_stdout(&client);
        }
        let made = to_file(&client, &self.file, self.force)?;
        tell(&mut output, &self.file, &made)
    }
}

fn to_stdout(client: &Client) -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "a backup is nothing for a terminal: name a file, or pipe it on".to_owned(),
        ));
    }
    let mut stdout = io::stdout().lock();
    let made = receive(client, client.download(PATH, &Query::new())?, &mut stdout, "the output")?;
    stdout.flush()?;
    note(format_args!("{} rows, {} bytes, whole", made.rows, made.bytes));
    Ok(())
}

fn to_file(client: &Client, path: &Path, force: bool) -> Result<Summary, Failure> {
    let file = WholeFile::begin(path, force)?;
    let stream = client.download(PATH, &Query::new())?;
    let made = receive(client, stream, file.file(), &path.display().to_string())?;
    file.keep()?;
    Ok(made)
}

/// Passes the backup on and checks it meanwhile.
fn receive(client: &Client, from: impl Read, to: impl Write, name: &str) -> Result<Summary, Failure> {
    let bar = progress::of_flow("backing up");
    let mut tee = Tee { from: bar.wrap_read(from), to, refused: None };
    let received = backup::verify(&mut tee);
    bar.finish_and_clear();
    match (received, tee.refused) {
        (Ok(made), _) => Ok(made),
        (Err(_), Some(refused)) if refused.kind() == io::ErrorKind::BrokenPipe => Err(Failure::BrokenPipe),
        (Err(_), Some(refused)) => {
            Err(anyhow::Error::from(refused).context(format!("cannot write {name}")).into())
        }
        (Err(backup::Error::Io(error)), None) => {
            Err(Failure::Unreachable(format!("the connection to {} broke off: {error}", client.server())))
        }
        (Err(error), None) => {
            Err(anyhow::Error::from(error).context("the backup is not whole; try again").into())
        }
    }
}

fn tell(output: &mut Output, path: &Path, made: &Summary) -> Result<(), Failure> {
    let (rows, bytes, made_at) = (made.rows, made.bytes, made.header.made_at.to_string());
    match output.is_json() {
        true => output
            .line(json!({"file": path.to_string_lossy(), "rows": rows, "bytes": bytes, "made_at": made_at})),
        false => output.line(format_args!("{}: {rows} rows, {bytes} bytes, whole", path.display())),
    }
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(bytes)?;
        if let Err(error) = self.to.write_all(&bytes[..read]) {
            self.refused = Some(error);
            return Err(io::Error::other("it cannot be passed on"));
        }
        Ok(read)
    }
}
