#!/bin/bash
# A delta's log that lies, is cut, damaged, emptied or another's: that can lead to a conflict, or to
# what the later write does anyway, and never to a write outside of the source, a lost secret or a crash.
. "$(dirname "$0")/../../lib.sh"
. "$ROOT/tests/synclib.sh"
. "$ROOT/tests/forgelib.sh"

# Cut, emptied, bits changed, without right checksums.
size=$(stat -c %s "$T/log")
for cut in 0 16 17 $((size / 3)) $((size - 1)); do
	renew
	truncate -s "$cut" "$D/meta/log"
	attack "cut $cut"
done
for ((at = 0; at < size; at += size / 9 + 1)); do
	renew
	printf '\xa5' | dd of="$D/meta/log" bs=1 seek="$at" conv=notrunc status=none
	attack "bit $at"
done
renew
head -c 4096 /dev/urandom >"$D/meta/log"
attack noise
is "$bad" '' 'cut, damaged and random logs'

# Whole records missing, twice, or in another order, with right checksums.
bad=
for ((n = 2; n <= $(wc -l <"$RECORDS"); n++)); do
	renew
	sed "${n}d" "$RECORDS" | forge
	attack "without record $n"
done
renew
(head -n 1 "$RECORDS"; tail -n +2 "$RECORDS" | tac) | forge
attack backwards
renew
(cat "$RECORDS"; tail -n +2 "$RECORDS") | forge
attack twice
is "$bad" '' 'records that are missing, or in another order'

# Every 32 bits of each record, all ones: lengths, modes, inode numbers, times.
bad=
mapfile -t lines <"$RECORDS"
for ((n = 1; n < ${#lines[@]}; n++)); do
	type=${lines[n]%% *} data=${lines[n]#* }
	for ((at = 0; at < ${#data} && at < 300; at += 48)); do
		renew
		{
			printf '%s\n' "${lines[@]:0:n}" "$type ${data:0:at}ffffffff${data:at+8}" "${lines[@]:n+1}"
		} | forge
		bounded "$D"
		[ "$TIMELY" -eq 0 ] || bad+=" $n/$at:$STATUS"
		[ "$(rest)" = "$rest_was" ] || bad+=" $n/$at:rest"
	done
done
is "$bad" '' 'records whose numbers are all ones'

intact 'logs'

done_testing
