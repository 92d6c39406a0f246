//! Random connection strings, valid and invalid, in each place of the settings: no message contains a part of the password.
//! A failure prints the seed; `SEED=n` repeats it.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use marie_exporter::cli::{self, Command};
use marie_exporter::config::{Config, Server, Target};
use marie_exporter::postgres::Session;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::support::databases::SERVER;
use crate::support::process::{command, text};

/// Characters with a meaning in a URL, a query, YAML, a shell or a connection string, and some outside of ASCII.
const SPECIAL: [&str; 36] = [
    " ", "!", "\"", "#", "$", "%", "&", "'", "(", ")", "*", "+", ",", ".", "/", ":", ";", "<", "=", ">", "?",
    "@", "[", "\\", "]", "^", "`", "{", "|", "}", "~", "\t", "\n", "ä", "任", "🙂",
];

/// Characters that are chosen more often, because they separate the parts of a URL.
const RESERVED: [&str; 7] = ["@", "/", "?", "#", ":", "&", "%"];

/// `{p}` is the password as given, `{port}` a port, `{r}` the password fully percent-encoded. Only URLs with wrong syntax
/// contain `{r}`, because the end of a plain password is not defined in them.
const FORMS: [&str; 27] = [
    "postgres://marie:{p}@127.0.0.1:{port}/marie",
    "postgresql://marie:{p}@127.0.0.1:{port}/marie?sslmode=prefer",
    "postgres://:{p}@127.0.0.1:{port}/marie",
    "postgres://marie:{p}@[::1]:{port}/marie",
    "postgres://marie:{p}@127.0.0.1:{port}",
    "postgres://marie@127.0.0.1:{port}/marie?password={p}",
    "postgres://marie@127.0.0.1:{port}/marie?password={p}&sslmode=disable",
    "postgres:///marie?host=127.0.0.1&port={port}&user=marie&password={p}",
    "postgres://marie:{r}@127.0.0.1:{port}/marie?sslmode=nonsense",
    "postgres://marie:{r}@127.0.0.1:{port}/marie?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
    "postgres://marie:{r}@127.0.0.1:{port}/marie?connect_timeout=3",
    "postgres://marie:{p}@127.0.0.1:port/marie",
    "postgres://marie:{p}@127.0.0.1:99999/marie",
    "postgres://marie:{p}@127.0.0.1:{port},127.0.0.1:{port}/marie",
    "postgres://marie:{p}@/marie",
    "postgres://marie:{r}127.0.0.1/marie",
    "postgres:/marie:{p}@127.0.0.1/marie",
    "postgres//marie:{p}@127.0.0.1/marie",
    "mysql://marie:{p}@127.0.0.1/marie",
    "jdbc:postgresql://127.0.0.1/marie?user=marie&password={p}",
    "marie:{p}@127.0.0.1/marie",
    "host=127.0.0.1 user=marie password={p}",
    "host = '127.0.0.1' user = 'marie' password = '{p}'",
    "'postgres://marie:{p}@127.0.0.1:{port}/marie'",
    "  postgres://marie:{p}@127.0.0.1:{port}/marie \n",
    "psql postgres://marie:{p}@127.0.0.1:{port}/marie",
    "postgres://marie:{r}@127.0.0.1:{port}/marie/other",
];

/// A connection string, and the parts of its password that no output may contain.
struct Given {
    text: String,
    parts: Vec<String>,
}

impl Given {
    fn random(random: &mut StdRng) -> Self {
        let letters: Vec<char> = ('a'..='z').chain('0'..='9').collect();
        let letters_of = |random: &mut StdRng| -> String {
            (0..10).map(|_| letters.choose(random).copied().unwrap_or_default()).collect()
        };
        let parts: Vec<String> = (0..random.random_range(1..6)).map(|_| letters_of(random)).collect();
        let mut password = parts[0].clone();
        for part in &parts[1..] {
            for _ in 0..random.random_range(1..3) {
                let set = if random.random() { &SPECIAL[..] } else { &RESERVED[..] };
                password.push_str(set.choose(random).unwrap());
            }
            password.push_str(part);
        }
        let share = *[0.0, 0.0, 0.5, 1.0].choose(random).unwrap();
        let given = encoded(&password, share, random);
        let port = if random.random() { SERVER.port() } else { 1 };
        let text = FORMS.choose(random).unwrap().replace("{port}", &port.to_string());
        let text = text.replace("{p}", &given).replace("{r}", &encoded(&password, 1.0, random));
        Given { text, parts }
    }

    fn is_not_in(&self, what: &str, message: &str) {
        let leak = self.parts.iter().find(|part| message.contains(*part));
        assert!(leak.is_none(), "{what} contains {leak:?} of {:?}: {message}", self.text);
    }
}

/// Returns the password with this share of its special characters percent-encoded.
fn encoded(password: &str, share: f64, random: &mut StdRng) -> String {
    let encode = |character: char| {
        if character.is_ascii_alphanumeric() || !random.random_bool(share) {
            character.to_string()
        } else {
            let mut bytes = [0; 4];
            let bytes = character.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}"));
            bytes.collect::<Vec<_>>().concat()
        }
    };
    password.chars().map(encode).collect()
}

