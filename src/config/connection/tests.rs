//! Tests of the options that a URL gives.

use super::*;
use crate::config::keywords::KEYWORDS;

#[test]
fn no_error_about_a_url_contains_its_password() {
    for (url, reason) in [
        ("mysql://u:hunter2@h/d", "must begin with postgres:// or postgresql://"),
        ("host=h password=hunter2", "must begin with postgres:// or postgresql://"),
        ("", "must begin with postgres:// or postgresql://"),
        ("postgres://u:hunter2@h:port/d", "is not valid: invalid port number"),
        ("postgres://u:hunter2@h:99999/d", "is not valid: invalid port number"),
        ("postgres://u:hunter2@h:0/d", "is not valid: invalid port number"),
        ("postgres://u:hunter2%ff@h/d", "is not valid: invalid utf-8 sequence of 1 bytes"),
        ("postgres://u:hunter2%00@h/d", "is not valid: %00"),
        ("postgres://u:hunter2/x@h/d", "has a reserved character: in user, password"),
        ("postgres://u:1#hunter2@h/d", "has a reserved character: in user, password"),
        ("postgres://u:1?hunter2@h/d", "has a reserved character: in user, password"),
        ("postgres://u@h/d?sslmode=hunter2", "has an sslmode other than disable, allow"),
        ("postgres://u@h/d?port=hunter2", "is not valid: invalid port number"),
        ("postgres://u@h/d?hostaddr=hunter2", "is not valid: invalid IP address syntax"),
        ("postgres://u@h/d?connect_timeout=hunter2", "has a connect_timeout that is not a number"),
        ("postgres://u@h/d?channel_binding=hunter2", "has a channel_binding other than disable"),
        ("postgres://u:hunter2@h/d?channel_binding=require", "has channel_binding=require: the driver"),
        ("postgres://u@h/d?target_session_attrs=hunter2", "has target_session_attrs other than any"),
        ("postgres://u@h/d?sslmode=require&sslrootcert=system", "has sslrootcert=system, which needs"),
        ("postgres://u@h/d?hostaddr=::1&sslmode=verify-full", "has hostaddr and sslmode=verify-full"),
        ("postgres://u@[::1%251]/d?sslmode=require", "has an IPv6 address with a zone"),
        ("postgres://u:p@[hunter2]/d", "is not valid: invalid IPv6 address"),
        ("postgres://u:p@[::1]hunter2/d", "is not valid: invalid IPv6 address"),
        ("postgres://u:x@hunter2/z@h/d", "has a reserved character: in user, password"),
        ("postgres://u:x@hunter2?z@h/d", "is not valid: a parameter has no value"),
        ("postgres://u:x@hunter2?z=@h/d", "has a parameter that is not supported; there are appl"),
        ("postgres://u@h/d?password=x&hunter2=y", "has a parameter that is not supported; there are appl"),
        ("postgres://u:hunter2@h/d?sslcrl=x", "has the parameter sslcrl that is not supported; there are"),
        ("postgres://u:hunter2@h1,h2:1,h3:2/d?port=5,6", "has another number of ports than of hosts"),
        ("postgres://u:hunter2@h/d?hostaddr=::1,::2", "has another number of hosts in hostaddr"),
        ("postgres://u:hunter2@1,2,3,4,5,6,7,8,9/d", "names more than 8 hosts"),
    ] {
        let error = Connect::parse(url).unwrap_err();
        assert!(error.starts_with(reason), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{url}: {error}");
    }
}

#[test]
fn supported_parameters_have_an_effect() {
    let target = |url: &str| format!("{:?}", Connect::parse(url).unwrap().with_files());
    for parameter in KEYWORDS.map(|(name, _)| name).into_iter().chain([CACHE, "options[work_mem]"]) {
        let value = match parameter {
            // The driver has no channel binding, so these two are the same.
            "channel_binding" => continue,
            "sslmode" => "disable",
            "hostaddr" => "192.0.2.1",
            "target_session_attrs" => "primary",
            "port" | "connect_timeout" => "7",
            CACHE => "0",
            _ => "/nowhere/x",
        };
        let set = target(&format!("postgres://u@h/d?{parameter}={value}"));
        assert_ne!(set, target("postgres://u@h/d"), "{parameter}");
    }
}

#[test]
fn connect_timeout_is_bounded() {
    for (given, seconds) in [
        ("", 5),
        ("connect_timeout=0", 5),
        ("connect_timeout=-1", 5),
        ("connect_timeout=9", 9),
        ("connect_timeout=86400", 60),
    ] {
        let connect = Connect::parse(&format!("postgres://h/d?{given}")).unwrap();
        assert_eq!(connect.timeout.as_secs(), seconds, "{given}");
    }
}

#[test]
fn unreadable_file_is_named_but_key_is_not() {
    let told = |parameters: &str| {
        let connect = Connect::parse(&format!("postgres://u@h/d?{parameters}")).unwrap();
        connect.with_files().err().map(|error| error.to_string())
    };
    let missing = told("sslcert=/nowhere/a.crt&sslkey=/nowhere/a.key").unwrap();
    assert!(missing.starts_with("cannot read /nowhere/a.crt (sslcert): "), "{missing}");
    assert_eq!(told("sslkey=-----BEGIN PRIVATE KEY-----hunter2"), None);
    let empty = told("sslrootcert=/dev/null").unwrap();
    assert!(empty.contains("/dev/null (sslrootcert): it holds no certificate"), "{empty}");
}

#[test]
fn sslrootcert_upgrades_require_to_verify_ca() {
    for (parameters, mode) in [
        ("sslmode=require", "Require"),
        ("ssl=true", "Require"),
        ("sslmode=require&sslrootcert=ca.pem", "VerifyCa"),
        ("sslrootcert=ca.pem&sslmode=verify-full", "VerifyFull"),
        ("sslrootcert=ca.pem", "Prefer"),
        ("sslrootcert=system", "VerifyFull"),
    ] {
        let connect = Connect::parse(&format!("postgres://u@h/d?{parameters}")).unwrap();
        assert_eq!(format!("{:?}", connect.mode), mode, "{parameters}");
    }
}

#[test]
fn unverified_password_over_tcp_gives_warning() {
    for (url, warned) in [
        ("postgres://u:p@h/d", true),
        ("postgres://u:p@h/d?sslmode=require", true),
        ("postgres://u:p@h/d?sslmode=verify-full", false),
        ("postgres://u:p@/d?host=/socket", false),
        ("postgres://u@h/d?passfile=/nowhere", true),
        ("postgres://u@h/d", false),
    ] {
        let target = Connect::parse(url).unwrap().with_files().unwrap();
        assert_eq!(!target.warnings.is_empty(), warned, "{url}: {:?}", target.warnings);
    }
}
