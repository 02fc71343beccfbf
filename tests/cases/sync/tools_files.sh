#!/bin/bash
# What cp, tar, rsync, mv, ln, sed, patch, rm and others do in a delta: merged, it is as done natively.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/toollib.sh"
. "$ROOT/tests/mergelib.sh"
. "$ROOT/tests/tools/files.sh"

need tar rsync patch setfacl setfattr
merging_tools file_tools
done_testing
