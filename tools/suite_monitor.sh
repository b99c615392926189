# To be sourced by the shell that runs a suite, in the suite's namespaces, before its first program:
#
#   . tools/suite_monitor.sh FOLDER SUITE
#
# Starts a monitor that serves this suite alone, and sees to it that FOLDER/SUITE.totals.json says what the programs moved by
# each transport: every 15 seconds, in case the suite is ended by force, and when this shell ends. The programs need
# SDCORE_RUNTIME_DIR, which is exported here, and the library, which `sdcore run` preloads.
suite_folder=$1 suite_name=$2
SDCORE_RUNTIME_DIR=$(mktemp -d "${TMPDIR:-/tmp}/sdcore-$suite_name.XXXXXX")
export SDCORE_RUNTIME_DIR

suite_totals() {
  sdcore ss --totals --json >"$suite_folder/$suite_name.totals.new" &&
    mv "$suite_folder/$suite_name.totals.new" "$suite_folder/$suite_name.totals.json"
}

# Programs that were killed a moment ago are counted when the monitor has heard of their death.
suite_end() {
  kill "$suite_sampler" 2>/dev/null
  sleep 1
  suite_totals
  sdcore monitor stop
  rm -rf "$SDCORE_RUNTIME_DIR"
}

sdcore monitor start || exit
while sleep 15; do suite_totals; done </dev/null >/dev/null 2>&1 &
suite_sampler=$!
trap suite_end EXIT
