//! Random files for `--config.file` and `--web.config.file`, most of them broken: each is understood or refused, soon, in
//! words that name the file and hold no secret of it. A failure tells the seed; `SEED=n` repeats it.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use marie_exporter::access::Access;
use marie_exporter::config::{self, ConfigError};
use rand::rngs::StdRng;
use rand::seq::{IndexedMutRandom, IndexedRandom};
use rand::{RngExt, SeedableRng};
use rcgen::{CertificateParams, KeyPair};

use crate::process::text;

/// A mutation may put a secret anywhere, but does not cut one to pieces: of a half nobody could tell what it was. So
/// these stand for them meanwhile.
const URL: u8 = 1;
const HASH: u8 = 2;
const KEY: u8 = 3;

const SETTINGS: [&str; 3] = [
    "# Marie in production\ndatabase-url: \x01\ncollector.interval: 30s\ncollector.load-budget: 2%\n\
     collector.storage: false\nqueues.limit: 50\nqueues.exclude: 'test_.*|\"x\"'\n\
     queues: {extract: {stuck_after: 20m}, 'two words': {stuck_after: 1h 30m}}\n",
    "database-url: \"\x01\"\nweb.listen-address:\n  - 127.0.0.1:10187\n  - '[::1]:10187'\nlog.level: debug\n\
     log.format: json\nevents.buckets.wait: 1s,10s,1m\nqueues:\n  extract:\n    stuck_after: 20m\n  12:\n\
     \x20   stuck_after: 5m\n",
    "%YAML 1.2\n---\n? database-url\n: >-\n  \x01\nstuck.after: &long 2h\nsla.due-soon: *long\nstate-file: |-\n  /tmp/state\n...\n",
];

const WEB: [&str; 3] = [
    "tls_server_config:\n  cert_file: server.crt\n  key: \"\x03\"\n  min_version: TLS13\nbasic_auth_users:\n  \
     prometheus: \x02\n  \"two words\": '\x02'\n",
    "http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n    X-XSS-Protection: 0\n    \
     Strict-Transport-Security: max-age=31536000; includeSubDomains\nbasic_auth_users: {prometheus: \x02, 12: \x02}\n",
    "tls_server_config: {cert_file: server.crt, key: \"\x03\", client_ca_file: server.crt, client_auth_type: \
     RequireAndVerifyClientCert}\nbasic_auth_users: &users\n  alice: &hash \x02\n  bob: *hash\n",
];

/// What means something in YAML, or is no text at all.
const FRAGMENTS: [&[u8]; 48] = [
    b"\n",
    b"\n\n",
    b": ",
    b":",
    b"- ",
    b" ",
    b"  ",
    b"\t",
    b"&a ",
    b"*a",
    b"*long",
    b"<<: *hash",
    b"|\n",
    b">-\n",
    b"? ",
    b"!",
    b"!!int ",
    b"!!binary ",
    b"!!set ",
    b"!<tag:x> ",
    b"%YAML 9.9\n",
    b"---\n",
    b"...\n",
    b" #",
    b"'",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\0",
    b"\r",
    b"\x1b[31m",
    b"\x7f",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xed\xa0\x80",
    b"null",
    b"~",
    b".nan",
    b"-.inf",
    b"0x1F",
    b"1e999",
    b"99999999999999999999",
    b"\xf0\x9f\x99\x82",
];

struct Secrets {
    url: String,
    hash: String,
    key: String,
    /// By which they would be recognised.
    parts: Vec<String>,
}

