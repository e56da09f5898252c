"""Asks an external scaler everything that KEDA asks: folder of the protocol, address, name of a cluster."""

import sys
import tempfile

import grpc
from grpc_tools import protoc

folder, address, cluster = sys.argv[1:]
with tempfile.TemporaryDirectory() as generated:
    options = [f"-I{folder}", f"--python_out={generated}", f"--grpc_python_out={generated}"]
    if protoc.main(["protoc", *options, f"{folder}/externalscaler.proto"]) != 0:
        sys.exit("the protocol cannot be compiled")
    sys.path.insert(0, generated)
    import externalscaler_pb2 as messages
    import externalscaler_pb2_grpc as services

METRIC = "quarray_desired_executors"
scaled_object = messages.ScaledObjectRef(name="executors", namespace="quarray", scalerMetadata={"cluster": cluster})


def show(name, call):
    try:
        print(name, call())
    except grpc.RpcError as error:
        print(name, error.code().name, error.details())


def spec(answer):
    (spec,) = answer.metricSpecs
    return f"{spec.metricName} {spec.targetSize} {spec.targetSizeFloat}"


def value(answer):
    (value,) = answer.metricValues
    return f"{value.metricName} {value.metricValue} {value.metricValueFloat}"


with grpc.insecure_channel(address) as channel:
    scaler = services.ExternalScalerStub(channel)
    request = messages.GetMetricsRequest(scaledObjectRef=scaled_object, metricName=METRIC)
    show("IsActive", lambda: scaler.IsActive(scaled_object, timeout=10).result)
    show("StreamIsActive", lambda: next(scaler.StreamIsActive(scaled_object, timeout=10)).result)
    show("GetMetricSpec", lambda: spec(scaler.GetMetricSpec(scaled_object, timeout=10)))
    show("GetMetrics", lambda: value(scaler.GetMetrics(request, timeout=10)))
