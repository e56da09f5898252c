//! A client of gRPC asks as KEDA does.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status, Streaming};

use super::codec::MessageCodec;
use super::message::{IsActive, MetricSpecs, Metrics, MetricsRequest, ScaledObject};
use super::{METRIC, ScalerServer};
use crate::cluster::{Program, SchedulerSettings, ballista_codec};
use crate::control::LocalClusters;
use crate::scaling::{Limits, ScalingMode};

type TestResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// KEDA, as far as we are concerned.
struct Keda(Grpc<tonic::transport::Channel>);

impl Keda {
    async fn at(server: &ScalerServer) -> TestResult<Self> {
        Ok(Self(Grpc::new(Endpoint::from_shared(format!("http://{}", server.address()))?.connect().await?)))
    }

    async fn ask<In, Out>(&mut self, method: &'static str, message: In) -> Result<Out, Status>
    where
        In: Message + 'static,
        Out: Message + Default + 'static,
    {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static(method);
        let answer = self.0.unary(Request::new(message), path, MessageCodec::default()).await?;
        Ok(answer.into_inner())
    }

    async fn is_active(&mut self, object: &ScaledObject) -> Result<bool, Status> {
        let answer: IsActive = self.ask("/externalscaler.ExternalScaler/IsActive", object.clone()).await?;
        Ok(answer.result)
    }

    async fn stream(&mut self, object: &ScaledObject) -> Result<Streaming<IsActive>, Status> {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static("/externalscaler.ExternalScaler/StreamIsActive");
        let request = Request::new(object.clone());
        Ok(self.0.server_streaming(request, path, MessageCodec::default()).await?.into_inner())
    }

    async fn desired(&mut self, object: &ScaledObject, name: &str) -> Result<(i64, f64), Status> {
        let request = MetricsRequest { object: Some(object.clone()), name: name.to_string() };
        let answer: Metrics = self.ask("/externalscaler.ExternalScaler/GetMetrics", request).await?;
        let value = answer.values.first().filter(|value| value.name == METRIC && answer.values.len() == 1);
        let value = value.ok_or_else(|| Status::internal(format!("expected one value, found {:?}", answer.values)))?;
        Ok((value.value, value.value_float))
    }

    /// Waits until so many are desired.
    async fn wait(&mut self, object: &ScaledObject, expected: i64) -> TestResult {
        let wait = async {
            while self.desired(object, METRIC).await?.0 != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            TestResult::Ok(())
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.map_err(|_| format!("{expected} are not desired"))?
    }
}

fn of_cluster(name: &str) -> ScaledObject {
    let metadata = [("cluster".to_string(), name.to_string())].into();
    ScaledObject { name: "executors".to_string(), namespace: "quarray".to_string(), metadata }
}

async fn clusters(counts: &[(&str, Option<(u32, u32)>)]) -> TestResult<Arc<LocalClusters>> {
    let clusters = Arc::new(LocalClusters::new(Program::current()?, ballista_codec(), None, Limits::NONE));
    for (name, counts) in counts {
        assert!(clusters.open(name, SchedulerSettings::new(ballista_codec()), *counts).await?);
    }
    Ok(clusters)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cluster_has_a_number_of_its_own() -> TestResult {
    let clusters = clusters(&[("outside", Some((2, 9))), ("big", None)]).await?;
    let server = ScalerServer::start(ANYWHERE, Arc::clone(&clusters)).await?;
    let mut keda = Keda::at(&server).await?;
    let (named, other, unnamed) = (of_cluster("outside"), of_cluster("big"), ScaledObject::default());
    keda.wait(&named, 2).await?;
    assert_eq!(keda.desired(&unnamed, "s1-quarray_desired_executors").await?, (2, 2.0));
    assert_eq!(keda.desired(&other, "").await?, (0, 0.0));
    assert!(keda.is_active(&named).await? && keda.is_active(&unnamed).await? && !keda.is_active(&other).await?);
    let specs: MetricSpecs = keda.ask("/externalscaler.ExternalScaler/GetMetricSpec", named.clone()).await?;
    let specs: Vec<_> = specs.specs.iter().map(|spec| (spec.name.as_str(), spec.target, spec.target_float)).collect();
    assert_eq!(specs, [(METRIC, 1, 1.0)]);
    clusters.scale("outside", ScalingMode::Fixed(7)).await;
    keda.wait(&named, 7).await
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_as_they_come() -> TestResult {
    let clusters = clusters(&[("outside", None)]).await?;
    let server = ScalerServer::start(ANYWHERE, Arc::clone(&clusters)).await?;
    let mut keda = Keda::at(&server).await?;
    let mut stream = keda.stream(&of_cluster("outside")).await?;
    assert!(!stream.next().await.ok_or("no first word")??.result);
    clusters.scale("outside", ScalingMode::Fixed(1)).await;
    let changed = tokio::time::timeout(Duration::from_secs(10), stream.next()).await?;
    assert!(changed.ok_or("no second word")??.result);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_an_error() -> TestResult {
    let clusters = clusters(&[("outside", None)]).await?;
    let server = ScalerServer::start(ANYWHERE, clusters).await?;
    let mut keda = Keda::at(&server).await?;
    let missing = of_cluster("missing");
    let errors = [
        keda.is_active(&missing).await.err(),
        keda.stream(&missing).await.err(),
        keda.desired(&missing, METRIC).await.err(),
    ];
    for error in errors {
        let error = error.ok_or("there is no such cluster")?;
        assert_eq!((error.code(), error.message()), (Code::NotFound, "no cluster `missing`: there are outside"));
    }
    let error = keda.desired(&of_cluster("outside"), "queue_length").await.err().ok_or("no such metric")?;
    assert_eq!(error.code(), Code::InvalidArgument);
    let unknown = keda.ask::<_, IsActive>("/externalscaler.ExternalScaler/StreamMetricSpec", missing).await;
    assert_eq!(unknown.err().map(|status| status.code()), Some(Code::Unimplemented));
    Ok(())
}
