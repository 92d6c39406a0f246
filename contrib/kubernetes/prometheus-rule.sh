#!/bin/sh
# Prints the alerts and recording rules as the Prometheus operator takes them; a PrometheusRule's spec is what
# Prometheus calls a rule file.
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
