//! Decides which text a database can send to the exporter, by the database's encoding.
//!
//! The exporter reads UTF-8. The server converts each text, and a text that cannot be converted fails the whole statement.
//! Such texts are bytes that are not UTF-8 in a database that checks nothing (`SQL_ASCII`), and undefined bytes of a
//! single-byte encoding.

/// Encoding of a database that does not check its texts, which can be any bytes.
const UNCHECKED: &str = "SQL_ASCII";

/// Pattern of UTF-8 as bytes, from table 3-7 of the Unicode standard.
const SENDABLE_BYTES: &str = r"^([\x01-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*$";

/// Pattern of text that can be sent, by encoding. Encodings with several bytes a character are missing, because no short
/// pattern describes them.
const PATTERNS: [(&str, &str); 14] = [
    (UNCHECKED, SENDABLE_BYTES),
    ("ISO_8859_6", r"^[^\xa1-\xa3\xa5-\xab\xae-\xba\xbc-\xbe\xc0\xdb-\xdf\xf3-\xff]*$"),
    ("ISO_8859_7", r"^[^\xae\xd2\xff]*$"),
    ("ISO_8859_8", r"^[^\xa1\xbf-\xde\xfb\xfc\xff]*$"),
    ("LATIN3", r"^[^\xa5\xae\xbe\xc3\xd0\xe3\xf0]*$"),
    ("WIN1250", r"^[^\x81\x83\x88\x90\x98]*$"),
    ("WIN1251", r"^[^\x98]*$"),
    ("WIN1252", r"^[^\x81\x8d\x8f\x90\x9d]*$"),
    ("WIN1253", r"^[^\x81\x88\x8a\x8c-\x90\x98\x9a\x9c-\x9f\xaa\xd2\xff]*$"),
    ("WIN1254", r"^[^\x81\x8d-\x90\x9d\x9e]*$"),
    ("WIN1255", r"^[^\x81\x8a\x8c-\x90\x9a\x9c-\x9f\xca\xd9-\xdf\xfb\xfc\xff]*$"),
    ("WIN1257", r"^[^\x81\x83\x88\x8a\x8c\x90\x98\x9a\x9c\x9f\xa1\xa5]*$"),
    ("WIN1258", r"^[^\x81\x8a\x8d-\x90\x9a\x9d\x9e]*$"),
    ("WIN874", r"^[^\x81-\x84\x86-\x90\x98-\x9f\xdb-\xde\xfc-\xff]*$"),
];

/// Returns the pattern of text that the server can send, for PostgreSQL's `~`. `None` if it can send any text.
pub(super) fn sendable_text(encoding: &str) -> Option<&'static str> {
    PATTERNS.iter().find(|(name, _)| *name == encoding).map(|(_, pattern)| *pattern)
}

/// Returns an SQL expression for the bytes of the expression `text`, which never fails. The bytes are UTF-8 with `?` for
/// characters that cannot be sent. If the database does not check texts, they are the unchanged bytes.
pub(super) fn sent(encoding: &str, text: &str) -> String {
    match sendable_text(encoding).and_then(|pattern| pattern.strip_prefix('^')?.strip_suffix("*$")) {
        _ if encoding == UNCHECKED => format!("convert_to({text}, '{UNCHECKED}')"),
        // The pattern is a negated class of characters. Without the negation it matches the others.
        Some(sendable) => {
            let others = sendable.replacen("[^", "[", 1);
            format!("convert_to(regexp_replace({text}, '{others}', '?', 'g'), 'UTF8')")
        }
        None => format!("convert_to({text}, 'UTF8')"),
    }
}
