//! Ending what runs: `CancelFlightInfo`, and `CancelQuery`, which it replaced.
//!
//! Beside these, a call or stream that its client drops ends the work that was done for it.

use arrow_flight::sql::{ActionCancelQueryRequest, ActionCancelQueryResult, Any, Command, ProstMessageExt};
use arrow_flight::{
    CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightEndpoint, FlightInfo,
    RenewFlightEndpointRequest, Ticket,
};
use prost::Message;
use tonic::Status;

use super::poll::running_handle;
use super::results::SessionResult;
use super::seal::SealedKind;
use crate::serve::service::StatementService;
use crate::serve::sessions::SessionInUse;

/// Flight SQL's word for a query that has been cancelled.
const QUERY_CANCELLED: i32 = 1;

impl StatementService {
    /// Ends a statement or the making of its rows.
    pub(in crate::serve) fn cancel_flight(&self, session: &SessionInUse, body: &[u8]) -> Result<Vec<u8>, Status> {
        let request = CancelFlightInfoRequest::decode(body).map_err(|_| unreadable("CancelFlightInfo"))?;
        let info = request.info.ok_or_else(|| unreadable("CancelFlightInfo"))?;
        self.cancel(session, &info)?;
        Ok(CancelFlightInfoResult { status: CancelStatus::Cancelled.into() }.encode_to_vec())
    }

    /// The same, as older clients ask for it.
    pub(in crate::serve) fn cancel_query(&self, session: &SessionInUse, body: &[u8]) -> Result<Vec<u8>, Status> {
        let request = Any::decode(body).ok().and_then(|any| any.unpack::<ActionCancelQueryRequest>().ok().flatten());
        let info = request.and_then(|request| FlightInfo::decode(request.info).ok());
        self.cancel(session, &info.ok_or_else(|| unreadable("CancelQuery"))?)?;
        Ok(ActionCancelQueryResult { result: QUERY_CANCELLED }.as_any().encode_to_vec())
    }

    /// Lets a result stay for as long again.
    pub(in crate::serve) fn renew(&self, session: &SessionInUse, body: &[u8]) -> Result<Vec<u8>, Status> {
        let request = RenewFlightEndpointRequest::decode(body).map_err(|_| unreadable("RenewFlightEndpoint"))?;
        let endpoint = request.endpoint.ok_or_else(|| unreadable("RenewFlightEndpoint"))?;
        let ticket = endpoint.ticket.ok_or_else(|| unreadable("RenewFlightEndpoint"))?;
        let result = self.result(session, &ticket)?;
        result.renew();
        let renewed: FlightEndpoint = self.endpoint(session, &result);
        Ok(renewed.encode_to_vec())
    }

    /// The result that a ticket stands for.
    pub(in crate::serve) fn result(
        &self,
        session: &SessionInUse,
        ticket: &Ticket,
    ) -> Result<std::sync::Arc<SessionResult>, Status> {
        let any = Any::decode(ticket.ticket.as_ref()).map_err(|_| unreadable("ticket"))?;
        match Command::try_from(any) {
            Ok(Command::TicketStatementQuery(ticket)) => {
                let name = self.sessions.seals().open(SealedKind::Result, &ticket.statement_handle, session)?;
                session.results.get(&name)
            }
            _ => Err(unreadable("ticket")),
        }
    }

    fn cancel(&self, session: &SessionInUse, info: &FlightInfo) -> Result<(), Status> {
        if let Some(descriptor) = &info.flight_descriptor
            && running_handle(descriptor).is_some()
        {
            let name = self.running_name(session, descriptor)?;
            return match session.polls.cancel(&name) {
                true => Ok(()),
                false => Err(Status::not_found("no such statement runs")),
            };
        }
        let tickets = info.endpoint.iter().filter_map(|endpoint| endpoint.ticket.as_ref());
        let results = tickets.map(|ticket| self.result(session, ticket)).collect::<Result<Vec<_>, _>>()?;
        if results.is_empty() {
            return Err(Status::invalid_argument("expected an info with a ticket, found none"));
        }
        results.iter().for_each(|result| result.cancel());
        Ok(())
    }
}

/// A message that is not what the call takes.
pub(super) fn unreadable(what: &str) -> Status {
    Status::invalid_argument(format!("cannot read the {what}"))
}
