#!/usr/bin/env bash
# The jobs of a pipeline, for any CI system. How to set one up: docs/pipelines.md of linq-provider.
#
#   pipeline.sh install             the packages of requirements.txt and the Pulumi CLI, each checked by its hash
#   pipeline.sh preview             what this branch would change; also in preview.txt. Writes nothing at Linq or in the state
#   pipeline.sh up                  applies the default branch, and refuses any other
#   pipeline.sh drift               exit code 0: no drift; 7: drift, which drift.txt shows; 1: could not determine it
#   pipeline.sh report FILE TITLE   Markdown: the title, and the file in a code block that its content cannot leave
set -euo pipefail

STACK=${STACK:-production}
BRANCH=${BRANCH:-}
DEFAULT_BRANCH=${DEFAULT_BRANCH:-main}
SECRETS=(LINQ_API_V3_API_KEY LINQ_PREVIEW_API_KEY PULUMI_ACCESS_TOKEN PULUMI_CONFIG_PASSPHRASE PGPASSWORD
  AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AZURE_STORAGE_KEY AZURE_STORAGE_SAS_TOKEN GOOGLE_CREDENTIALS)

main() {
  local name
  for name in "${SECRETS[@]}"; do # some CI systems hand over a missing secret as an empty variable
    [ -n "${!name:-}" ] || unset "$name"
  done
  scratch=$(mktemp -d)
  trap clean_up EXIT
  case "${1:-}" in
    install) install ;;
    preview | up | drift) PATH="$PWD/.venv/bin:$PATH" && "$1" ;;
    report) report "$2" "$3" ;; # runs nothing that lies in this folder
    *) refuse "pipeline.sh knows install, preview, up, drift and report." ;;
  esac
}

clean_up() {
  [ ! -e "$scratch/stack.yaml" ] || cp "$scratch/stack.yaml" "$(stack_file)"
  rm -rf "$scratch"
}

refuse() {
  echo "${GITHUB_ACTIONS:+::error::}$*" >&2
  exit 1
}

# --- install

install() {
  python3 -m venv --clear .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --require-hashes --only-binary :all: --requirement requirements.txt
  local archive package
  read -r _ archive <pulumi.sha256 || true # an empty file is refused below
  package=$(.venv/bin/python -c 'from importlib.metadata import version; print(version("pulumi"))')
  case $archive in
    "pulumi-v$package-"*) ;;
    *) refuse "pulumi.sha256 names '$archive', but requirements.txt has pulumi $package. Give both the same version." ;;
  esac
  curl --fail --silent --show-error --location --retry 3 --output "$scratch/$archive" \
    "https://get.pulumi.com/releases/sdk/$archive"
  (cd "$scratch" && sha256sum --check --strict --quiet) <pulumi.sha256 ||
    refuse "The download $archive does not have the hash in pulumi.sha256. Nothing was unpacked."
  tar -xzf "$scratch/$archive" -C .venv/bin --strip-components 1
}

# --- preview: runs the code of a branch, so it gets nothing that can write

preview() {
  refuse_key_in_reach
  local note=" Without a Linq key: compared with the state, not with the lines." refresh=--refresh=false
  export LINQ_LIVE_CHECK=false
  if [ -n "${LINQ_PREVIEW_API_KEY:-}" ]; then
    note="" refresh=--refresh
    export LINQ_LIVE_CHECK=true LINQ_API_V3_API_KEY=$LINQ_PREVIEW_API_KEY
  fi
  if without_secrets; then
    note=" Without secrets: compared with nothing, so every line is shown as new."
    use_empty_state
  else
    refuse_key_in_stack_file
    use_state_read_only
  fi
  run_preview preview.txt "$note" "$refresh"
}

refuse_key_in_reach() {
  [ -z "${LINQ_API_V3_API_KEY:-}" ] || refuse "The key LINQ_API_V3_API_KEY is in reach of pull requests: any branch could" \
    "use it. Keep it where only the default branch gets it (GitHub: the environment production, GitLab: a protected" \
    "variable), and delete it here."
}

refuse_key_in_stack_file() {
  ! grep -q '^[^#]*linq:apiKey' "$(stack_file)" 2>/dev/null || refuse "$(stack_file) holds linq:apiKey: every pull" \
    "request could decrypt it. Run \`pulumi config rm linq:apiKey --stack $STACK\`, revoke that key at Linq, and keep the" \
    "new one where only the default branch gets it."
}

without_secrets() {
  local name
  for name in "${SECRETS[@]}"; do
    [ -z "${!name:-}" ] || return 1
  done
}