/// Returns the messages about the command line, the variables and the file, and the configuration if they are valid.
fn parse(arguments: &[&str], variables: &[(&str, &str)]) -> (String, Option<Config>) {
    let arguments = std::iter::once("marie-exporter").chain(arguments.iter().copied()).map(OsString::from);
    let variable = |name: &str| {
        let value = variables.iter().find(|(known, _)| *known == name);
        value.map(|(_, value)| OsString::from(value))
    };
    match cli::parse(arguments, variable, &[("stuck", "Jobs active for too long")]) {
        Ok(Command::Serve(config)) => (format!("{config:?}"), Some(config)),
        Ok(other) => (format!("{other:?}"), None),
        Err(error) => (format!("{error} {error:?}"), None),
    }
}

/// Passes the connection string in each place of the settings.
fn give(given: &Given, folder: &Path) {
    let text = given.text.as_str();
    let file = folder.join("given").display().to_string();
    fs::write(&file, text).unwrap();
    let yaml = |name: &str, content: String| {
        let path = folder.join(name).display().to_string();
        fs::write(&path, content).unwrap();
        path
    };
    let quoted = yaml("quoted.yml", format!("database-url: {text:?}\n"));
    let bare = yaml("bare.yml", format!("log.level: info\ndatabase-url: {text}\n"));
    let misplaced = yaml("misplaced.yml", format!("{text:?}: info\nlog.level: {text:?}\n"));
    let other = "postgres://127.0.0.1:1/d";
    for (arguments, variables) in [
        (&["serve", "--database-url", text][..], &[][..]),
        (&["serve"], &[("DATABASE_URL", text)]),
        (&["serve"], &[("MARIE_EXPORTER_DATABASE_URL", text)]),
        (&["serve", "--database-url-file", &file], &[]),
        (&["serve", "--config.file", &quoted], &[]),
        (&["serve", "--config.file", &bare], &[]),
        (&["serve", "--config.file", &misplaced], &[]),
        (&["serve", "--database-url-file", text], &[]),
        (&["serve", "--config.file", text], &[]),
        (&["serve", text], &[]),
        (&[text], &[]),
        (&["serve", "--database-url", other, "--log.level", text], &[]),
        (&["serve", "--database-url", other, "--stuck.after", text], &[]),
        (&["serve"], &[("DATABASE_URL", other), ("MARIE_EXPORTER_COLLECTOR_INTERVAL", text)]),
        (&["serve", "--help"], &[("DATABASE_URL", text)]),
    ] {
        let (message, _) = parse(arguments, variables);
        given.is_not_in(&format!("{arguments:?} with {variables:?}"), &message);
    }
}

/// Duration of a test.
const TIME: Duration = Duration::from_secs(3);

fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    eprintln!("SEED={seed}");
    seed
}

#[test]
fn password_given_in_any_place_is_redacted() {
    let mut random = StdRng::seed_from_u64(seed());
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let mut tried = 0;
    // A minimum number of rounds, and more until the time is up.
    while tried < 40 || began.elapsed() < TIME {
        give(&Given::random(&mut random), folder.path());
        tried += 1;
    }
    eprintln!("{tried} tried");
}

#[tokio::test]
async fn password_in_any_spelling_is_redacted() {
    let mut random = StdRng::seed_from_u64(seed());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    let (_, config) = parse(&["serve", "--database-url-file", &file.display().to_string()], &[]);
    let database = config.unwrap().database;
    let began = Instant::now();
    let (mut taken, mut refused) = (0, 0);
    while taken + refused < 1000 || began.elapsed() < TIME {
        let given = Given::random(&mut random);
        fs::write(&file, &given.text).unwrap();
        match database.connect_options() {
            Err(error) => {
                refused += 1;
                given.is_not_in("the refusal", &format!("{error} {error:?}"));
            }
            // Words that the driver and the server repeat.
            Ok(Target { servers, .. }) => {
                taken += 1;
                for Server { options, place, .. } in servers {
                    let name = options.get_database().unwrap_or_default();
                    let repeated = format!("{place} {} {name}", options.get_username());
                    given.is_not_in("host, user or database", &repeated);
                }
            }
        }
        if (taken + refused) % 50 == 0 {
            let mut session = Session::new(database.clone(), Duration::from_secs(5));
            if let Err(failure) = session.begin().await {
                given.is_not_in("the failure", &format!("{failure} {failure:?}"));
            }
            session.close().await;
        }
    }
    eprintln!("{taken} accepted, {refused} refused");
    assert!(taken > 100 && refused > 100, "{taken} accepted, {refused} refused");
}

#[test]
fn binary_prints_no_part_of_a_password() {
    let mut random = StdRng::seed_from_u64(seed());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    for _ in 0..20 {
        let given = Given::random(&mut random);
        fs::write(&file, &given.text).unwrap();
        for mut check in [
            command(&["check", "--log.level=trace", "--database-url", &given.text]),
            command(&["check", "--format=json", "--database-url-file", &file.display().to_string()]),
        ] {
            let output = check.output().unwrap();
            given.is_not_in("standard output", &text(&output.stdout));
            given.is_not_in("standard error", &text(&output.stderr));
        }
    }
}
