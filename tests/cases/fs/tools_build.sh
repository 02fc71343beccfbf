#!/bin/bash
# sqlite, make and a compiler, Python and npm do on a mount what they do on a plain directory.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/toollib.sh"
. "$ROOT/tests/tools/build.sh"

with_tools build_tools
done_testing
