#!/bin/sh
# Takes the pictures in dashboards/images. A Prometheus with the bundled rules scrapes the demo for MINUTES, the time
# range of the pictures. Then tests/render draws the dashboards in a browser, which takes some more minutes. Needs
# Node.js 20.19 or newer, and leaves no process running.
#
# usage: [MINUTES=20] scripts/pictures.sh
set -eu
cd "$(dirname "$0")/.."
minutes=${MINUTES:-20}

scripts/require.sh postgresql prometheus chromium pngquant
command -v npm >/dev/null || { echo "missing: npm, of Node.js 20.19 or newer" >&2; exit 1; }
cargo build --release --locked

work=$(mktemp -d)
demo=
prometheus=
end() {
    # shellcheck disable=SC2086 # one word for each started process
    kill $demo $prometheus 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM

free_port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}
exporter_address=127.0.0.1:$(free_port)
prometheus_address=127.0.0.1:$(free_port)

# The shorter slow interval makes finished jobs visible soon. The progress of DAGs is off by default.
target/release/marie-exporter demo --web.listen-address="$exporter_address" \
    --collector.slow-interval=30s --dags.progress-limit=10 >"$work/demo.txt" &
demo=$!
cat >"$work/prometheus.yml" <<EOF
global: {scrape_interval: 15s, evaluation_interval: 15s}
rule_files: [$PWD/alerts/marie.rules.yml]
scrape_configs:
  - job_name: marie
    static_configs: [{targets: ["$exporter_address"]}]
EOF
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" \
    --web.listen-address="$prometheus_address" --log.level=warn &
prometheus=$!

cd tests/render
npm ci --no-audit --no-fund
npm run build
# The demo's queues have no settings. By now its database accepts connections.
psql --quiet "$(sed -n 's/^database *//p' "$work/demo.txt")" <<'EOF'
update marie_scheduler.queue
set policy = 'standard', expire_seconds = 900, retention_minutes = 20160, dead_letter = '$' || name || '_dlq'
where name !~ '^\$'
EOF
cd ../..

mkdir -p dashboards/images
node tests/render/shoot.mjs "http://$prometheus_address" "$minutes" dashboards/images
pngquant --force --ext .png dashboards/images/*.png
