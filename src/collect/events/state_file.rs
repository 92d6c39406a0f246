//! The state file: saves position and totals, so that counting continues after a restart. It is replaced at each run,
//! before the run's samples are published. An unusable file is renamed and kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::bounds::Bounds;
use super::identity::Identity;
use super::observed::TABLES;
use super::position::Position;
use super::presence::Presence;
use super::recent_finishes::RecentFinishes;
use super::state::State;
use super::totals::{Saved, Totals};
use super::watermark::Watermark;

/// Format of the file. Increase it if an older release would misread the new contents.
/// Format 1 has no watermarks, recent finishes and presence.
const FORMAT: u32 = 2;

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    format: u32,
    #[serde(flatten)]
    identity: Identity,
    timeline: i64,
    files: [i64; TABLES],
    are_written: [bool; TABLES],
    position: Position,
    watermarks: Option<[Watermark; TABLES]>,
    #[serde(default)]
    recent: RecentFinishes,
    #[serde(default)]
    presence: Presence,
    bounds: Bounds,
    totals: Vec<Saved>,
}

#[derive(Debug, Deserialize)]
struct Format {
    format: u32,
}

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    #[error("it was written by a newer release (format {0}, this one knows {FORMAT})")]
    Newer(u32),
}

/// Error of reading or writing the state file.
#[derive(Debug, thiserror::Error)]
#[error("the state file {path:?} cannot be {verb}: {reason}")]
pub struct StateFileError {
    path: PathBuf,
    verb: &'static str,
    reason: io::Error,
}

/// Loads the state. `None` if no file exists, or if it is unusable and was set aside.
///
/// # Errors
/// If the file exists but cannot be read, or if its folder is not writable.
pub(super) fn load(path: &Path, bounds: &Bounds) -> Result<Option<State>, StateFileError> {
    let failed = |verb| move |reason| StateFileError { path: path.to_owned(), verb, reason };
    let text = match read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Report an unwritable folder at the start, not after the first run.
            let probe = temporary(path);
            create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(failed("written"))?;
            return Ok(None);
        }
        Err(error) => return Err(failed("read")(error)),
    };
    match parse(&text) {
        Ok(contents) => Ok(Some(State {
            identity: contents.identity,
            timeline: contents.timeline,
            files: contents.files,
            are_written: contents.are_written,
            watermarks: contents
                .watermarks
                .unwrap_or_else(|| [Watermark::up_to(contents.position.last_run()); TABLES]),
            position: contents.position,
            recent: contents.recent,
            presence: contents.presence,
            totals: Totals::load(contents.totals, &contents.bounds, bounds),
        })),
        Err(unusable) => {
            set_aside(path, &unusable.to_string());
            Ok(None)
        }
    }
}

fn parse(text: &[u8]) -> Result<Contents, Unusable> {
    let Format { format } = serde_json::from_slice(text)?;
    if format > FORMAT {
        return Err(Unusable::Newer(format));
    }
    Ok(serde_json::from_slice(text)?)
}

/// Replaces the file with the state.
///
/// # Errors
/// If the disk is full or the folder is gone, for example. The file is then unchanged.
pub(super) async fn save(path: &Path, state: &State, bounds: &Bounds) -> Result<(), StateFileError> {
    let contents = Contents {
        format: FORMAT,
        identity: state.identity.clone(),
        timeline: state.timeline,
        files: state.files,
        are_written: state.are_written,
        position: state.position.clone(),
        watermarks: Some(state.watermarks),
        recent: state.recent.clone(),
        presence: state.presence.clone(),
        bounds: bounds.clone(),
        totals: state.totals.save(),
    };
    let text = serde_json::to_vec(&contents).map_err(io::Error::from);
    // A disk that hangs must not block a thread that serves scrapes.
    let place = path.to_owned();
    let written = tokio::task::spawn_blocking(move || replace(&place, &text?)).await;
    written.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|reason| StateFileError {
        path: path.to_owned(),
        verb: "written",
        reason,
    })
}

/// Replaces the file atomically: a reader finds the old or the new text, also after a power failure.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // The write of a cancelled run may still be in progress.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let temporary = temporary(path);
    let mut file = create(&temporary)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Reads the file. Fails if it is a symbolic link or no regular file.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A FIFO would block the open.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| {
        let is_link = error.raw_os_error() == Some(libc::ELOOP);
        if is_link { io::Error::other("it is a symbolic link") } else { error }
    })?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Creates a file that only its owner may read. Removes an existing file or link of this name.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Returns the path of the temporary file that replaces the state file.
fn temporary(path: &Path) -> PathBuf {
    let mut temporary = path.as_os_str().to_owned();
    // The name contains the process id, because two processes may overlap during an upgrade.
    temporary.push(format!(".new-{}", std::process::id()));
    temporary.into()
}

/// Renames an unusable file and logs why.
pub(super) fn set_aside(path: &Path, why: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".unused-{}", now.as_millis()));
    let aside = PathBuf::from(aside);
    match fs::rename(path, &aside) {
        Ok(()) => {
            warn!(file = %path.display(), why, kept = %aside.display(), "the state file is not used; counting starts from zero");
        }
        Err(error) => {
            warn!(file = %path.display(), why, %error, "the state file is not used and will be replaced; counting starts from zero");
        }
    }
}
