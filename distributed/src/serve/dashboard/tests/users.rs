//! With users: nobody sees anything without a password or a token, and of others' statements only administrators do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quarray_engine::outcome::Rows;

use super::*;
use crate::serve::security::{Gatekeeper, Users, hash_quickly, new_token};

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Runs until it is cancelled, when nobody reads it.
const ENDLESS: &str = "SELECT value AS of_ada FROM range(100000000)";

/// A dashboard of three users, with statements of `ada`: one runs, one has failed.
struct Team {
    setting: Setting,
    rows: Option<Rows>,
    running: String,
    failed: String,
    /// The token of an administrator.
    token: String,
}

fn basic(name: &str, password: &str) -> String {
    format!("authorization: Basic {}\r\n", STANDARD.encode(format!("{name}:{password}")))
}

fn ada() -> String {
    basic("ada", "secret of ada")
}

fn bob() -> String {
    basic("bob", "secret of bob")
}

impl Team {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let (token, hash) = new_token()?;
        let (of_ada, of_bob) = (hash_quickly("secret of ada")?, hash_quickly("secret of bob")?);
        let users = Users::parse(&format!("ada {of_ada}\nbob {of_bob} role=read\nchief {hash} role=admin"), "users")?;
        let setting = Setting::with(HERE, Arc::new(Gatekeeper::new(Arc::new(users))?)).await?;
        let queries = Arc::clone(setting.session.queries());
        let session = Session::builder().queries(queries).user("ada").build()?;
        assert!(session.query("SELECT column_of_ada FROM range(3)").await.is_err());
        let rows = session.query(ENDLESS).await?.into_rows()?;
        let queries = setting.session.queries();
        let failed = queries.recent(1).first().ok_or("nothing has ended")?.id.clone();
        let running = queries.running().first().ok_or("nothing runs")?.id.clone();
        Ok(Self { setting, rows: Some(rows), running, failed, token })
    }

    fn chief(&self) -> String {
        format!("authorization: Bearer {}\r\n", self.token)
    }

    async fn told(&self, path: &str, who: &str) -> Result<Value, Box<dyn Error>> {
        let answer = self.setting.ask("GET", path, who).await?;
        assert_eq!((answer.status, path), (200, path), "{}", answer.body);
        Ok(serde_json::from_str(&answer.body)?)
    }

    async fn cancel(&self, id: &str, who: &str) -> Result<Answer, Box<dyn Error>> {
        let own = format!("origin: http://{}\r\ncontent-length: 0\r\n{who}", self.setting.server.address());
        self.setting.ask("POST", &format!("/api/queries/{id}/cancel"), &own).await
    }

    /// All that can be asked for: pages, their files, figures and streams.
    fn paths(&self) -> Vec<String> {
        let of_query =
            |id: &String| [format!("/query/{id}"), format!("/api/queries/{id}"), format!("/api/queries/{id}/live")];
        let others = ["/", "/executors", "/history", "/compare", "/assets/app.js", "/api/overview", "/api/series"];
        let others = others.into_iter().chain(["/api/executors", "/api/history", "/api/live", "/no-such-page"]);
        let of_queries = [&self.running, &self.failed].into_iter().flat_map(of_query);
        others.map(str::to_string).chain(of_queries).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_anything_without_credentials() -> Tested {
    let team = Team::start().await?;
    // Fewer than would have to wait, of this address.
    let wrong = [basic("ada", "guess"), basic("eve", "secret of ada"), "authorization: Bearer guess\r\n".to_string()];
    let unreadable = ["authorization: Basic !\r\n", "authorization: Digest abc\r\n", ""].map(str::to_string);
    for path in team.paths() {
        for who in &unreadable {
            let refused = team.setting.ask("GET", &path, who).await?;
            assert_eq!((refused.status, &path), (401, &path), "{}", refused.body);
            assert!(refused.head.contains("www-authenticate: basic realm=\"quarray\""), "{}", refused.head);
            assert!(!refused.body.contains("of_ada"), "{}", refused.body);
        }
    }
    for who in &wrong {
        let refused = team.setting.ask("GET", "/api/overview", who).await?;
        assert_eq!((refused.status, refused.body.contains("of_ada")), (401, false), "{}", refused.body);
        assert!(refused.head.contains("www-authenticate: basic"), "{}", refused.head);
    }
    assert_eq!(team.cancel(&team.running, "").await?.status, 401);
    assert_eq!(team.setting.session.queries().running_count(), 1);
    // Supervisors and collectors of this machine learn no texts and no names.
    for path in ["/healthz", "/readyz", "/metrics"] {
        let told = team.setting.ask("GET", path, "").await?;
        assert_ne!(told.status, 401, "{path}");
        for secret in ["of_ada", "\"ada\"", &team.running] {
            assert!(!told.body.contains(secret), "{path}: {}", told.body);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_have_to_wait_and_so_does_whoever_guesses() -> Tested {
    let team = Team::start().await?;
    for _ in 0..5 {
        assert_eq!(team.setting.ask("GET", "/", &basic("ada", "guess")).await?.status, 401);
    }
    let later = team.setting.ask("GET", "/", &ada()).await?;
    assert!(later.status == 429 && later.head.contains("retry-after: "), "{}", later.head);
    assert!(!later.head.contains("www-authenticate"), "a browser would forget a right password: {}", later.head);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_others_are_as_if_they_had_never_been() -> Tested {
    let team = Team::start().await?;
    let overview = team.told("/api/overview", &bob()).await?;
    assert_eq!((&overview["viewer"], &overview["running_seen"]), (&"bob".into(), &0.into()));
    assert_eq!((&overview["running"], &overview["recent"]), (&Value::Array(Vec::new()), &Value::Array(Vec::new())));
    assert_eq!(
        (&overview["running_count"], &overview["totals"]["failed"]),
        (&1.into(), &1.into()),
        "figures are of all"
    );
    assert!(team.told("/api/executors", &bob()).await?["process"]["cores"].is_u64());
    for path in ["/api/history", "/api/history?text=ada", "/api/history?state=failed"] {
        assert_eq!(team.told(path, &bob()).await?["found"], 0, "{path}");
    }
    for id in [&team.running, &team.failed] {
        for path in ["", "/live"] {
            let theirs = team.setting.ask("GET", &format!("/api/queries/{id}{path}"), &bob()).await?;
            let never = team.setting.ask("GET", &format!("/api/queries/never{path}"), &bob()).await?;
            assert_eq!((theirs.status, never.status), (404, 404), "{path}: {}", theirs.body);
            assert_eq!(theirs.body, never.body);
        }
        let (theirs, never) = (team.cancel(id, &bob()).await?, team.cancel("never", &bob()).await?);
        assert_eq!((theirs.status, never.status), (404, 404), "{}", theirs.body);
        assert_eq!(theirs.body, never.body);
    }
    let heard = team.setting.listen_for_as("/api/live", &bob(), "event: overview").await?;
    assert!(heard.contains("\"running_count\":1") && !heard.contains("of_ada"), "{heard}");
    // What was made for one who sees all is not told to another, nor the other way.
    assert_eq!(team.told("/api/overview", &team.chief()).await?["running_seen"], 1);
    assert_eq!(team.told("/api/overview", &bob()).await?["running_seen"], 0);
    assert_eq!(team.setting.session.queries().running_count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn own_statements_are_seen_and_cancelled() -> Tested {
    let mut team = Team::start().await?;
    let overview = team.told("/api/overview", &ada()).await?;
    assert_eq!((&overview["running"][0]["id"], &overview["viewer"]), (&team.running.as_str().into(), &"ada".into()));
    assert_eq!(overview["recent"][0]["id"], team.failed.as_str());
    assert_eq!(team.told("/api/history?text=column_of_ada", &ada()).await?["found"], 1);
    let told = team.told(&format!("/api/queries/{}", team.running), &ada()).await?;
    assert_eq!((&told["query"]["text"], &told["query"]["user"]), (&ENDLESS.into(), &"ada".into()));
    let path = format!("/api/queries/{}/live", team.running);
    assert!(team.setting.listen_for_as(&path, &ada(), "event: query").await?.contains("of_ada"));
    // The address that a statement tells of itself is one for a browser, which asks for the password then.
    assert_eq!(team.setting.ask("GET", &format!("/query/{}", team.running), &ada()).await?.status, 200);
    assert_eq!(team.cancel(&team.running, &ada()).await?.status, 200);
    assert!(team.rows.take().ok_or("no rows")?.collect().await.is_err());
    assert_eq!(team.told("/api/history", &ada()).await?["queries"][0]["state"], "cancelled");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_see_and_cancel_all_of_it() -> Tested {
    let mut team = Team::start().await?;
    let chief = team.chief();
    let overview = team.told("/api/overview", &chief).await?;
    assert_eq!((&overview["running"][0]["user"], &overview["viewer"]), (&"ada".into(), &Value::Null));
    assert_eq!(team.told("/api/history", &chief).await?["queries"][0]["id"], team.failed.as_str());
    let told = team.told(&format!("/api/queries/{}", team.running), &chief).await?;
    assert_eq!(told["query"]["text"], ENDLESS);
    assert_eq!(team.cancel(&team.running, &chief).await?.status, 200);
    assert!(team.rows.take().ok_or("no rows")?.collect().await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_asked_for_on_this_machine_alone() -> Tested {
    let users = Users::parse(&format!("ada {}", hash_quickly("secret")?), "users")?;
    let access = Arc::new(Gatekeeper::new(Arc::new(users))?);
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Setting::with(everywhere, access).await.err().ok_or("it asks for passwords in the clear")?;
    assert!(matches!(refused.downcast_ref::<ClusterError>(), Some(ClusterError::InTheClear { .. })), "{refused}");
    Ok(())
}
