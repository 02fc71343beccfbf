#!/bin/bash
# A walk of many files costs the daemon few descriptors and little memory, which comes back.
# (tests/bench/scale.sh by hand is the same with a million files.)
. "$(dirname "$0")/../../lib.sh"

is_root || skip_all 'only root can make the kernel forget'
# A sanitizer's allocator gives each node red zones, and keeps what was freed.
case $BUILD in */asan | */ubsan | */tsan) skip_all 'the memory is the sanitizer'"'"'s' ;; esac
out=$(AF_SCALE=${AF_SCALE:-20000} BUILD=$BUILD timeout 300 bash "$ROOT/tests/bench/scale.sh" 2>&1)
ok $? "$out"
done_testing
