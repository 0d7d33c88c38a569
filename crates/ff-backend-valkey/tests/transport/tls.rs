//! Encrypted connections, to whatever server with TLS this machine has. Where something is missing
//! the tests say so and pass.

#[cfg(feature = "tls")]
mod with_tls {
    use std::io::Write as _;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use ff_backend_valkey::ValkeyBackend;
    use ff_engine::EngineError;
    use ff_valkey_server::{Binary, Flavor, Options, Server};
    use tempfile::TempDir;

    use crate::fixture::{A_LITTLE, answers, config, job, server, timed, until};

    /// A server with a certificate that an authority of its own signed.
    struct Encrypted {
        server: Server,
        folder: TempDir,
    }

    impl Encrypted {
        fn url(&self, scheme: &str, host: &str) -> String {
            format!("{scheme}://{host}:{}", self.server.tls_port().expect("it listens for TLS"))
        }

        fn authority(&self) -> Vec<u8> {
            std::fs::read(self.folder.path().join("ca.pem")).unwrap()
        }
    }

    /// Runs `openssl`, and answers whether it did what it was asked to.
    fn openssl(folder: &Path, words: &str) -> bool {
        let output =
            Command::new("openssl").current_dir(folder).args(words.split_whitespace()).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// An authority, and a certificate of it for `localhost` and 127.0.0.1.
    fn certificates(folder: &Path) -> bool {
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
        std::fs::write(folder.join("names"), names).unwrap();
        openssl(
            folder,
            "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=authority -keyout ca.key -out ca.pem",
        ) && openssl(
            folder,
            "req -newkey rsa:2048 -nodes -subj /CN=server -keyout key.pem -out request.pem",
        ) && openssl(
            folder,
            "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile names -out cert.pem",
        )
    }

    /// Says so where the runner does not keep it to itself.
    fn not_run(why: &str) {
        let line = format!("not run, a test of TLS: {why}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }

    fn start() -> Option<Encrypted> {
        let binary = [Flavor::Valkey, Flavor::Redis]
            .into_iter()
            .filter_map(|flavor| Binary::find(flavor).ok())
            .find(Binary::has_tls);
        let Some(binary) = binary else {
            not_run("no server with TLS on this machine");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        if !certificates(folder.path()) {
            not_run("openssl is not installed, or makes no certificates");
            return None;
        }
        let [certificate, key, authority]: [PathBuf; 3] =
            ["cert.pem", "key.pem", "ca.pem"].map(|name| folder.path().join(name));
        let options = Options::new().binary(binary).tls(certificate, key, authority);
        Some(Encrypted { server: Server::start(&options).unwrap(), folder })
    }

    async fn connect(url: &str, ca_pem: Option<&[u8]>) -> Result<ValkeyBackend, EngineError> {
        let builder = ValkeyBackend::builder(&config(url))?;
        match ca_pem {
            Some(pem) => builder.ca_pem(pem).connect().await,
            None => builder.connect().await,
        }
    }

    #[track_caller]
    fn assert_refused(answer: Result<ValkeyBackend, EngineError>, why: &str) {
        let error = answer.expect_err(why);
        assert_eq!((error.code(), error.is_retryable()), ("incompatible", false), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }

    #[tokio::test]
    async fn a_job_is_done_over_tls_and_so_is_one_behind_a_reconnect() {
        let Some(encrypted) = start() else { return };
        let authority = encrypted.authority();
        for (scheme, host) in [("valkeys", "127.0.0.1"), ("rediss", "localhost")] {
            let url = encrypted.url(scheme, host);
            let backend = connect(&url, Some(&authority)).await.unwrap();
            job(&backend).await.unwrap();

            encrypted.server.command(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
            until("calls are answered again", || answers(&backend)).await;
            job(&backend).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_trusts_is_refused() {
        let Some(encrypted) = start() else { return };
        let other = tempfile::tempdir().unwrap();
        assert!(certificates(other.path()));
        let another = std::fs::read(other.path().join("ca.pem")).unwrap();
        let url = encrypted.url("valkeys", "127.0.0.1");

        assert_refused(connect(&url, Some(&another)).await, "certificate is not trusted");
        // The system's own.
        assert_refused(connect(&url, None).await, "certificate is not trusted");
    }

    #[tokio::test]
    async fn a_name_that_is_not_in_the_certificate_is_refused() {
        let Some(encrypted) = start() else { return };
        let url = encrypted.url("valkeys", "127.0.0.2");
        // The server does not listen there on every machine.
        let error = connect(&url, Some(&encrypted.authority())).await.unwrap_err();
        assert!(matches!(error.code(), "incompatible" | "unavailable"), "{error:?}");
    }

    #[tokio::test]
    async fn one_side_alone_that_encrypts_is_told_in_time() {
        let Some(encrypted) = start() else { return };
        let plain = server();
        let url = format!("valkeys://127.0.0.1:{}", plain.port());
        let (answer, took) = timed(connect(&url, Some(&encrypted.authority()))).await;
        // Neither side understands the other, and not every server says so.
        let error = answer.unwrap_err();
        assert!(error.code() == "incompatible" || error.is_retryable(), "{error:?}");
        assert!(took < 5 * A_LITTLE, "{took:?}");

        let (answer, took) = timed(connect(&encrypted.url("valkey", "127.0.0.1"), None)).await;
        let error = answer.unwrap_err();
        assert!(error.code() == "incompatible" || error.is_retryable(), "{error:?}");
        assert!(took < 5 * A_LITTLE, "{took:?}");
    }

    #[tokio::test]
    async fn what_is_no_certificate_is_refused() {
        assert_refused(connect("valkeys://127.0.0.1", Some(b"junk")).await, "ca_pem");
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn an_encrypted_connection_needs_the_feature() {
    let config = crate::fixture::config("valkeys://127.0.0.1");
    let error = crate::fixture::connect_as(&config).await.unwrap_err();
    assert_eq!(error.code(), "incompatible");
    assert!(error.to_string().contains("feature `tls`"), "{error}");
}
