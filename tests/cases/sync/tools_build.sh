#!/bin/bash
# What sqlite, make and a compiler, Python and npm do in a delta: merged, it is as done natively.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/toollib.sh"
. "$ROOT/tests/mergelib.sh"
. "$ROOT/tests/tools/build.sh"

merging_tools build_tools
done_testing
