# shellcheck shell=bash
# What the cases of forged logs share, sourced after synclib.sh: one delta, D of S, that is put back before
# each attack.
#
#     RECORDS                  its log as tests/fixtures/journals.c prints it
#     renew                  source, upper and log as they were
#     forge                  a log of the lines on standard input
#     attack NAME            -n, --diff, the merge and --fsck: bad gets what they did wrong
#     rest, rest_was         what the delta has nothing to do with
#     with_path FROM TO      the lines, each record of the path FROM being one of TO
#     renames                a line of a RENAME for each two paths on standard input
JOURNALS=$BUILD/tests/journals
RECORDS=$T/lines

make_outside
new_source 'mkdir -p dir/sub keep; echo 0 >a; echo 0 >dir/f; echo 0 >dir/sub/f; echo 0 >keep/f; echo 0 >victim; echo 0 >moved'
sandbox "$D" 'echo 1 >a; echo 1 >dir/f; rm dir/sub/f; echo 1 >new; mv moved dir/moved; mv dir/sub named'
"$JOURNALS" dump "$D/meta" log >"$RECORDS"
for type in 1 2 3 5 6 7; do
	grep -q "^$type " "$RECORDS"
	ok $? "a log with a record of type $type"
done
cp "$D/meta/log" "$T/log"
cp -a "$S" "$T/pristine"
cp -a "$D/upper" "$T/upper"

rest() { tree_of "$S" | grep -E ' (keep|victim)'; }
rest_was=$(rest)

# upper itself stays, since the log is of it.
renew()
{
	find "$S" "$D/upper" -mindepth 1 -delete
	cp -a "$T/pristine/." "$S"
	cp -a "$T/upper/." "$D/upper"
	cat "$T/log" >"$D/meta/log"
}

forge() { "$JOURNALS" make "$D/meta" log; }

# shellcheck disable=SC2034 # bad is the case's
bad=
attack()
{
	local option
	for option in -n --diff '' --fsck; do
		# shellcheck disable=SC2086 # one or none
		bounded $option "$D"
		[ "$TIMELY" -eq 0 ] || bad+=" $1:$option:$STATUS"
	done
	[ "$(rest)" = "$rest_was" ] || bad+=" $1:rest"
	# shellcheck disable=SC2154 # make_outside's
	[ "$(outside)" = "$af_outside_was" ] || bad+=" $1:outside"
	[ ! -e "$T/evil" ] || bad+=" $1:evil"
}

# Where common/delta_record.c puts the lengths of paths: bytes from the beginning, and how many.
af_records='import struct, sys
AT = {5: (88, 1), 6: (12, 1), 7: (4, 2)}
def change(line, to):
    kind, data = line.split()
    kind, data = int(kind), bytearray.fromhex(data)
    if kind not in AT: return line.rstrip()
    at, count = AT[kind]
    sizes = struct.unpack_from("<%dI" % count, data, at)
    begin = at + 4 * count + (4 if kind == 5 else 0)
    tail = data[begin:]
    paths = []
    for size in sizes:
        paths.append(bytes(tail[:size])); tail = tail[size + 1:]
    paths = to(kind, paths)
    struct.pack_into("<%dI" % count, data, at, *map(len, paths))
    return "%d %s%s%s" % (kind, data[:begin].hex(), b"".join(p + b"\0" for p in paths).hex(), tail.hex())
'

with_path()
{
	python3 -c "$af_records"'
old, new = (a.encode() for a in sys.argv[2:])
for line in open(sys.argv[1]):
    print(line.rstrip() if line.startswith("kind") else
        change(line, lambda kind, paths: [new if p == old else p for p in paths]))
' "$RECORDS" "$1" "$2"
}

renames()
{
	python3 -c "$af_records"'
line = next(l for l in open(sys.argv[1]) if l.startswith("7 "))
for pair in sys.stdin:
    print(change(line, lambda kind, paths: [p.encode() for p in pair.split()]))
' "$RECORDS"
}
