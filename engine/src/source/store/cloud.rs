//! Addresses and options → the stores of `object_store`.

use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use super::address::Address;
use super::environment::{Environment, SUBSCRIPTION_KEY};
use super::options::Options;
use super::signing::{self, SignedStore, TokenProvider, Tokens};

/// An object store, the place in it, and whether requests to it are signed.
pub(super) struct Opened {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) root: Path,
    pub(super) signed: bool,
    /// What deletes objects, where it is not the store itself.
    pub(super) deleter: Option<Arc<dyn ObjectStore>>,
}

/// Opens what an address names. Nothing is read yet.
pub(super) fn open(address: &Address, options: &Options, environment: &Environment) -> Result<Opened, String> {
    match address {
        Address::Local(path) => local(path),
        Address::Http(url) => http(url, environment),
        Address::S3 { bucket, key } => s3(bucket, key, options, environment),
        Address::Gcs { bucket, key } => gcs(bucket, key, options, environment),
        Address::Azure { account, container, key, sas } => {
            let place = AzurePlace { account: account.as_deref(), container, key, sas: sas.as_deref() };
            azure(&place, options, environment)
        }
    }
}

/// Someone is waiting: three tries within 20 s, not the ten in three minutes of a batch job.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(3),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(20),
    }
}

/// A request has no time limit as a whole, for a chunk of a hundred megabytes may well take a minute; the reads give up
/// when no byte comes (see `remote.rs`).
fn client() -> ClientOptions {
    ClientOptions::new().with_timeout_disabled().with_connect_timeout(Duration::from_secs(10))
}

fn local(path: &FilePath) -> Result<Opened, String> {
    let root = Path::from_absolute_path(place_on_disk(path)).map_err(|e| e.to_string())?;
    Ok(Opened { objects: Arc::new(LocalFileSystem::new()), root, signed: false, deleter: None })
}

/// The path without links and `..`, which have their meaning on the disk; below what exists, `..` is a step back.
fn place_on_disk(path: &FilePath) -> PathBuf {
    let existing = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, real)) = existing else { return path.to_path_buf() };
    let below = path.strip_prefix(above).unwrap_or(FilePath::new(""));
    below.components().fold(real, |mut place, part| {
        match part {
            Component::ParentDir => drop(place.pop()),
            Component::Normal(name) => place.push(name),
            _ => {}
        }
        place
    })
}

fn http(url: &Url, environment: &Environment) -> Result<Opened, String> {
    let client = client().with_allow_http(url.scheme() == "http");
    let mut store = HttpBuilder::new().with_url(url.as_str()).with_client_options(client).with_retry(retries());
    if let Some(guard) = environment.guard() {
        store = store.with_http_connector(guard);
    }
    Ok(Opened {
        objects: Arc::new(store.build().map_err(|e| e.to_string())?),
        root: Path::default(),
        signed: false,
        deleter: None,
    })
}

/// Variables that AWS takes credentials from.
const AWS_CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

fn s3(bucket: &str, key: &str, options: &Options, environment: &Environment) -> Result<Opened, String> {
    let own = options.get("access_key_id").is_some();
    if own != options.get("secret_access_key").is_some() {
        return Err("options `access_key_id` and `secret_access_key` are needed together, found one".to_string());
    }
    let instance = options.flag("instance_credentials")?;
    let mut builder = AmazonS3Builder::new().with_client_options(client()).with_retry(retries());
    if let Some(guard) = environment.guard() {
        builder = builder.with_http_connector(guard);
    }
    for (name, value) in environment.settings::<AmazonS3ConfigKey>("AWS_") {
        // Credentials come from one place as a whole: a key of the options never meets a token of the environment.
        let credential = matches!(
            name,
            AmazonS3ConfigKey::AccessKeyId | AmazonS3ConfigKey::SecretAccessKey | AmazonS3ConfigKey::Token
        );
        if !(matches!(name, AmazonS3ConfigKey::Bucket) || credential && own) {
            builder = builder.with_config(name, value);
        }
    }
    for (option, name) in [
        ("region", AmazonS3ConfigKey::Region),
        ("endpoint", AmazonS3ConfigKey::Endpoint),
        ("access_key_id", AmazonS3ConfigKey::AccessKeyId),
        ("secret_access_key", AmazonS3ConfigKey::SecretAccessKey),
        ("session_token", AmazonS3ConfigKey::Token),
    ] {
        if let Some(value) = options.get(option) {
            builder = builder.with_config(name, value);
        }
    }
    if options.get("virtual_hosted_style").is_some() {
        builder = builder.with_virtual_hosted_style_request(options.flag("virtual_hosted_style")?);
    }
    if options.get("allow_http").is_some() {
        builder = builder.with_allow_http(options.flag("allow_http")?);
    }
    let signed = !options.flag("anonymous")? && (own || instance || environment.has_any(&AWS_CREDENTIALS));
    if !signed {
        builder = builder.with_skip_signature(true);
    }
    builder = builder.with_request_payer(options.flag("request_payer")?).with_bucket_name(bucket);
    finish(builder.build(), key, signed)
}