# The pull request of a fork, or of Dependabot. The stack's plain settings are enough for a check of the program.
use_empty_state() {
  STACK=${STACK##*/}
  export PULUMI_CONFIG_PASSPHRASE=none PULUMI_BACKEND_URL="file://$scratch"
  cp "$(stack_file)" "$scratch/stack.yaml" # put back by clean_up
  python - "$(stack_file)" <<'END'
import sys, pathlib, yaml
file = pathlib.Path(sys.argv[1])
config = (yaml.safe_load(file.read_text()) or {}).get("config") or {}
plain = {key: value for key, value in config.items() if "'secure'" not in repr(value)}
file.write_text(yaml.safe_dump({"config": plain}))
END
  pulumi stack init "$STACK" --non-interactive
}

use_state_read_only() {
  if [[ ${PULUMI_BACKEND_URL:-} == postgres://* ]]; then
    copy_state
  elif pulumi stack tag set linq-preview-may-write true --stack "$STACK" >/dev/null 2>&1; then
    pulumi stack tag rm linq-preview-may-write --stack "$STACK" >/dev/null 2>&1
    refuse_writing
  fi
}

# Pulumi opens PostgreSQL with CREATE TABLE and CREATE INDEX, which PostgreSQL allows to the owner of the table only.
# So the stacks' states are copied into a folder, with nothing but SELECT.
copy_state() {
  local url=$PULUMI_BACKEND_URL table=pulumi_state place key data
  if [[ $url =~ [?\&]table=([^\&]*) ]]; then
    table=${BASH_REMATCH[1]}
    url=$(sed -E 's/([?&])table=[^&]*&?/\1/; s/[?&]$//' <<<"$url")
  fi
  place=${url#*://}
  place=${place%%\?*}/
  place=${place#*/} # the keys begin with the name of the database, where the URL has one
  command -v psql >/dev/null || refuse "psql is not installed. Install PostgreSQL's client: the preview reads the state with it."
  psql "$url" --no-psqlrc --no-password --quiet --no-align --tuples-only --field-separator $'\t' --set ON_ERROR_STOP=1 \
    --set "table=$table" --set "place=$place" >"$scratch/rows" <<'END'
SELECT 'may write', NULL WHERE has_table_privilege(:'table', 'INSERT, UPDATE, DELETE, TRUNCATE');
SELECT substr(key, length(:'place') + 1), data->>'data' FROM :table
WHERE starts_with(key, :'place' || '.pulumi/meta.yaml') OR starts_with(key, :'place' || '.pulumi/stacks/');
END
  mkdir "$scratch/state"
  while IFS=$'\t' read -r key data; do
    [ "$key" != "may write" ] || { refuse_writing && continue; }
    mkdir -p "$(dirname "$scratch/state/$key")"
    base64 --decode <<<"$data" >"$scratch/state/$key"
  done <"$scratch/rows"
  export PULUMI_BACKEND_URL="file://$scratch/state"
}

refuse_writing() {
  [ "${LINQ_PREVIEW_MAY_WRITE_STATE:-}" = true ] || refuse "The credentials of this preview can write the state of stack" \
    "$STACK: any branch could plant code there that the next \`pulumi up\` runs. Give previews credentials that can only read" \
    "(docs/pipelines.md says how), or accept the risk with LINQ_PREVIEW_MAY_WRITE_STATE=true."
}

# --- up and drift: they have the key, so they run the default branch only

up() {
  refuse_other_branches
  refuse_key_in_stack_file
  rm -rf "$scratch"
  # `exec`: a job that is cancelled interrupts Pulumi itself, which finishes its writes and removes its lock.
  exec pulumi up --stack "$STACK" --refresh --yes --diff --non-interactive --color never
}

drift() {
  refuse_other_branches
  refuse_key_in_stack_file
  local status=0
  run_preview drift.txt "" --refresh --expect-no-changes || status=$?
  case $status in
    0 | 7) return "$status" ;;
    *) refuse "Could not determine whether stack $STACK has drifted (exit code $status)." ;;
  esac
}

refuse_other_branches() {
  [ "${BRANCH#refs/heads/}" = "$DEFAULT_BRANCH" ] || refuse "This job runs on branch $DEFAULT_BRANCH only, and BRANCH is" \
    "'$BRANCH'. Nothing was done."
}

# --- what they share

stack_file() {
  echo "Pulumi.${STACK##*/}.yaml"
}

# run_preview FILE NOTE OPTION…: the output goes to the log, and to the file, without the values of the secrets.
run_preview() {
  local file=$1 note=$2 status=0
  shift 2
  pulumi preview --stack "$STACK" --diff "$@" --non-interactive --color never >"$scratch/output" 2>&1 || status=$?
  {
    echo "pulumi preview of stack $STACK ended with exit code $status.$note"
    echo
    cat "$scratch/output"
  } | hide_secrets | tee "$file"
  return "$status"
}

# CI systems hide secrets in their logs only, not in files and comments.
hide_secrets() {
  python3 -I -c '
import os, sys
text = sys.stdin.buffer.read().decode(errors="replace")
for value in filter(None, map(os.environ.get, sys.argv[1:])):
    text = text.replace(value, "[secret]")
sys.stdout.buffer.write(text.encode())
' "${SECRETS[@]}"
}

# The file may come from a job that ran a branch's code: it is no link to another file, nothing in it is longer than the
# fence, and no control character reaches the reader. The result stays under GitHub's 65,536 characters.
report() {
  python3 -I -c '
import os, re, sys
with open(os.open(sys.argv[1], os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
    text = file.read(1_000_000).decode(errors="replace").rstrip("\n")
text = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
if len(text) > 20_000:
    text = text[:20_000] + "\n(cut here; the rest is in the log)"
fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
sys.stdout.buffer.write("\n".join([sys.argv[2], "", fence + "text", text, fence, ""]).encode())
' "$@"
}

main "$@"
