//! The state file: position and totals, so that a restart goes on where the process stopped. It is written whole
//! after each poll, before anything of that poll is published; what cannot be used is kept aside.

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

/// Raised by one when an older release could misread what a newer one writes.
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

/// Why a state file is of no use.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    #[error("it was written by a newer release (format {0}, this one knows {FORMAT})")]
    Newer(u32),
}

/// The file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the state file {path:?} cannot be {verb}: {reason}")]
pub struct StateFileError {
    path: PathBuf,
    verb: &'static str,
    reason: io::Error,
}

/// What the file holds. Without a file there is nothing yet, and with an unusable one there is nothing any more:
/// it is kept aside.
///
/// # Errors
/// When the file is there and cannot be read, or its folder cannot be written to.
pub(super) fn load(path: &Path, bounds: &Bounds) -> Result<Option<State>, StateFileError> {
    let failed = |verb| move |reason| StateFileError { path: path.to_owned(), verb, reason };
    let text = match read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // That it cannot be made is better told now than after the first poll.
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
                .unwrap_or_else(|| [Watermark::up_to(contents.position.last_poll()); TABLES]),
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

/// # Errors
/// When the disk is full or the folder gone; the file is then as it was.
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
    // A disk that hangs must not hold a thread that answers scrapes.
    let place = path.to_owned();
    let written = tokio::task::spawn_blocking(move || replace(&place, &text?)).await;
    written.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|reason| StateFileError {
        path: path.to_owned(),
        verb: "written",
        reason,
    })
}

/// Replaces the file atomically: a reader finds the old text or the new one, also after a power failure.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // A write that was given up may still be under way.
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

/// Reads the file, unless a symbolic link or something else stands in its place.
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

/// Makes a new file that only its owner may read. What is there already, a link among others, is removed.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn temporary(path: &Path) -> PathBuf {
    let mut temporary = path.as_os_str().to_owned();
    // Of this process alone, for in an upgrade two may overlap.
    temporary.push(format!(".new-{}", std::process::id()));
    temporary.into()
}

/// Renames a file that is of no use, and says why.
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
