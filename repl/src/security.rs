//! What a command line says about the security of a server, and of a client's way to one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser};
use quarray_distributed::serve::http::{Access, Everyone};
use quarray_distributed::serve::security::{
    ClientTls, Gatekeeper, Rights, SecurityError, ServerTls, TOKENS_VARIABLE, Turnstiles, UserLimits, Users,
    expect_safe, hash_password, new_token,
};
use quarray_distributed::serve::{Admission, Anyone, Authenticator, LoginName, ServerLogin};
use quarray_engine::access::{AccessPolicy, AccessRules};

use crate::args::{self, parse_bytes};
use crate::failure::Failure;
use crate::password::{read_new_password, read_password};
use crate::terminal::{print_text, tell};

/// The variable of the environment with the password of `--user`.
const PASSWORD_VARIABLE: &str = "QUARRAY_PASSWORD";

/// Who may use a server, how much of it, and what they may touch.
#[derive(Debug, Clone, Args)]
pub struct SecurityArgs {
    /// A directory that clients may read and write below; may be given more than once. The working directory by default.
    #[arg(long, value_name = "DIR")]
    root: Vec<PathBuf>,
    /// What URLs that clients may read and write begin with (https://host/folder/, s3://bucket/prefix); may be given more
    /// than once. None by default.
    #[arg(long = "allow-url", value_name = "PREFIX")]
    allow_url: Vec<String>,
    /// Clients use the credentials of this process (AWS_*, AZURE_*, GOOGLE_*, QUARRAY_SECRET_*) below the allowed URLs.
    #[arg(long)]
    allow_credentials: bool,
    /// Hosts of allowed URLs may have addresses of private networks.
    #[arg(long)]
    allow_private: bool,
    /// A file of users, a line each, as `quarray hash-password` prints them. Tokens: QUARRAY_USER_TOKENS=name=token.
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// The server's certificate (PEM), and those between it and its authority.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serves other machines even without users or without TLS: for a network where everyone may do everything.
    #[arg(long)]
    insecure: bool,
    /// Statements that run at once; more of them wait.
    #[arg(long, value_name = "N", value_parser = parse_count)]
    max_queries: Option<usize>,
    /// Statements of one user that run at once; more of them wait.
    #[arg(long, value_name = "N", value_parser = parse_count)]
    user_queries: Option<usize>,
    /// Statements that may wait, of a user and of all users; of more, the next one is refused.
    #[arg(long, value_name = "N")]
    queue: Option<usize>,
    /// Memory that all queries of a user may hold at once: 400MB, 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    user_memory: Option<usize>,
    /// Seconds that a statement may take, until its last row.
    #[arg(long, value_name = "SECONDS", value_parser = parse_count)]
    time_limit: Option<usize>,
}

/// The rules of a server.
pub struct ServerRules {
    /// Makes sessions.
    pub rights: Arc<Rights>,
    /// Lets users in.
    pub authenticator: Arc<dyn Authenticator>,
    /// Lets them see the dashboard.
    pub viewers: Arc<dyn Access>,
    /// Lets statements begin.
    pub admission: Arc<dyn Admission>,
    /// Encrypts connections.
    pub tls: Option<ServerTls>,
}