struct AzurePlace<'a> {
    account: Option<&'a str>,
    container: &'a str,
    key: &'a str,
    sas: Option<&'a str>,
}

/// Settings of Azure that are credentials, or say whose.
fn is_azure_credential(name: &AzureConfigKey) -> bool {
    use AzureConfigKey as K;
    matches!(
        name,
        K::AccessKey | K::SasKey | K::Token | K::ClientId | K::ClientSecret | K::AuthorityId | K::FederatedTokenFile
    )
}

fn azure_builder(environment: &Environment) -> MicrosoftAzureBuilder {
    let builder = MicrosoftAzureBuilder::new().with_client_options(client()).with_retry(retries());
    match environment.guard() {
        Some(guard) => builder.with_http_connector(guard),
        None => builder,
    }
}

fn with_azure_options(mut builder: MicrosoftAzureBuilder, options: &Options) -> MicrosoftAzureBuilder {
    for (option, name) in [
        ("endpoint", AzureConfigKey::Endpoint),
        ("key", AzureConfigKey::AccessKey),
        ("token", AzureConfigKey::Token),
        ("client_id", AzureConfigKey::ClientId),
        ("client_secret", AzureConfigKey::ClientSecret),
        ("tenant_id", AzureConfigKey::AuthorityId),
    ] {
        if let Some(value) = options.get(option) {
            builder = builder.with_config(name, value);
        }
    }
    builder
}

fn azure(place: &AzurePlace, options: &Options, environment: &Environment) -> Result<Opened, String> {
    let settings = environment.settings::<AzureConfigKey>("AZURE_");
    let of_environment = |wanted: AzureConfigKey| settings.iter().find(|(name, _)| *name == wanted);
    let environment_account = of_environment(AzureConfigKey::AccountName).map(|(_, value)| value.as_str());
    let account = place.account.or(options.get("account")).or(environment_account).ok_or(
        "expected the name of the storage account in the URL (abfss://container@account.dfs.core.windows.net/…) or as \
         option `account`, found none",
    )?;
    if place.account.is_some() && options.get("account").is_some_and(|other| other != account) {
        return Err(format!("the URL names account `{account}`, and option `account` another one"));
    }
    let tokens = tokens(account, place, options, environment)?;
    let own = tokens.is_some()
        || options.get("sas").or(place.sas).is_some()
        || ["key", "token", "client_id", "client_secret"].iter().any(|o| options.get(o).is_some());
    // What the environment holds for one account is not shown to another.
    let foreign = environment_account.is_some_and(|other| other != account);
    let environment_sas = of_environment(AzureConfigKey::SasKey).filter(|_| !own && !foreign);
    let sas = options.get("sas").or(place.sas).or(environment_sas.map(|(_, sas)| sas.as_str()));
    let mut builder = azure_builder(environment);
    let mut signed = own;
    for (name, value) in &settings {
        let credential = is_azure_credential(name);
        if credential && (own || foreign) || matches!(name, AzureConfigKey::UseEmulator) {
            continue;
        }
        // An id of a tenant or a client alone opens nothing.
        signed |= credential && !matches!(name, AzureConfigKey::ClientId | AzureConfigKey::AuthorityId);
        if matches!(name, AzureConfigKey::SasKey) {
            continue;
        }
        builder = builder.with_config(*name, value);
    }
    builder = with_azure_options(builder, options);
    let pairs = sas.map(sas_pairs).transpose()?;
    if let Some(pairs) = &pairs {
        builder = builder.with_sas_authorization(pairs.clone());
    }
    if options.flag("use_azure_cli")? {
        builder = builder.with_use_azure_cli(true);
        signed = true;
    }
    if options.get("allow_http").is_some() {
        builder = builder.with_allow_http(options.flag("allow_http")?);
    }
    signed |= options.flag("instance_credentials")? || environment.has_any(&["IDENTITY_ENDPOINT", "MSI_ENDPOINT"]);
    signed &= !options.flag("anonymous")?;
    let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint);
    let endpoint = endpoint.unwrap_or_else(|| format!("https://{account}.blob.core.windows.net"));
    let allow_http = builder.get_config_value(&AzureConfigKey::Client(ClientConfigKey::AllowHttp));
    if endpoint.starts_with("http://") && allow_http.as_deref() != Some("true") {
        return Err(format!("the endpoint {endpoint} is not encrypted: expected https, or option `allow_http`"));
    }
    let mut builder = builder.with_account(account).with_container_name(place.container).with_skip_signature(!signed);
    if let Some(tokens) = tokens.filter(|_| signed) {
        builder = builder.with_credentials(Arc::new(TokenProvider(tokens.clone())));
        let mut opened = finish(builder.build(), place.key, signed)?;
        opened.objects = Arc::new(SignedStore::new(opened.objects, tokens));
        return Ok(opened);
    }
    let mut opened = finish(builder.build(), place.key, signed)?;
    if let Some(pairs) = pairs.filter(|_| signed) {
        opened.deleter = Some(azure_deleter(&endpoint, place.container, &pairs, environment)?);
    }
    Ok(opened)
}

