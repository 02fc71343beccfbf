#!/bin/bash
# git does on a mount what it does on a plain directory.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/toollib.sh"
. "$ROOT/tests/tools/git.sh"

need git
with_tools git_tools
done_testing
