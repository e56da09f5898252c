//! Who is let in, and what of others' tokens, tickets and sessions is of use to anybody else.

use std::time::Duration;

use arrow_flight::Ticket;
use tonic::Code;

use super::{Bench, Ended, Manners, TOKEN, basic, check, run};
use crate::serve::RemoteSession;

const QUERY: &str = "SELECT 1 AS n";

#[tokio::test(flavor = "multi_thread")]
async fn users_are_let_in_by_password_and_by_token() -> Ended {
    let bench = Bench::start(Manners::default()).await?;
    for name in ["ada", "bob", "eve"] {
        assert_eq!(run(&bench.session(name).await?, QUERY).await?, 1, "{name}");
    }
    let robot = RemoteSession::connect_as(bench.login("robot", TOKEN)).await?;
    assert_eq!(run(&robot, QUERY).await?, 1);
    let token = bench.calls().await?.with(&format!("Bearer {TOKEN}")).handshake().await?;
    let mut calls = bench.calls().await?.with(&format!("Bearer {token}"));
    let ticket = calls.ticket(QUERY).await?;
    assert!(calls.fetch(ticket).await? > 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is() -> Ended {
    // Each with a server of its own: guesses are counted.
    for (case, header) in [
        ("nothing", None),
        ("a wrong password", Some(basic("ada", "bob's"))),
        ("no password", Some(basic("ada", ""))),
        ("no name", Some(basic("", "ada's"))),
        ("an unknown name", Some(basic("mallory", "ada's"))),
        ("another letter case", Some(basic("Ada", "ada's"))),
        ("a user whose time is over", Some(basic("old", "old's"))),
        ("the token of someone else as a password", Some(basic("ada", TOKEN))),
        ("a made-up token", Some("Bearer 00000000000000000000000000000000".to_string())),
        ("a token cut short", Some(format!("Bearer {}", &TOKEN[..31]))),
        ("a token and more", Some(format!("Bearer {TOKEN}0"))),
        ("an empty token", Some("Bearer ".to_string())),
        ("a hash as a token", Some(format!("Bearer {}", super::TokenHash::of(TOKEN)))),
        ("no base 64", Some("Basic !!!".to_string())),
        ("no colon", Some("Basic YWRh".to_string())),
        ("another scheme", Some("Digest abc".to_string())),
        ("no scheme", Some(TOKEN.to_string())),
        ("a header without end", Some(format!("Bearer {}", "x".repeat(12 << 10)))),
    ] {
        let bench = Bench::start(Manners::default()).await?;
        let calls = bench.calls().await?;
        let mut calls = header.map_or(calls.clone(), |header| calls.with(&header));
        check(case, calls.handshake().await, &[Code::Unauthenticated])?;
        check(case, calls.run(QUERY).await, &[Code::Unauthenticated])?;
        check(case, calls.fetch(Ticket::new("x")).await, &[Code::Unauthenticated])?;
        check(case, calls.act("quarray.Names", "").await, &[Code::Unauthenticated])?;
        check(case, calls.act("quarray.Describe", "/etc").await, &[Code::Unauthenticated])?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_slowed_down() -> Ended {
    let bench = Bench::start(Manners::default()).await?;
    let calls = bench.calls().await?;
    for _ in 0..5 {
        let guess = calls.with(&basic("ada", "guess")).handshake().await;
        check("a guess", guess, &[Code::Unauthenticated])?;
    }
    let right = calls.with(&basic("ada", "ada's")).handshake().await;
    check("after guesses", right, &[Code::ResourceExhausted, Code::Unauthenticated])?;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    calls.with(&basic("ada", "ada's")).handshake().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_are_for_their_session_alone() -> Ended {
    let bench = Bench::start(Manners::default()).await?;
    let (mut ada, mut bob) = (bench.calls_of("ada").await?, bench.calls_of("bob").await?);
    let mut ada_again = bench.calls_of("ada").await?;
    let ticket = ada.ticket(QUERY).await?;
    let codes = [Code::NotFound, Code::PermissionDenied, Code::InvalidArgument];
    check("another user's ticket", bob.fetch(ticket.clone()).await, &codes)?;
    check("a ticket of another session", ada_again.fetch(ticket.clone()).await, &codes)?;
    check("a made-up ticket", ada.fetch(Ticket::new("00000000000000000000000000000000")).await, &codes)?;
    check("an empty ticket", ada.fetch(Ticket::new("")).await, &codes)?;
    check("a path as a ticket", ada.fetch(Ticket::new("/etc/hostname")).await, &codes)?;
    let mut changed = ticket.ticket.to_vec();
    if let Some(byte) = changed.last_mut() {
        *byte ^= 1;
    }
    check("a changed ticket", ada.fetch(Ticket::new(changed)).await, &codes)?;
    let longer = [ticket.ticket.as_ref(), b"0"].concat();
    check("a longer ticket", ada.fetch(Ticket::new(longer)).await, &codes)?;
    check("a long ticket", ada.fetch(Ticket::new(vec![b'0'; 1 << 20])).await, &codes)?;
    // After all of that it still is what it was.
    assert!(ada.fetch(ticket).await? > 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_closed_session() -> Ended {
    let bench = Bench::start(Manners::default()).await?;
    let (mut ada, mut other) = (bench.calls_of("ada").await?, bench.calls_of("ada").await?);
    let ticket = ada.ticket(QUERY).await?;
    ada.act("CloseSession", "").await?;
    check("a statement after the end", ada.run(QUERY).await, &[Code::Unauthenticated])?;
    check("a ticket after the end", ada.fetch(ticket.clone()).await, &[Code::Unauthenticated])?;
    check("an action after the end", ada.act("quarray.Progress", "").await, &[Code::Unauthenticated])?;
    let codes = [Code::NotFound, Code::PermissionDenied, Code::InvalidArgument];
    check("its ticket in another session", other.fetch(ticket).await, &codes)?;
    assert!(other.run(QUERY).await.is_ok(), "the other session ended too");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_when_nobody_uses_it() -> Ended {
    let idle_max = Duration::from_millis(400);
    let bench = Bench::start(Manners { idle_max, ..Manners::default() }).await?;
    let mut ada = bench.calls_of("ada").await?;
    let ticket = ada.ticket(QUERY).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    check("an expired token", ada.run(QUERY).await, &[Code::Unauthenticated])?;
    check("a ticket with it", ada.fetch(ticket).await, &[Code::Unauthenticated])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_statement_is_told_so() -> Ended {
    let bench = Bench::start(Manners::default()).await?;
    let mut ada = bench.calls_of("ada").await?;
    check("an unknown action", ada.act("quarray.Shutdown", "").await, &[Code::Unimplemented, Code::InvalidArgument])?;
    check("a statement without words", ada.run("").await, &[Code::InvalidArgument])?;
    check("two statements", ada.run("SELECT 1; SELECT 2").await, &[Code::InvalidArgument])?;
    check("text that is none", ada.run("\0\u{202e}'; DROP").await, &[Code::InvalidArgument])?;
    Ok(())
}
