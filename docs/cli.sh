#!/bin/sh
# Print docs/cli.md from what --help says:  sh docs/cli.sh >docs/cli.md
set -eu
cd "$(dirname "$0")/.."
hdnas=${HDNAS:-./hdnas}
COLUMNS=92
export COLUMNS
echo '# The command line'
printf '\nWhat `hdnas --help` and `hdnas COMMAND --help` print (made by docs/cli.sh).\n'
# The version changes with every commit: the first lines are left out.
printf '\n## hdnas\n\n```\n'
"$hdnas" --help | sed '1,/^$/d'
printf '```\n'
for c in $("$hdnas" info --json | python3 -c 'import json,sys; print(*json.load(sys.stdin)["commands"])'); do
    printf '\n## hdnas %s\n\n```\n' "$c"
    "$hdnas" "$c" --help
    printf '```\n'
done
