#!/bin/sh
# Prints the alerts and recording rules as a PrometheusRule for the Prometheus operator. Its spec has the format of a
# rule file.
#
# usage: contrib/kubernetes/prometheus-rule.sh | kubectl apply -f -
set -eu
cat <<'END'
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: marie-exporter
  labels: {app.kubernetes.io/name: marie-exporter}
spec:
END
sed 's/^./  &/' "$(dirname "$0")/../../alerts/marie.rules.yml"
