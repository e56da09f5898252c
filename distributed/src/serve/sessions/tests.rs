//! How many sessions there are, and when they end.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::serve::flight::{Anyone, Unlimited};

type Ended<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

fn sessions() -> Ended<Sessions> {
    let rules = SessionRules {
        make: Arc::new(|_| Session::builder().threads(1).build()),
        authenticator: Arc::new(Anyone),
        admission: Arc::new(Unlimited),
        idle_max: HALF_AN_HOUR,
    };
    Ok(Sessions::new(rules)?)
}

fn shows(header: &str) -> Ended<Caller> {
    let mut request = Request::new(());
    request.metadata_mut().insert("authorization", header.parse()?);
    Ok(Caller::of(&request)?)
}

fn named(name: &str) -> Ended<Caller> {
    shows(&format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:password"))))
}

impl Sessions {
    /// The session of a token, which has been silent for so long.
    fn silent_for(&self, token: &str, time: Duration) -> Ended {
        let known = self.known.lock();
        let session = known.by_token.get(token).ok_or("no such session")?;
        *session.used.lock() = Instant::now().checked_sub(time).ok_or("the machine was started just now")?;
        Ok(())
    }
}

#[tokio::test]
async fn one_user_leaves_room_for_others() -> Ended {
    let sessions = sessions()?;
    let mut tokens = Vec::new();
    for _ in 0..SESSIONS_OF_USER_MAX {
        tokens.push(sessions.open(&named("ada")?).await?);
    }
    let [first, second, third, ..] = tokens.as_slice() else { return Err("no sessions".into()) };
    // The first is used at this moment, the second was used after all others.
    let in_use = sessions.of(&shows(&authorization(first))?).await?;
    drop(sessions.of(&shows(&authorization(second))?).await?);
    let next = sessions.open(&named("ada")?).await?;
    sessions.of(&shows(&authorization(third))?).await.err().ok_or("the session idle the longest has stayed")?;
    for token in [first, second, &next] {
        sessions.of(&shows(&authorization(token))?).await?;
    }
    assert_eq!(sessions.known.lock().by_token.len(), SESSIONS_OF_USER_MAX);
    sessions.open(&named("bob")?).await?;
    drop(in_use);
    Ok(())
}

#[tokio::test]
async fn sessions_in_use_are_not_ended_for_new_ones() -> Ended {
    let sessions = sessions()?;
    let mut in_use = Vec::new();
    for _ in 0..SESSIONS_OF_USER_MAX {
        let token = sessions.open(&named("ada")?).await?;
        in_use.push(sessions.of(&shows(&authorization(&token))?).await?);
    }
    let refused = sessions.open(&named("ada")?).await.err().ok_or("one too many")?;
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    drop(in_use.pop());
    sessions.open(&named("ada")?).await?;
    Ok(())
}

#[tokio::test]
async fn a_session_that_was_never_used_ends_sooner() -> Ended {
    let sessions = sessions()?;
    let (used, unused) = (sessions.open(&named("ada")?).await?, sessions.open(&named("ada")?).await?);
    drop(sessions.of(&shows(&authorization(&used))?).await?);
    for token in [&used, &unused] {
        sessions.silent_for(token, UNUSED_MAX + Duration::from_secs(1))?;
    }
    sessions.drop_idle();
    assert!(sessions.of(&shows(&authorization(&unused))?).await.is_err(), "nobody has used it");
    sessions.of(&shows(&authorization(&used))?).await?;
    Ok(())
}
