//! The messages of KEDA's external scaler.

use std::collections::HashMap;

use prost::Message;

/// `ScaledObjectRef`: the object of Kubernetes that asks.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ScaledObject {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub namespace: String,
    /// What the trigger of the scaled object says.
    #[prost(map = "string, string", tag = "3")]
    pub metadata: HashMap<String, String>,
}

/// `IsActiveResponse`
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct IsActive {
    #[prost(bool, tag = "1")]
    pub result: bool,
}

/// `GetMetricSpecResponse`
#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricSpecs {
    #[prost(message, repeated, tag = "1")]
    pub specs: Vec<MetricSpec>,
}

/// `MetricSpec`: a metric, and how much of it one replica is there for.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricSpec {
    #[prost(string, tag = "1")]
    pub name: String,
    /// As a whole number, for a KEDA that does not know the other.
    #[prost(int64, tag = "2")]
    pub target: i64,
    #[prost(double, tag = "3")]
    pub target_float: f64,
}

/// `GetMetricsRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricsRequest {
    #[prost(message, optional, tag = "1")]
    pub object: Option<ScaledObject>,
    #[prost(string, tag = "2")]
    pub name: String,
}

/// `GetMetricsResponse`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Metrics {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<MetricValue>,
}

/// `MetricValue`
#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricValue {
    #[prost(string, tag = "1")]
    pub name: String,
    /// As a whole number, for a KEDA that does not know the other.
    #[prost(int64, tag = "2")]
    pub value: i64,
    #[prost(double, tag = "3")]
    pub value_float: f64,
}
