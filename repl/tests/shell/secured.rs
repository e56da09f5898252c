//! `quarray serve` for users, encrypted, and `quarray hash-password`: the way that a README describes.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::dashboard::{get, get_as};
use super::{STORE, quarray};

/// A server for a test, killed at its end.
struct Server {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
    /// Open for as long as the server writes.
    _words: BufReader<ChildStderr>,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        std::fs::create_dir(folder.path().join("served")).unwrap();
        let line = hashed("ada", "correct horse\n");
        std::fs::write(folder.path().join("users"), format!("# users\n{line}\n")).unwrap();
        let data = Path::new(STORE).parent().unwrap();
        let mut command = quarray();
        command.current_dir(folder.path()).args(["serve", "--listen", "127.0.0.1:0", "--users", "users"]);
        command.args(["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--root", "served", "--root"]).arg(data);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut words = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        words.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("flight ").unwrap_or_else(|| panic!("the server says {line:?}"));
        assert!(address.starts_with("grpcs://127.0.0.1:"), "{address}");
        Self { child, address: address.to_string(), folder, _words: words }
    }

    fn client(&self) -> Command {
        let mut command = quarray();
        command.args(["--connect", &self.address, "--tls-ca"]).arg(self.folder.path().join("ca.pem"));
        command.env_remove("QUARRAY_PASSWORD").stdin(Stdio::null());
        command
    }

    fn run(&self, user: &[&str], password: &str, statement: &str) -> Output {
        let mut command = self.client();
        command.args(user).env("QUARRAY_PASSWORD", password).args(["-f", "csv", "-c", statement]);
        command.output().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_string()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

/// The line of a user whose password comes on standard input.
fn hashed(name: &str, password: &str) -> String {
    let mut command = quarray();
    command.args(["hash-password", name]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with(&format!("{name} $argon2id$v=19$m=19456,t=2,p=1$")) && text.ends_with('\n'), "{text}");
    text.trim().to_string()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_user_reads_what_is_served() {
    let server = Server::start();
    let ada = ["--user", "ada"];
    let query = "FROM 'rnz-bcsd.zarr' |> REDUCE count(*) AS n";
    let output = server.run(&ada, "correct horse", query);
    assert!(output.status.success(), "{}", words(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("n\n"), "{:?}", output.stdout);
    let into = "FROM 'rnz-bcsd.zarr' |> REDUCE avg(tas) ALONG time |> INTO 'mean.zarr'";
    let output = server.run(&ada, "correct horse", into);
    assert!(output.status.success(), "{}", words(&output));
    assert!(server.folder.path().join("served/mean.zarr").is_dir());
    for statement in ["FROM '/etc'", "SELECT * FROM '../users.csv'", "COPY (SELECT 1 AS a) TO '/tmp/x.csv'"] {
        let output = server.run(&ada, "correct horse", statement);
        assert_eq!(output.status.code(), Some(1));
        assert!(words(&output).contains("not in a directory that the server gives access to"), "{}", words(&output));
    }
}

#[test]
fn nobody_else_reads_anything() {
    let server = Server::start();
    for (user, password) in [(&["--user", "ada"][..], "correct"), (&["--user", "eve"], "correct horse"), (&[], "")] {
        let output = server.run(user, password, "SELECT 1 AS n");
        assert_eq!(output.status.code(), Some(1), "{user:?}");
        assert!(output.stdout.is_empty());
        let told = words(&output);
        assert!(told.contains("not accepted") || told.contains("expected a password"), "{told}");
    }
    // The system's authorities do not know this one, and without TLS nothing is said at all.
    let address = server.address.clone();
    let plain = address.replace("grpcs://", "");
    for address in [address.as_str(), &plain] {
        let mut command = quarray();
        command
            .args(["--connect", address, "--user", "ada", "-c", "SELECT 1"])
            .env("QUARRAY_PASSWORD", "correct horse");
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{address}");
    }
}

#[test]
fn the_dashboard_is_for_users() {
    let mut server = Server::start();
    let said = BufReader::new(server.child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let link = said.skip(1).find_map(|line| line.strip_prefix("dashboard ").map(str::to_string)).unwrap();
    let output = server.run(&["--user", "ada"], "correct horse", "SELECT 1 AS one_of_ada");
    assert!(output.status.success(), "{}", words(&output));
    for path in ["/", "/api/history", "/api/live"] {
        let refused = get(&link, path);
        assert!(
            refused.starts_with("HTTP/1.1 401 ") && refused.contains("www-authenticate: Basic"),
            "{path}: {refused}"
        );
    }
    // ada:correct horse
    let told = get_as(&link, "/api/history", "authorization: Basic YWRhOmNvcnJlY3QgaG9yc2U=\r\n");
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("one_of_ada"), "{told}");
    let wrong = get_as(&link, "/api/history", "authorization: Basic YWRhOmNvcnJlY3Q=\r\n");
    assert!(wrong.starts_with("HTTP/1.1 401 ") && !wrong.contains("one_of_ada"), "{wrong}");
    assert!(get(&link, "/healthz").ends_with("ok\n"));
}

#[test]
fn a_server_for_others_is_a_safe_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users"), hashed("ada", "x")).unwrap();
    let empty: PathBuf = folder.path().join("none");
    std::fs::write(&empty, "# nobody\n").unwrap();
    for (arguments, expected) in [
        (&["--listen", "0.0.0.0:0"][..], "expected --users FILE, --tls-cert FILE and --tls-key FILE, or --insecure"),
        (&["--listen", "0.0.0.0:0", "--users", "users"], "expected --tls-cert FILE and --tls-key FILE"),
        (&["--users", "absent"], "cannot read absent"),
        (&["--users", "none"], "names none"),
        (
            &["--users", "users", "--listen", "127.0.0.1:0", "--http", "0.0.0.0:0"],
            "passwords would be sent to it in the clear",
        ),
        (&["--root", "absent"], "cannot give access to absent"),
        (&["--allow-url", "/etc"], "expected a URL, found a path"),
        (&["--tls-cert", "a.pem", "--tls-key", "b.pem"], "a.pem"),
        (&["--tls-cert", "a.pem"], "--tls-key"),
    ] {
        let mut command = quarray();
        command.current_dir(folder.path()).arg("serve").args(arguments).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", words(&output));
        assert!(words(&output).contains(expected), "{arguments:?}: {}", words(&output));
    }
}

#[test]
fn tokens_are_made_and_told_once() {
    let output = quarray().args(["hash-password", "robot", "--token"]).output().unwrap();
    let (line, told) = (String::from_utf8(output.stdout.clone()).unwrap(), words(&output));
    let token = told.trim().strip_prefix("token ").unwrap();
    assert_eq!(token.len(), 64);
    assert!(line.starts_with("robot sha256:") && !line.contains(token), "{line}");
    for name in ["", "a b", "a:b"] {
        assert!(!quarray().args(["hash-password", name, "--token"]).output().unwrap().status.success(), "{name}");
    }
}
