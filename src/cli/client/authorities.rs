//! Authorities: whose certificates the commands believe when they call a server over https.

use std::fs;

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// The certificate authorities of the public web, or those in a file instead.
#[derive(Clone, Debug, Default)]
pub enum Authorities {
    #[default]
    Web,
    Own(RootCerts),
}

impl Authorities {
    /// The settings of connections that believe them.
    pub fn tls(self) -> TlsConfig {
        match self {
            Self::Web => TlsConfig::default(),
            Self::Own(roots) => TlsConfig::builder().root_certs(roots).build(),
        }
    }
}

/// Reads a PEM file. A variable that is set to nothing is as good as unset.
///
/// # Errors
/// When it cannot be read, or holds no certificate.
pub fn read(file: &str) -> Result<Authorities, String> {
    if file.is_empty() {
        return Ok(Authorities::Web);
    }
    let pem = fs::read(file).map_err(|error| error.to_string())?;
    let items: Result<Vec<_>, _> = parse_pem(&pem).collect();
    let items = items.map_err(|_| "it is not PEM".to_owned())?;
    let certificates: Vec<_> = items
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(Authorities::Own(RootCerts::new_with_certs(&certificates)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_means_the_web_and_a_file_must_hold_a_certificate() {
        assert!(matches!(read(""), Ok(Authorities::Web)));
        assert_eq!(read(file!()).unwrap_err(), "there is no certificate in it");
        assert!(read("no such file").is_err());
    }
}
