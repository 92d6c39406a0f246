//! Configuration files that contain secrets, and random mutations of them.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedMutRandom, IndexedRandom};
use rcgen::KeyPair;

/// Placeholders of the secrets while a file is mutated.
///
/// Because part of a secret cannot be recognised in a message, a mutation may move a secret but not cut it.
const URL: u8 = 1;
const HASH: u8 = 2;
const KEY: u8 = 3;

pub(super) const SETTINGS: [&str; 3] = [
    "# Marie in production\ndatabase-url: \x01\ncollector.interval: 30s\ncollector.load-budget: 2%\n\
     collector.storage: false\nqueues.limit: 50\nqueues.exclude: 'test_.*|\"x\"'\n\
     queues: {extract: {stuck_after: 20m}, 'two words': {stuck_after: 1h 30m}}\n",
    "database-url: \"\x01\"\nweb.listen-address:\n  - 127.0.0.1:10187\n  - '[::1]:10187'\nlog.level: debug\n\
     log.format: json\nevents.buckets.wait: 1s,10s,1m\nqueues:\n  extract:\n    stuck_after: 20m\n  12:\n\
     \x20   stuck_after: 5m\n",
    "%YAML 1.2\n---\n? database-url\n: >-\n  \x01\nstuck.after: &long 2h\nsla.due-soon: *long\nstate-file: |-\n  /tmp/state\n...\n",
];

pub(super) const WEB: [&str; 3] = [
    "tls_server_config:\n  cert_file: server.crt\n  key: \"\x03\"\n  min_version: TLS13\nbasic_auth_users:\n  \
     prometheus: \x02\n  \"two words\": '\x02'\n",
    "http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n    X-XSS-Protection: 0\n    \
     Strict-Transport-Security: max-age=31536000; includeSubDomains\nbasic_auth_users: {prometheus: \x02, 12: \x02}\n",
    "tls_server_config: {cert_file: server.crt, key: \"\x03\", client_ca_file: server.crt, client_auth_type: \
     RequireAndVerifyClientCert}\nbasic_auth_users: &users\n  alice: &hash \x02\n  bob: *hash\n",
];

/// Characters with a meaning in YAML, and unusual ones.
const FRAGMENTS: [&str; 46] = [
    "\n",
    "\n\n",
    ": ",
    ":",
    "- ",
    " ",
    "  ",
    "\t",
    "&a ",
    "*a",
    "*long",
    "<<: *hash",
    "|\n",
    ">-\n",
    "? ",
    "!",
    "!!int ",
    "!!binary ",
    "!!set ",
    "!<tag:x> ",
    "%YAML 9.9\n",
    "---\n",
    "...\n",
    " #",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\0",
    "\r",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "null",
    "~",
    ".nan",
    "-.inf",
    "0x1F",
    "1e999",
    "99999999999999999999",
    "🙂",
];

/// Bytes that are not UTF-8: marks of other encodings, half of a pair, the beginning of a character.
const NO_TEXT: [&[u8]; 4] = [b"\xff\xfe", b"\xfe\xff", b"\xed\xa0\x80", b"\xf0\x9f"];

/// Values that replace the value of a key.
const VALUES: [&str; 10] =
    [" []", " {}", " [a, [b]]", " {a: b}", "", " ''", " true", " 0o7", " 2001-01-01", " !!str"];

pub(super) struct Secrets {
    url: String,
    hash: String,
    key: String,
    /// Parts by which the secrets are recognised in a message.
    pub(super) parts: Vec<String>,
}

impl Secrets {
    pub(super) fn new(key: &KeyPair) -> Self {
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

    /// Replaces the placeholders in a document with the secrets.
    pub(super) fn put_into(&self, document: &[u8]) -> Vec<u8> {
        let put = |byte: &u8| match *byte {
            URL => self.url.clone().into_bytes(),
            HASH => self.hash.clone().into_bytes(),
            KEY => self.key.clone().into_bytes(),
            byte => vec![byte],
        };
        document.iter().flat_map(put).collect()
    }
}

/// Changes a file as editors, templates, merges and full disks do.
pub(super) fn mutate(document: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..5) {
        if document.is_empty() {
            document.push(b'\n');
        }
        let place = random.random_range(0..document.len());
        let mut insert = |what: &[u8]| document.splice(place..place, what.iter().copied()).for_each(drop);
        match random.random_range(0..15) {
            0 => document[place] = random.random_range(4..=255),
            1..=3 => insert(FRAGMENTS.choose(random).unwrap().as_bytes()),
            13 => insert(NO_TEXT.choose(random).unwrap()),
            4 => document.drain(place..document.len().min(place + 8)).for_each(drop),
            5 => document.truncate(place),
            6 => {
                let part = document[place..document.len().min(place + 200)].to_vec();
                let again = part.repeat(random.random_range(1..40));
                document.splice(place..place, again).for_each(drop);
            }
            7 => lines(document, |lines| {
                // Repeats a line at another place.
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
                let open = ["[", "{", "- ", "{a: "].choose(random).unwrap();
                insert(open.repeat(random.random_range(1..2000)).as_bytes());
            }
            11 => insert(&vec![b'x'; random.random_range(0..100_000)]),
            // Replaces a word with a secret, or inserts a secret into one.
            12 => {
                let end = document[place..].iter().position(|byte| b" \n:,}]'\"".contains(byte));
                let end = if random.random() { place + end.unwrap_or(0) } else { place };
                let start = document[..place].iter().rposition(|byte| b" \n:,{['\"".contains(byte));
                let start = if random.random() { start.map_or(0, |before| before + 1) } else { place };
                document.splice(start..end, [*[URL, HASH, KEY].choose(random).unwrap()]).for_each(drop);
            }
            // Replaces a value with one of another type.
            _ => {
                let value = VALUES.choose(random).unwrap();
                lines(document, |lines| {
                    if let Some(line) = lines.choose_mut(random)
                        && let Some(colon) = line.iter().position(|byte| *byte == b':')
                    {
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
