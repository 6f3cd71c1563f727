#!/usr/bin/env bash
# Writes golden/manifest.json: length and SHA-256 of every file of every case. Run it when an outside authority has made
# new cases, and say in golden/README.md who made them and why; never to make a changed golden pass.
set -euo pipefail
cd "$(dirname "$0")/../../golden"
{
  printf '{\n  "format": "ringflash-golden-manifest/1",\n  "files": ['
  separator=''
  while IFS= read -r file; do
    printf '%s\n    {"path": "%s", "bytes": %s, "sha256": "%s"}' \
      "$separator" "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
    separator=','
  done < <(find . -mindepth 2 -type f -printf '%P\n' | LC_ALL=C sort)
  printf '\n  ]\n}\n'
} > manifest.json.tmp
mv manifest.json.tmp manifest.json
