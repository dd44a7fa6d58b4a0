#!/usr/bin/env bash
# Installs the programs that some tests hold diskferry against: qemu-img, a real Swift, Keystone and Ceph, OpenStack's clients,
# a FAT checker.
# Debian and Ubuntu, as root. Elsewhere it names what is missing: the tests that need it then skip, and say why.
set -euo pipefail

packages=(
  qemu-utils                                             # qemu-img and qemu-io, the reference for image formats
  python3-swift python3-swiftclient                      # OpenStack Swift and its client
  python3-keystone python3-keystonemiddleware            # its identity service
  python3-cinderclient python3-openstackclient           # clients that export volumes as images
  ceph-mon ceph-osd radosgw                              # Ceph with its S3 gateway
  libdeflate0 libisal2 libzstd1                          # faster deflate and zstd, used where they are found
  dosfstools mtools e2fsprogs                            # file systems: fsck.fat, mcopy, mke2fs
  openssl                                                # certificates for TLS tests
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: every program that the tests use is installed"
elif ! command -v apt-get >/dev/null; then
  echo "setup: not a Debian system, nothing installed; tests that need these skip: ${missing[*]}"
elif [ "$(id -u)" -ne 0 ]; then
  echo "setup: not root, nothing installed; tests that need these skip: ${missing[*]}"
else
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq </dev/null
  # Services stay off: the tests start their own, on loopback, and stop them.
  mask=/usr/sbin/policy-rc.d
  if [ ! -e "$mask" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$mask"
    chmod +x "$mask"
    trap 'rm -f "$mask"' EXIT
  fi
  apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
fi