impl SecurityArgs {
    /// The rules of a server that is to listen there.
    pub fn rules(&self, listen: std::net::SocketAddr) -> Result<ServerRules, Failure> {
        let tokens = std::env::var(TOKENS_VARIABLE).ok();
        let users = Arc::new(Users::read(self.users.as_deref(), tokens.as_deref())?);
        let has_users = self.users.is_some() || !users.is_empty();
        expect_safe(listen, has_users, self.tls_cert.is_some(), self.insecure)?;
        if has_users && users.is_empty() {
            return Err(Failure::Usage("the file of users names none: nobody could use the server".to_string()));
        }
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(ServerTls::read(certificate, key)?),
            _ => None,
        };
        let (authenticator, viewers): (Arc<dyn Authenticator>, Arc<dyn Access>) = match has_users {
            true => {
                // One for both: guesses at one door count at the other.
                let gatekeeper = Arc::new(Gatekeeper::new(Arc::clone(&users))?);
                (Arc::clone(&gatekeeper) as _, gatekeeper)
            }
            false => (Arc::new(Anyone), Arc::new(Everyone)),
        };
        let limits = UserLimits {
            queries: self.user_queries,
            queue: self.queue,
            memory: self.user_memory,
            time: self.time_limit.map(|seconds| Duration::from_secs(seconds as u64)),
        };
        let admission = Arc::new(Turnstiles::new(Arc::clone(&users), limits, self.max_queries));
        let access = AccessPolicy::confined(self.access()).map_err(|error| Failure::Usage(error.to_string()))?;
        let rights = Arc::new(Rights::new(users, Arc::clone(&admission), access));
        Ok(ServerRules { rights, authenticator, viewers, admission, tls })
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls_cert.is_some()
    }

    fn access(&self) -> AccessRules {
        let roots = if self.root.is_empty() { vec![PathBuf::from(".")] } else { self.root.clone() };
        AccessRules {
            roots,
            urls: self.allow_url.clone(),
            may_write: true,
            may_use_credentials: self.allow_credentials,
            may_reach_private: self.allow_private,
        }
    }
}

/// The way to a server, as a command line asks for it: `HOST:PORT`, after `grpcs://` where it is encrypted.
pub fn login(connect: &str, args: &args::Args) -> Result<ServerLogin, Failure> {
    let (address, tls) = match connect.strip_prefix("grpcs://") {
        Some(address) => (address, Some(ClientTls::read(args.tls_ca.as_deref())?)),
        None if args.tls_ca.is_some() => {
            return Err(Failure::Usage(
                "--tls-ca is for encrypted connections: --connect grpcs://HOST:PORT".to_string(),
            ));
        }
        None => (connect, None),
    };
    let credentials = match &args.user {
        Some(name) => {
            let told = std::env::var(PASSWORD_VARIABLE).ok().map(Ok);
            let password = told.unwrap_or_else(|| read_password(&format!("Password of {name} at {address}: ")))?;
            Some(LoginName { name: name.clone(), password })
        }
        None => None,
    };
    Ok(ServerLogin { address: address.to_string(), tls, credentials })
}

/// Prints the line of a user for the file of `quarray serve --users`: a name and a hash, to which settings may be added
/// (role=read|write|admin queries=N queue=N memory=SIZE time=SECONDS until=YYYY-MM-DD).
#[derive(Debug, Clone, Parser)]
#[command(name = "quarray hash-password", version)]
struct HashArgs {
    /// The user's name.
    #[arg(value_name = "NAME")]
    name: String,
    /// Makes a token for a program in place of a password: it is told once, on standard error.
    #[arg(long)]
    token: bool,
}

/// Prints the line of a user as the arguments say, the name of the subcommand first.
pub fn print_user(arguments: &[OsString]) -> Result<(), Failure> {
    let HashArgs { name, token } = HashArgs::try_parse_from(arguments).map_err(Failure::CommandLine)?;
    let hash = match token {
        true => {
            let (token, hash) = new_token().map_err(Failure::Start)?;
            tell(&format!("token {token}"));
            hash
        }
        false => hash_password(&read_new_password(&name)?)?,
    };
    let line = format!("{name} {hash}");
    // What is printed can be read.
    Users::parse(&line, "the line")?;
    print_text(&format!("{line}\n"));
    Ok(())
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count @ 1..=1_000_000_000) => Ok(count),
        _ => Err(format!("`{text}` is no number from 1 on")),
    }
}

impl From<SecurityError> for Failure {
    fn from(error: SecurityError) -> Self {
        Self::Security(error)
    }
}
