//! Explains failures of TLS to the database.
//!
//! Input: an error of the driver. Output: a sentence with the cause and a remedy. Because the driver's TLS library is
//! stricter than libpq, operators would otherwise resort to `sslmode=require`, which accepts any certificate.

use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

/// How to make a self-signed certificate for a server.
const MAKE_NEW: &str = "make a new one with `openssl req -x509 -new -nodes -days 365 -subj /CN=HOST -addext \
                        basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:HOST -keyout server.key -out \
                        server.crt`, with IP:ADDRESS for an address";

/// How to sign a certificate for a host name.
const SIGN_AGAIN: &str = "sign it again with `openssl x509 -req -in server.csr -CA root.crt -CAkey root.key \
                          -CAcreateserial -days 365 -extfile FILE -out server.crt`, where FILE says \
                          subjectAltName=DNS:HOST, or IP:ADDRESS for an address";

/// The keys that the driver supports.
const KEYS: &str = "it takes RSA of 2048 to 8192 bits with SHA-2, ECDSA with P-256 or P-384, and Ed25519";

/// What to do about an unknown critical extension.
const CRITICAL: &str =
    "the server's certificate has a critical extension that the driver does not know; sign it without";

/// Explains an error of TLS. Returns `None` for other errors.
pub(super) fn explain(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Io(error) => explain_rustls(error.get_ref()?.downcast_ref()?),
        sqlx::Error::Tls(error) => match error.downcast_ref::<rustls::Error>() {
            Some(error) => explain_rustls(error),
            None if error.is::<rustls::pki_types::InvalidDnsNameError>() => {
                Some("its name is neither an address nor a host name, so TLS cannot check it".to_owned())
            }
            None => None,
        },
        _ => None,
    }
}

/// Explains an error of rustls.
fn explain_rustls(error: &rustls::Error) -> Option<String> {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            Some(explain_other(&format!("{other:?}"), &other.to_string()))
        }
        // rustls's own text for these is a list of bytes, so it is not repeated.
        rustls::Error::InvalidCertificate(
            fault @ (CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }),
        ) => Some(explain_certificate(fault)),
        rustls::Error::InvalidCertificate(fault) => Some(format!("{} ({error})", explain_certificate(fault))),
        rustls::Error::PeerIncompatible(_) => Some(format!(
            "the server and the exporter, which speaks TLS 1.2 and 1.3, have no version, cipher or signature in common \
             ({error})"
        )),
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => Some(format!(
            "the server ended the TLS handshake: most likely the key of its certificate is one that the driver does not \
             support; {KEYS}"
        )),
        rustls::Error::AlertReceived(alert) => {
            Some(format!("the server ended the TLS handshake with the alert {alert:?}; its log says why"))
        }
        rustls::Error::InconsistentKeys(_) => {
            Some("the certificate of sslcert and the key of sslkey do not belong together".to_owned())
        }
        _ => None,
    }
}

/// Explains why a certificate was rejected.
fn explain_certificate(fault: &CertificateError) -> String {
    match fault {
        CertificateError::UnknownIssuer => {
            "no authority that is trusted here has signed the server's certificate; name the authority's file as \
             sslrootcert, or the certificate's own file if it signs itself"
                .to_owned()
        }
        CertificateError::BadSignature => {
            "the authority in sslrootcert has the name of the one that signed the server's certificate, but another key"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!("the server's certificate names no host in subjectAltName, and its CN does not count; {SIGN_AGAIN}")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for other hosts; connect by a name that it has, or use sslmode=verify-ca".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired, or this machine's clock is wrong".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet, or this machine's clock is wrong".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the server's certificate is not for servers: its extendedKeyUsage lacks serverAuth".to_owned()
        }
        CertificateError::UnhandledCriticalExtension => {
            CRITICAL.to_owned()
        }
        CertificateError::BadEncoding => {
            format!("the server's certificate is not encoded as the standard says; {MAKE_NEW}")
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            format!("the server's certificate has a key or signature that the driver does not support; {KEYS}")
        }
        _ => "the server's certificate is not accepted".to_owned(),
    }
}

/// Explains a fault that is not a variant of [`CertificateError`]. `debug` contains the name of the fault, `shown` is its
/// text.
fn explain_other(debug: &str, shown: &str) -> String {
    let is = |name: &str| debug.contains(name);
    if is("CaUsedAsEndEntity") {
        format!(
            "the server's certificate is that of an authority (CA:TRUE), as `openssl req -x509` makes it, and the driver \
             believes those as a signer only, also if they are in sslrootcert; {MAKE_NEW}"
        )
    } else if is("UnsupportedCertVersion") {
        format!(
            "the server's certificate is of X.509 version 1, and the driver wants version 3; {SIGN_AGAIN}"
        )
    } else if is("UnsupportedCriticalExtension") {
        CRITICAL.to_owned()
    } else if is("EndEntityUsedAsCa") {
        "the certificate that signed the server's is not that of an authority (CA:FALSE)".to_owned()
    } else if is("PathLenConstraintViolated") || is("NameConstraintViolation") {
        format!("an authority above the server's certificate may not sign it: {shown}")
    } else {
        format!("the server's certificate is not accepted: {shown}; {MAKE_NEW}")
    }
}
