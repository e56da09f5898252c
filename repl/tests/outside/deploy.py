"""Reads manifests for Kubernetes, and looks whether what they name of one another is there."""

import re
import sys

import yaml

objects, others = {}, {}
for path in sys.argv[1:]:
    with open(path) as file:
        for document in yaml.safe_load_all(file):
            if "kind" not in document:
                others[path.rsplit("/", 1)[-1]] = document
                continue
            key = (document["kind"], document.get("metadata", {}).get("name", path.rsplit("/", 1)[-1]))
            assert document["apiVersion"] and key not in objects, key
            objects[key] = document


def of_kind(kind):
    return {name: value for (other, name), value in objects.items() if other == kind}


namespace = "quarray"
for (kind, name), value in objects.items():
    if kind not in ("Namespace", "Kustomization"):
        assert value["metadata"]["namespace"] == namespace, (kind, name)

deployments, services, secrets = of_kind("Deployment"), of_kind("Service"), of_kind("Secret")
containers, labels = {}, {}
for name, deployment in deployments.items():
    template = deployment["spec"]["template"]
    labels[name] = template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels[name].items(), name
    (container,) = template["spec"]["containers"]
    containers[name] = container
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes), name
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    for argument in container["args"]:
        place = argument.partition("=")[2]
        if place.startswith("/etc/"):
            folder, _, file = place.rpartition("/")
            assert file in secrets[mounts[folder]["secret"]["secretName"]]["stringData"], argument
        for variable in re.findall(r"\$\((\w+)\)", argument):
            assert variable in [one["name"] for one in container["env"]], argument


def arguments(container):
    return dict(argument[2:].split("=", 1) for argument in container["args"] if argument.startswith("--"))


server, executor = containers["quarray-server"], containers["quarray-executors"]
ports = {port["name"]: port["containerPort"] for port in server["ports"]}
options = arguments(server)
listening = {"flight": options["listen"], "scheduler": options["scheduler"], "scaler": options["scaler"]}
assert ports == {name: int(address.rpartition(":")[2]) for name, address in listening.items()}, ports

(service_name, service), = services.items()
assert service["spec"]["selector"].items() <= labels["quarray-server"].items()
assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == ports
assert all(port["targetPort"] in ports for port in service["spec"]["ports"])
host = f"{service_name}.{namespace}.svc"
assert arguments(executor)["scheduler"] == f"{host}:{ports['scheduler']}"
assert arguments(executor)["work-dir"] in [mount["mountPath"] for mount in executor["volumeMounts"]]
assert arguments(executor)["work-dir"] in " ".join(executor["readinessProbe"]["exec"]["command"])
assert "USR1" in " ".join(executor["lifecycle"]["preStop"]["exec"]["command"])

(scaled,) = of_kind("ScaledObject").values()
assert scaled["spec"]["scaleTargetRef"]["name"] in deployments
(trigger,) = scaled["spec"]["triggers"]
assert trigger["type"] == "external-push" and trigger["metricType"] == "AverageValue"
assert trigger["metadata"] == {"scalerAddress": f"{host}:{ports['scaler']}", "cluster": "outside"}
(scaler,) = of_kind("HorizontalPodAutoscaler").values()
assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
(metric,) = scaler["spec"]["metrics"]
(rule,) = others["adapter-rules.yaml"]["rules"]["external"]
assert rule["name"]["as"] == metric["external"]["metric"]["name"]

for name, policy in of_kind("NetworkPolicy").items():
    selected = policy["spec"]["podSelector"]["matchLabels"].items()
    assert sum(selected <= of.items() for of in labels.values()) == 1, name
open_ports = {port["port"] for rule in objects["NetworkPolicy", "quarray-server"]["spec"]["ingress"] for port in rule["ports"]}
assert open_ports == set(ports.values()), open_ports

kustomization = objects["Kustomization", "kustomization.yaml"]
files = {path.rsplit("/", 1)[-1] for path in sys.argv[1:]}
assert set(kustomization["resources"]) == files - {"kustomization.yaml", "secrets.yaml", "autoscaler.yaml", "adapter-rules.yaml"}
print(len(objects), "objects")
