#!/usr/bin/env bash
# Compile the lakeFS that go.mod names, once for this user, and print where it lies.
# Needs Go (https://go.dev); takes about four minutes the first time.
set -euo pipefail
cd "$(dirname "$0")"
version=$(sed -n 's|^.*github.com/treeverse/lakefs v\([0-9.]*\).*$|\1|p' go.mod)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/editmill/lakefs/$version
if [ ! -x "$folder/lakefs" ]; then
  command -v go >/dev/null || { echo "lakeFS $version cannot be compiled: Go is not installed" >&2; exit 1; }
  echo "Compiling lakeFS $version into $folder (about four minutes) …" >&2
  mkdir -p "$folder"
  part=$(mktemp "$folder/.lakefs.XXXXXX")  # renamed when whole: an interrupted build leaves no half
  trap 'rm -f "$part"' EXIT
  CGO_ENABLED=0 go build -o "$part" -ldflags "-s -w" github.com/treeverse/lakefs/cmd/lakefs
  chmod 755 "$part"
  mv "$part" "$folder/lakefs"
fi
echo "$folder/lakefs"
