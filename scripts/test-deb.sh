#!/bin/sh
# Installs the package that `make deb` has built, checks its files and the program, and removes it again. Needs root on
# a Debian machine without an installed marie-exporter.
set -eu
cd "$(dirname "$0")/.."
package=$(ls target/debian/marie-exporter_*.deb)
if dpkg-query --show marie-exporter >/dev/null 2>&1; then
    echo "marie-exporter is already installed on this machine; nothing was changed" >&2
    exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"; dpkg --purge marie-exporter >/dev/null 2>&1 || true' EXIT
trap 'exit 1' HUP INT TERM

apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "./$package"

# Check the archive, because dpkg can be configured to install no manual pages.
dpkg-deb --contents "$package" >"$work/contents"
for file in bin/marie-exporter lib/systemd/system/marie-exporter.service etc/marie-exporter/config.yml \
    share/man/man1/marie-exporter.1.gz share/man/man1/marie-exporter-serve.1.gz \
    share/bash-completion/completions/marie-exporter share/zsh/vendor-completions/_marie-exporter \
    share/fish/vendor_completions.d/marie-exporter.fish share/marie-exporter/alerts/marie.rules.yml \
    share/marie-exporter/dashboards/marie-overview.json; do
    grep -q "/$file\$" "$work/contents" || { echo "no $file in $package" >&2; exit 1; }
done
if marie-exporter --help | grep demo; then echo "the demo is in the package" >&2; exit 1; fi
test "$(dpkg-query --show --showformat='${Conffiles}' marie-exporter | awk '{print $1}')" = /etc/marie-exporter/config.yml

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
marie-exporter --version | grep -F "$version"
marie-exporter rules | cmp - alerts/marie.rules.yml
systemd-analyze verify --man=no marie-exporter.service

dpkg --purge marie-exporter
for left in /usr/bin/marie-exporter /etc/marie-exporter /usr/share/marie-exporter; do
    if [ -e "$left" ]; then echo "left behind: $left" >&2; exit 1; fi
done
echo "$package: installed, checked, removed"
