//! The actions of the service: those of Flight SQL, and those that our own client asks for beside them.

use arrow_flight::{Action, Result as ActionResult};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use prost::Message;
use tonic::{Request, Status};

use super::flight::{SetSessionOptions, no_transactions, options};
use super::outcome::summary_message;
use super::service::StatementService;
use super::sessions::{Caller, SessionInUse};
use super::{ACTION_CLOSE, ACTION_DESCRIBE, ACTION_NAMES, ACTION_OPTIONS, ACTION_PROGRESS, failure, names};

/// The action that prepares a statement, by its name in Flight SQL.
const CREATE_PREPARED_STATEMENT: &str = "CreatePreparedStatement";

/// The action that closes a prepared statement, by its name in Flight SQL.
const CLOSE_PREPARED_STATEMENT: &str = "ClosePreparedStatement";

/// The names of actions, and what they do.
pub(super) const ACTIONS: [(&str, &str); 11] = [
    (CREATE_PREPARED_STATEMENT, "prepares a statement (ActionCreatePreparedStatementRequest)"),
    (CLOSE_PREPARED_STATEMENT, "closes a prepared statement (ActionClosePreparedStatementRequest)"),
    ("CancelFlightInfo", "ends a query (CancelFlightInfoRequest)"),
    ("CancelQuery", "ends a query (ActionCancelQueryRequest)"),
    ("RenewFlightEndpoint", "lets a result stay for longer (RenewFlightEndpointRequest)"),
    (ACTION_OPTIONS, "sets options of the session (SetSessionOptionsRequest)"),
    ("GetSessionOptions", "the options of the session (GetSessionOptionsResult)"),
    (ACTION_CLOSE, "ends the session (CloseSessionResult)"),
    (ACTION_NAMES, "the names that queries of the session can use"),
    (ACTION_DESCRIBE, "what a name, path or address holds"),
    (ACTION_PROGRESS, "how far the query of the session is"),
];

/// `CloseSessionResult`: the session is closed.
#[derive(Clone, PartialEq, Message)]
struct Closed {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// A session is closed.
const CLOSED: i32 = 1;

impl StatementService {
    /// Does what an action says.
    pub(super) async fn act(
        &self,
        request: Request<Action>,
    ) -> Result<BoxStream<'static, Result<ActionResult, Status>>, Status> {
        if request.get_ref().r#type == ACTION_CLOSE {
            self.sessions.close(&Caller::of(&request)?).await?;
            return Ok(one(Closed { status: CLOSED }.encode_to_vec()));
        }
        let session = self.session(Caller::of(&request)).await?;
        let action = request.into_inner();
        let body = match action.r#type.as_str() {
            CREATE_PREPARED_STATEMENT => self.prepare(&session, &action.body).await?,
            CLOSE_PREPARED_STATEMENT => {
                self.close_prepared(&session, &action.body)?;
                return Ok(stream::empty().boxed());
            }
            "CancelFlightInfo" => self.cancel_flight(&session, &action.body)?,
            "CancelQuery" => self.cancel_query(&session, &action.body)?,
            "RenewFlightEndpoint" => self.renew(&session, &action.body)?,
            ACTION_OPTIONS => {
                let unreadable = |_| Status::invalid_argument("cannot read the options");
                let request = SetSessionOptions::decode(action.body).map_err(unreadable)?;
                let setting = session.share();
                self.run(async move { options::set(&setting, request).await }).await?.encode_to_vec()
            }
            "GetSessionOptions" => options::get(&session).encode_to_vec(),
            "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => return Err(no_transactions()),
            ACTION_NAMES => names::names(&session.session).encode_to_vec(),
            ACTION_PROGRESS => names::progress(&session.session).encode_to_vec(),
            ACTION_DESCRIBE => self.describe(&session, &action.body).await?,
            other => return Err(Status::unimplemented(format!("no action `{other}`"))),
        };
        Ok(one(body))
    }

    async fn describe(&self, session: &SessionInUse, name: &[u8]) -> Result<Vec<u8>, Status> {
        let name = String::from_utf8(name.to_vec()).map_err(|_| Status::invalid_argument("the name is no text"))?;
        let running = session.session.clone();
        let summary = self.run(async move { running.describe(&name).await }).await?;
        let summary = summary.map_err(|error| failure::status(&error))?;
        Ok(summary_message(summary).encode_to_vec())
    }
}

fn one(body: Vec<u8>) -> BoxStream<'static, Result<ActionResult, Status>> {
    stream::iter([Ok(ActionResult { body: body.into() })]).boxed()
}
