//! The manifests are valid YAML. Their command line starts the exporter, which has their ports and paths.

use serde_json::Value;

use crate::contrib::{help, path, read, run, start};
use crate::support::process::{output, text};
use crate::support::scrape::get;

const MANIFEST: &str = "contrib/kubernetes/marie-exporter.yml";

/// Parses the objects of a file.
fn objects(yaml: &str) -> Vec<Value> {
    let documents = yaml.split("\n---\n");
    documents
        .map(|document| serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{error}")))
        .collect()
}

fn object(yaml: &str, kind: &str) -> Value {
    let found = objects(yaml).into_iter().find(|object| object["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} found"))
}

fn pod() -> Value {
    object(&read(MANIFEST), "Deployment")["spec"]["template"]["spec"].clone()
}

#[test]
fn container_command_answers_probes_and_scrape() {
    let folder = tempfile::tempdir().unwrap();
    let pod = pod();
    let container = &pod["containers"][0];
    let arguments: Vec<&str> =
        container["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    // The files are on the volumes.
    let mounts: Vec<&str> = container["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| mount["mountPath"].as_str().unwrap())
        .collect();
    let [secret, state] = mounts[..] else { panic!("{mounts:?}") };
    std::fs::write(folder.path().join("url"), "postgres://absent@127.0.0.1:1/none").unwrap();
    let here = folder.path().to_str().unwrap();
    let process = start(
        &arguments.join(" "),
        &[(secret, here), (state, here), ("address=:10187", "address=127.0.0.1:0")],
    );
    let monitor = object(&read("contrib/kubernetes/service-monitor.yml"), "ServiceMonitor");
    for (path, source) in [
        (&container["livenessProbe"]["httpGet"]["path"], "liveness"),
        (&container["readinessProbe"]["httpGet"]["path"], "readiness"),
        (&monitor["spec"]["endpoints"][0]["path"], "monitor"),
    ] {
        let url = format!("{}{}", process.address(), path.as_str().unwrap());
        crate::support::scrape::until(&url, source, |answer| answer.status == 200);
    }
    assert_eq!(get(&format!("{}/-/no-such-path", process.address())).status, 404);
}

#[test]
fn ports_and_selectors_of_manifests_match_the_exporter() {
    let manifest = read(MANIFEST);
    let pod = pod();
    let container = &pod["containers"][0];
    let port = &container["ports"][0];
    let service = object(&manifest, "Service");
    let monitor = object(&read("contrib/kubernetes/service-monitor.yml"), "ServiceMonitor");
    assert!(help().contains(&format!("[default: 127.0.0.1:{}]", port["containerPort"])), "{port}");
    assert_eq!(service["spec"]["ports"][0]["port"], port["containerPort"]);
    for by_name in [
        &service["spec"]["ports"][0]["targetPort"],
        &monitor["spec"]["endpoints"][0]["port"],
        &container["livenessProbe"]["httpGet"]["port"],
        &container["readinessProbe"]["httpGet"]["port"],
    ] {
        assert_eq!(by_name, &port["name"]);
    }
    let deployment = object(&manifest, "Deployment");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&service["spec"]["selector"], labels);
    assert_eq!(monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"]);
    let claim = object(&manifest, "PersistentVolumeClaim");
    assert_eq!(claim["metadata"]["name"], pod["volumes"][1]["persistentVolumeClaim"]["claimName"]);
    let image = format!("marie-exporter:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(container["image"], image.as_str());
    assert!(read("contrib/docker/Dockerfile").contains(&image));
}

#[test]
fn prometheus_rule_contains_the_rules_of_the_command() {
    let script = path("contrib/kubernetes/prometheus-rule.sh");
    let printed = text(&run(script.to_str().unwrap(), &[]).stdout);
    let rules: Value = serde_saphyr::from_str(&text(&output(&["rules"]).stdout)).unwrap();
    assert!(rules["groups"].as_array().unwrap().len() > 1);
    assert_eq!(object(&printed, "PrometheusRule")["spec"], rules);
}