impl Secrets {
    fn new(key: &KeyPair) -> Self {
        let (password, salt) = ("hunter2hunter2", "bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe");
        let pem = key.serialize_pem();
        let mut parts = vec![password.to_owned(), salt[..20].to_owned(), salt[20..].to_owned()];
        parts.extend(pem.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
        Secrets {
            url: format!("postgres://marie:{password}@127.0.0.1:5432/marie"),
            hash: format!("$2y$04${salt}"),
            key: pem.replace('\n', "\\n"),
            parts,
        }
    }

    fn put_into(&self, document: &[u8]) -> Vec<u8> {
        let put = |byte: &u8| match *byte {
            URL => self.url.clone().into_bytes(),
            HASH => self.hash.clone().into_bytes(),
            KEY => self.key.clone().into_bytes(),
            byte => vec![byte],
        };
        document.iter().flat_map(put).collect()
    }
}

/// Does some of what editors, templates, merges and half-written disks do to a file.
fn mutate(document: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..5) {
        if document.is_empty() {
            document.push(b'\n');
        }
        let place = random.random_range(0..document.len());
        let mut insert = |what: &[u8]| document.splice(place..place, what.iter().copied()).for_each(drop);
        match random.random_range(0..14) {
            0 => document[place] = random.random_range(4..=255),
            1..=3 => insert(FRAGMENTS.choose(random).unwrap()),
            4 => document.drain(place..document.len().min(place + 8)).for_each(drop),
            5 => document.truncate(place),
            6 => {
                let part = document[place..document.len().min(place + 200)].to_vec();
                let again = part.repeat(random.random_range(1..40));
                document.splice(place..place, again).for_each(drop);
            }
            7 => lines(document, |lines| {
                // A key a second time, or a line elsewhere.
                let line = lines.choose(random).cloned().unwrap_or_default();
                lines.insert(random.random_range(0..=lines.len()), line);
            }),
            8 => lines(document, |lines| drop(lines.remove(random.random_range(0..lines.len())))),
            9 => lines(document, |lines| {
                let line = random.random_range(0..lines.len());
                let depth = random.random_range(0..6);
                lines[line] = [vec![b' '; depth], lines[line].trim_ascii_start().to_vec()].concat();
            }),
            10 => {
                let open = FRAGMENTS[26..30].choose(random).unwrap();
                insert(&open.repeat(random.random_range(1..2000)));
            }
            11 => insert(&vec![b'x'; random.random_range(0..100_000)]),
            // A secret in the place of a word, or in the midst of one.
            12 => {
                let end = document[place..].iter().position(|byte| b" \n:,}]'\"".contains(byte));
                let end = if random.random() { place + end.unwrap_or(0) } else { place };
                let start = document[..place].iter().rposition(|byte| b" \n:,{['\"".contains(byte));
                let start = if random.random() { start.map_or(0, |before| before + 1) } else { place };
                document.splice(start..end, [*[URL, HASH, KEY].choose(random).unwrap()]).for_each(drop);
            }
            // What was a value becomes another one's type.
            _ => {
                let values = [
                    " []",
                    " {}",
                    " [a, [b]]",
                    " {a: b}",
                    "",
                    " ''",
                    " true",
                    " 0o7",
                    " 2001-01-01",
                    " !!str",
                ];
                let value = values.choose(random).unwrap();
                lines(document, |lines| {
                    let line = lines.choose_mut(random);
                    if let Some((line, colon)) = line.and_then(|line| {
                        let colon = line.iter().position(|byte| *byte == b':')?;
                        Some((line, colon))
                    }) {
                        line.truncate(colon + 1);
                        line.extend(value.as_bytes());
                    }
                });
            }
        }
    }
}

fn lines(document: &mut Vec<u8>, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut lines: Vec<Vec<u8>> = document.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    change(&mut lines);
    *document = lines.join(&b'\n');
}

/// Printed where the test fails while it is there.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the file: {:?}", String::from_utf8_lossy(self.0));
        }
    }
}

/// How long a test goes on, and what one file may take in an unoptimized program.
const TIME: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(5);

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

    /// Has `judge` look at these documents as they are, then at broken ones while there is time. It says what it says
    /// of a file, and what of that is an error that is to name it.
    fn go_through(&mut self, documents: &[&str], judge: impl Fn(&Path) -> Result<String, (String, bool)>) {
        let path = self.folder.path().join("given.yml");
        let began = Instant::now();
        let (mut understood, mut refused, mut with_line) = (0, 0, 0);
        // So many at least, and more while there is time.
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
            let asked = Instant::now();
            let judged = judge(&path);
            assert!(asked.elapsed() < PATIENCE, "it took {:?}", asked.elapsed());
            if round < documents.len() {
                assert!(judged.is_ok(), "{judged:?}");
            }
            let told = match judged {
                Ok(told) => {
                    understood += 1;
                    told
                }
                Err((told, is_of_file)) => {
                    refused += 1;
                    let place = told.split_once(&path.display().to_string());
                    assert!(place.is_some() || !is_of_file, "the file is not named: {told}");
                    if let Some(line) = place.and_then(|(_, rest)| rest.strip_prefix(", line ")) {
                        with_line += 1;
                        let digits = line.find(|character: char| !character.is_ascii_digit()).unwrap();
                        let line: usize = line[..digits].parse().unwrap();
                        let lines = String::from_utf8_lossy(&document).lines().count();
                        assert!((1..=lines + 1).contains(&line), "line {line} of {lines}: {told}");
                    }
                    told
                }
            };
            let leak = self.secrets.parts.iter().find(|part| told.contains(*part));
            assert!(leak.is_none(), "{leak:?} is told: {told}");
        }
        eprintln!("{understood} understood, {refused} refused, {with_line} of them with a line");
        assert!(understood > 20 && refused > 200 && with_line > refused / 2);
    }
}

