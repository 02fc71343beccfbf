#!/bin/bash
# cp, tar, rsync, mv, ln, install, sed, find, patch and rm do on a mount what they do on a directory.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/fslib.sh"
. "$ROOT/tests/toollib.sh"
. "$ROOT/tests/tools/files.sh"

need tar rsync patch setfacl setfattr
with_tools file_tools
done_testing