/// The tokens that a store is signed for with, if option `sign` names an endpoint of them.
fn tokens(
    account: &str,
    place: &AzurePlace,
    options: &Options,
    environment: &Environment,
) -> Result<Option<Tokens>, String> {
    let Some(endpoint) = options.get("sign").map(signing::endpoint).transpose()?.flatten() else { return Ok(None) };
    let others = ["sas", "key", "token", "client_id", "client_secret"].iter().find(|name| options.get(name).is_some());
    if let Some(other) = others.copied().or(place.sas.map(|_| "sas")) {
        return Err(format!("options `sign` and `{other}` are two ways to sign: expected one of them"));
    }
    let guard = environment.guard();
    // In a session of someone else's the endpoint is someone else's choice, and may be anyone's.
    let shows_key = guard.is_none() || signing::is_planetary_computer(&endpoint);
    let key = environment.get(SUBSCRIPTION_KEY).filter(|_| shows_key);
    Ok(Some(Tokens::of(&endpoint, account, place.container, key, guard)))
}

/// Deletes blobs with a SAS one by one. The store itself does it in batches, whose requests have to be authorized one by
/// one in their turn, which not every SAS allows and Azurite never does.
fn azure_deleter(
    endpoint: &str,
    container: &str,
    sas: &[(String, String)],
    environment: &Environment,
) -> Result<Arc<dyn ObjectStore>, String> {
    let mut url = Url::parse(endpoint).map_err(|e| format!("option `endpoint`: {e}"))?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(container);
    }
    url.query_pairs_mut().extend_pairs(sas);
    Ok(http(&url, environment)?.objects)
}

/// The pairs of a SAS, each value percent-decoded exactly once, a plus sign left alone: it is base64's.
pub(super) fn sas_pairs(sas: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = sas.trim().trim_start_matches('?').split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').ok_or("expected a SAS of name=value pairs, found something else")?;
        let value = percent_encoding::percent_decode_str(value);
        let value = value.decode_utf8().map_err(|_| "a value of the SAS is not UTF-8")?;
        Ok((name.to_string(), value.into_owned()))
    });
    let pairs = pairs.collect::<Result<Vec<_>, String>>()?;
    if !pairs.iter().any(|(name, _)| name == "sig") {
        return Err("expected a SAS with a signature `sig`, found none".to_string());
    }
    Ok(pairs)
}

fn gcs(bucket: &str, key: &str, options: &Options, environment: &Environment) -> Result<Opened, String> {
    let own = ["service_account", "service_account_key", "application_credentials"].iter();
    let own = own.clone().any(|option| options.get(option).is_some());
    let mut builder = GoogleCloudStorageBuilder::new().with_client_options(client()).with_retry(retries());
    if let Some(guard) = environment.guard() {
        builder = builder.with_http_connector(guard);
    }
    let mut signed = own;
    for (name, value) in environment.settings::<GoogleConfigKey>("GOOGLE_") {
        let credential = matches!(
            name,
            GoogleConfigKey::ServiceAccount
                | GoogleConfigKey::ServiceAccountKey
                | GoogleConfigKey::ApplicationCredentials
        );
        if !(matches!(name, GoogleConfigKey::Bucket) || credential && own) {
            signed |= credential;
            builder = builder.with_config(name, value);
        }
    }
    if !signed && let Some(path) = environment.get("SERVICE_ACCOUNT") {
        builder = builder.with_service_account_path(path);
        signed = true;
    }
    for (option, name) in [
        ("endpoint", GoogleConfigKey::BaseUrl),
        ("service_account", GoogleConfigKey::ServiceAccount),
        ("service_account_key", GoogleConfigKey::ServiceAccountKey),
        ("application_credentials", GoogleConfigKey::ApplicationCredentials),
    ] {
        if let Some(value) = options.get(option) {
            builder = builder.with_config(name, value);
        }
    }
    // Where `gcloud auth application-default login` leaves them; the builder finds them by itself.
    let logged_in = environment
        .get("HOME")
        .is_some_and(|home| FilePath::new(home).join(".config/gcloud/application_default_credentials.json").is_file());
    signed |= logged_in || options.flag("instance_credentials")?;
    signed &= !options.flag("anonymous")?;
    if options.get("allow_http").is_some() {
        let client = client().with_allow_http(options.flag("allow_http")?);
        builder = builder.with_client_options(client);
    }
    let builder = builder.with_bucket_name(bucket).with_skip_signature(!signed);
    finish(builder.build(), key, signed)
}

fn finish<S: ObjectStore>(store: object_store::Result<S>, key: &str, signed: bool) -> Result<Opened, String> {
    let objects: Arc<dyn ObjectStore> = Arc::new(store.map_err(|e| e.to_string())?);
    let root = Path::parse(key).map_err(|e| e.to_string())?;
    Ok(Opened { objects, root, signed, deleter: None })
}
