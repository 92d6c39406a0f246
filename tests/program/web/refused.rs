//! An invalid web configuration ends `serve` and `check` at the start.

use crate::support::process::{output, text};
use crate::web::exporter::{HASH, TLS, folder, users};

#[test]
fn invalid_web_file_at_start_names_file_and_key() {
    let (folder, authority) = folder("");
    let folder = folder.path();
    std::fs::write(folder.join("other.key"), authority.sign("127.0.0.1").key).unwrap();
    std::fs::write(folder.join("nothing"), "nothing").unwrap();
    let required = "client_auth_type: RequireAndVerifyClientCert";
    for (web, expected) in [
        (TLS.replace("server.key", "other.key"), ["key_file", "other.key is not the key of", "server.crt"]),
        (TLS.replace("server.crt", "missing"), ["cert_file", "missing cannot be read", "No such file"]),
        (TLS.replace("server.crt", "nothing"), ["cert_file", "nothing holds no certificate", ""]),
        (TLS.replace("server.key", "server.crt"), ["key_file", "server.crt holds no private key", ""]),
        (
            TLS.replace('}', &format!(", client_ca_file: nothing, {required}}}")),
            ["client_ca_file", "nothing holds no certificate", ""],
        ),
        (TLS.replace('}', ", cipher_suites: [x]}"), ["line 1", "cipher_suites is not supported", ""]),
        (users("alice", "plain"), ["line 1", "\"alice\" is not a bcrypt hash", "htpasswd"]),
        (users("alice", &HASH).replace("basic_auth_users", "users"), ["line 1", "unknown key \"users\"", ""]),
    ] {
        let file = folder.join("web.yml").display().to_string();
        std::fs::write(&file, &web).unwrap();
        for action in ["serve", "check"] {
            let url = "postgres://marie@127.0.0.1:1/none";
            let ended = output(&[action, "--database-url", url, "--web.config.file", &file]);
            let errors = text(&ended.stderr);
            assert_eq!(ended.status.code(), Some(1), "{web}: {errors}");
            for part in expected.iter().chain([&file.as_str()]) {
                assert!(errors.contains(part), "{web}: {part:?} is not in {errors}");
            }
            assert_eq!(errors.lines().count(), 1, "{errors}");
        }
    }
    let ended = output(&["serve", "--database-url", "postgres://h/d", "--web.config.file=/nowhere/web.yml"]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(text(&ended.stderr).contains("/nowhere/web.yml"), "{}", text(&ended.stderr));
}