#[test]
fn whatever_is_in_the_configuration_file_it_is_understood_or_refused_in_good_words() {
    Files::new().go_through(&SETTINGS, |path| {
        let arguments =
            [OsString::from("marie-exporter"), "serve".into(), "--config.file".into(), path.into()];
        match config::parse(arguments, |_| None, &[("storage", "Table sizes")]) {
            Ok(_) => Ok(String::new()),
            // To have no URL is not the fault of a place in the file.
            Err(error) => Err((format!("{error} {error:?}"), !matches!(error, ConfigError::NoDatabaseUrl))),
        }
    });
}

#[test]
fn whatever_is_in_the_web_configuration_it_is_understood_or_refused_in_good_words() {
    Files::new().go_through(&WEB, |path| match Access::load(Some(path)) {
        Ok(_) => Ok(String::new()),
        Err(error) => Err((format!("{error} {error:?}"), true)),
    });
}

/// What the largest file that is read can hold of it.
fn as_much_as_fits(part: &str) -> String {
    part.repeat((1 << 20) / part.len())
}

/// Files made to cost much: in nesting, in aliases of aliases, in keys, in one word.
fn bombs() -> Vec<(&'static str, String)> {
    let tenfold = |first: &str, more: &str, end: &str| {
        (1..30).fold(format!("a0: &a0 {first}\n"), |text, n| {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            text + &format!("a{n}: &a{n} {more}[{aliases}]{end}\n")
        })
    };
    let numbered = |count: u32, line: &str| -> String {
        let lines: Vec<String> = (0..count).map(|number| line.replace('N', &number.to_string())).collect();
        lines.concat()
    };
    let stairs: Vec<String> = (0..1400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    vec![
        ("brackets", as_much_as_fits("[")),
        ("braces", as_much_as_fits("{a: ")),
        ("dashes", as_much_as_fits("- ")),
        ("questions", as_much_as_fits("? ")),
        ("tags", as_much_as_fits("!!x ")),
        ("stairs", stairs.concat()),
        ("just deep enough", format!("queues: {}x{}\n", "[".repeat(14), "]".repeat(14))),
        ("laughs", tenfold("[ha, ha]", "", "")),
        ("merges", tenfold("{k: v}", "{<<: ", "}")),
        ("itself", "a: &a [*a, *a]\n".to_owned()),
        ("anchors", numbered(50_000, "kN: &aN v\n")),
        ("keys", numbered(90_000, "kN: v\n")),
        ("a word", format!("log.level: {}\n", "x".repeat(1_000_000))),
        ("a key", format!("{}: x\n", "x".repeat(1_000_000))),
        ("a key twice", format!("{0}: x\n{0}: x\n", "x".repeat(500_000))),
        ("a quotation", format!("log.level: \"{}", "x\n".repeat(500_000))),
        ("documents", as_much_as_fits("---\n")),
        ("zeros", as_much_as_fits("\0")),
        ("a log", "time=now level=info message\n".repeat(2_000_000)),
    ]
}

#[test]
fn a_file_that_is_made_to_cost_much_costs_little() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bomb.yml");
    let nowhere = "--database-url=postgres://nobody@127.0.0.1:1/none";
    for (name, document) in bombs() {
        fs::write(&file, document).unwrap();
        for flags in [&["--config.file"][..], &[nowhere, "--web.config.file"]] {
            let mut shell = Command::new("/bin/sh");
            // In kilobytes, the program and its libraries included.
            shell.env_clear().args(["-c", "ulimit -v 300000; exec \"$0\" check \"$@\""]);
            shell.arg(env!("CARGO_BIN_EXE_marie-exporter")).args(flags).arg(&file);
            let began = Instant::now();
            let output = shell.output().unwrap();
            let took = began.elapsed();
            let errors = text(&output.stderr);
            let told: String = errors.chars().take(500).collect();
            assert!(matches!(output.status.code(), Some(1 | 2)), "{name}: {:?}: {told}", output.status);
            assert!(errors.starts_with("error: ") && errors.contains("bomb.yml"), "{name}: {told}");
            assert!(errors.len() < 1000, "{name}: {} bytes: {told}", errors.len());
            assert!(took < Duration::from_secs(20), "{name}: {took:?}");
            eprintln!("{name}: {took:?}: {told}");
        }
    }
}
