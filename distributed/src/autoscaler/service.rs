//! The calls of KEDA's external scaler.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use tonic::body::Body;
use tonic::codegen::{Service, StdError, http};
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status};

use super::codec::MessageCodec;
use super::message::{IsActive, MetricSpec, MetricSpecs, MetricValue, Metrics, MetricsRequest, ScaledObject};
use super::{DEFAULT_CLUSTER, METRIC};
use crate::control::LocalClusters;

/// The key of the metadata that names a cluster.
const CLUSTER: &str = "cluster";

/// How often it is looked whether executors are wanted.
const POLL: Duration = Duration::from_millis(500);

/// Tells KEDA of clusters.
#[derive(Debug, Clone)]
pub(super) struct ScalerService {
    pub(super) clusters: Arc<LocalClusters>,
}

impl NamedService for ScalerService {
    const NAME: &'static str = "externalscaler.ExternalScaler";
}

impl ScalerService {
    /// Whether there should be any executors.
    async fn activity(self, object: ScaledObject) -> Result<IsActive, Status> {
        Ok(IsActive { result: self.wanted(&object).await? > 0 })
    }

    /// The same at once, and whenever it changes.
    async fn activity_changes(
        self,
        object: ScaledObject,
    ) -> Result<BoxStream<'static, Result<IsActive, Status>>, Status> {
        // A cluster that is not there is told of before there is a stream.
        self.wanted(&object).await?;
        let changes = stream::try_unfold((self, object, None), |(scaler, object, told)| async move {
            loop {
                let now = IsActive { result: scaler.wanted(&object).await? > 0 };
                if told != Some(now) {
                    return Ok(Some((now, (scaler, object, Some(now)))));
                }
                tokio::time::sleep(POLL).await;
            }
        });
        Ok(changes.boxed())
    }

    async fn metric_specs(self, object: ScaledObject) -> Result<MetricSpecs, Status> {
        self.wanted(&object).await?;
        let spec = MetricSpec { name: METRIC.to_string(), target: 1, target_float: 1.0 };
        Ok(MetricSpecs { specs: vec![spec] })
    }

    async fn metrics(self, request: MetricsRequest) -> Result<Metrics, Status> {
        let MetricsRequest { object, name } = request;
        let is_known = name.is_empty() || without_index(&name) == METRIC;
        if !is_known {
            return Err(Status::invalid_argument(format!("no metric `{name}`: expected `{METRIC}`")));
        }
        let wanted = self.wanted(&object.unwrap_or_default()).await?;
        let value = MetricValue { name: METRIC.to_string(), value: i64::from(wanted), value_float: f64::from(wanted) };
        Ok(Metrics { values: vec![value] })
    }

    /// How many executors there should be of the cluster that is meant.
    async fn wanted(&self, object: &ScaledObject) -> Result<u32, Status> {
        let name = match object.metadata.get(CLUSTER) {
            Some(name) => name.clone(),
            None => self.only_cluster().await,
        };
        match self.clusters.wanted(&name).await {
            Some(wanted) => Ok(wanted),
            None => {
                let known: Vec<String> = self.clusters.addresses().await.into_iter().map(|(name, _)| name).collect();
                let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
                Err(Status::not_found(format!("no cluster `{name}`: there are {known}")))
            }
        }
    }

    async fn only_cluster(&self) -> String {
        let mut clusters = self.clusters.addresses().await;
        match (clusters.pop(), clusters.is_empty()) {
            (Some((name, _)), true) => name,
            _ => DEFAULT_CLUSTER.to_string(),
        }
    }
}

/// KEDA puts the place of a trigger before the name of its metric: `s0-name`.
fn without_index(name: &str) -> &str {
    let after = name.strip_prefix('s').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    after.and_then(|rest| rest.strip_prefix('-')).unwrap_or(name)
}

impl<B> Service<http::Request<B>> for ScalerService
where
    B: tonic::codegen::Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let scaler = self.clone();
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_string();
            Ok(match method.as_str() {
                "IsActive" => {
                    let method = Method(move |object| scaler.clone().activity(object));
                    Grpc::new(MessageCodec::<IsActive, ScaledObject>::default()).unary(method, request).await
                }
                "StreamIsActive" => {
                    let method = Method(move |object| scaler.clone().activity_changes(object));
                    Grpc::new(MessageCodec::<IsActive, ScaledObject>::default()).server_streaming(method, request).await
                }
                "GetMetricSpec" => {
                    let method = Method(move |object| scaler.clone().metric_specs(object));
                    Grpc::new(MessageCodec::<MetricSpecs, ScaledObject>::default()).unary(method, request).await
                }
                "GetMetrics" => {
                    let method = Method(move |request| scaler.clone().metrics(request));
                    Grpc::new(MessageCodec::<Metrics, MetricsRequest>::default()).unary(method, request).await
                }
                other => Status::unimplemented(format!("no method `{other}`")).into_http(),
            })
        })
    }
}

/// A function of a message as a method.
struct Method<F>(F);

impl<F, In, Out, Ended> Service<Request<In>> for Method<F>
where
    F: FnMut(In) -> Ended,
    Ended: Future<Output = Result<Out, Status>> + Send + 'static,
    Out: 'static,
{
    type Response = Response<Out>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Out>, Status>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let ended = (self.0)(request.into_inner());
        Box::pin(async move { ended.await.map(Response::new) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_trigger_is_no_part_of_a_name() {
        for name in ["quarray_desired_executors", "s0-quarray_desired_executors", "s12-quarray_desired_executors"] {
            assert_eq!(without_index(name), METRIC);
        }
        assert_eq!(without_index("s-1"), "1");
        assert_eq!(without_index("speed"), "speed");
    }
}
