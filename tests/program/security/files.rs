//! Random files for `--config.file` and `--web.config.file`, most of them broken. Each is accepted or refused quickly; the
//! message names the file and contains no secret of it. A failure prints the seed; `SEED=n` repeats it.

mod bombs;
mod broken;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use marie_exporter::cli;
use marie_exporter::config::ConfigError;
use marie_exporter::http::reload::Access;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rcgen::{CertificateParams, KeyPair};

use self::bombs::bombs;
use self::broken::{SETTINGS, Secrets, WEB, mutate};
use crate::support::process::text;

/// Prints the document if the test fails while this value exists.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the file: {:?}", String::from_utf8_lossy(self.0));
        }
    }
}

/// Duration of a test, and longest time for one file in an unoptimized program on a busy machine.
const TIME: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(20);

struct Files {
    random: StdRng,
    secrets: Secrets,
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(rand::random);
        eprintln!("SEED={seed}");
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let certificate =
            CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        fs::write(folder.path().join("server.crt"), certificate.pem()).unwrap();
        Files { random: StdRng::seed_from_u64(seed), secrets: Secrets::new(&key), folder }
    }

    /// Passes these documents to `read` unchanged, then broken ones until the time is up.
    fn check_all(&mut self, documents: &[&str], read: impl Fn(&Path) -> Result<(), String>) {
        let path = self.folder.path().join("given.yml");
        let began = Instant::now();
        let (mut understood, mut refused, mut with_line) = (0, 0, 0);
        // At least 1,000 rounds, and more until the time is up.
        for round in 0.. {
            if round > 1000 && began.elapsed() > TIME {
                break;
            }
            let given = documents.get(round).or(documents.choose(&mut self.random)).unwrap();
            let mut document = given.as_bytes().to_vec();
            if round >= documents.len() {
                mutate(&mut document, &mut self.random);
            }
            let document = self.secrets.put_into(&document);
            let _shown = Shown(&document);
            fs::write(&path, &document).unwrap();
            let start = Instant::now();
            let result = read(&path);
            assert!(start.elapsed() < PATIENCE, "reading took {:?}", start.elapsed());
            let Err(message) = result else {
                understood += 1;
                continue;
            };
            assert!(round >= documents.len(), "{message}");
            refused += 1;
            let leak = self.secrets.parts.iter().find(|part| message.contains(*part));
            assert!(leak.is_none(), "{leak:?} is in the message: {message}");
            let place = message.split_once(&path.display().to_string());
            let (_, place) = place.unwrap_or_else(|| panic!("the file is not named: {message}"));
            if let Some(line) = place.strip_prefix(", line ") {
                with_line += 1;
                let end = line.find(|character: char| !character.is_ascii_digit()).unwrap();
                let line: usize = line[..end].parse().unwrap();
                let text = String::from_utf8_lossy(&document);
                let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}']).count();
                assert!((1..=lines).contains(&line), "line {line} of {lines}: {message}");
            }
        }
        eprintln!("{understood} understood, {refused} refused, {with_line} of them with a line");
        assert!(understood > 20 && refused > 200 && with_line > refused / 2);
    }
}

#[test]
fn random_configuration_is_accepted_or_clearly_refused() {
    Files::new().check_all(&SETTINGS, |path| {
        let arguments =
            [OsString::from("marie-exporter"), "serve".into(), "--config.file".into(), path.into()];
        match cli::parse(arguments, |_| None, &[("storage", "Table sizes")]) {
            // The error about a missing database URL names no line of the file.
            Ok(_) | Err(ConfigError::NoDatabaseUrl) => Ok(()),
            Err(error) => Err(format!("{error} {error:?}")),
        }
    });
}

#[test]
fn random_web_configuration_is_accepted_or_clearly_refused() {
    Files::new().check_all(&WEB, |path| match Access::load(Some(path)) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{error} {error:?}")),
    });
}

#[test]
fn hostile_configuration_file_costs_little() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bomb.yml");
    let nowhere = "--database-url=postgres://marie@127.0.0.1:1/none";
    for (name, document) in bombs() {
        fs::write(&file, document).unwrap();
        for flags in [&["--config.file"][..], &[nowhere, "--web.config.file"]] {
            let mut shell = Command::new("/bin/sh");
            // ulimit -v: kilobytes, including the program and its libraries. ulimit -t: seconds of processor time.
            shell.env_clear().args(["-c", "ulimit -v 300000; ulimit -t 10; exec \"$0\" check \"$@\""]);
            shell.arg(env!("CARGO_BIN_EXE_marie-exporter")).args(flags).arg(&file);
            let output = shell.output().unwrap();
            let errors = text(&output.stderr);
            let message: String = errors.chars().take(500).collect();
            assert!(matches!(output.status.code(), Some(1 | 2)), "{name}: {:?}: {message}", output.status);
            assert!(errors.starts_with("error: ") && errors.contains("bomb.yml"), "{name}: {message}");
            assert!(errors.len() < 1000, "{name}: {} bytes: {message}", errors.len());
        }
    }
}
