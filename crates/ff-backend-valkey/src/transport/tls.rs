//! Encryption by rustls.

use std::sync::Arc;

use fred::types::config::{TlsConfig, TlsConnector};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::TransportError;
use super::frames::failed;

/// What an encrypted connection trusts: the system's certificates, or those of `ca_pem`.
pub(super) fn config(
    wanted: bool,
    ca_pem: Option<&[u8]>,
) -> Result<Option<TlsConfig>, TransportError> {
    if !wanted {
        return Ok(None);
    }
    let Some(pem) = ca_pem else {
        return Ok(Some(TlsConnector::default_rustls().map_err(failed)?.into()));
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate =
            certificate.map_err(|error| settings(format!("ca_pem is no PEM: {error}")))?;
        roots.add(certificate).map_err(|error| settings(format!("ca_pem: {error}")))?;
    }
    if roots.is_empty() {
        return Err(settings("ca_pem holds no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| settings(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(TlsConnector::from(config).into()))
}

const fn settings(problem: String) -> TransportError {
    TransportError::Settings(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "junk"] {
            let error = config(true, Some(pem.as_bytes())).unwrap_err();
            assert!(matches!(error, TransportError::Settings(_)), "{pem}: {error}");
            assert!(error.to_string().starts_with("ca_pem"), "{pem}: {error}");
        }
    }
}
