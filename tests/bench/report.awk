# report.awk: what was measured, as `-v form=` table, markdown or json, or `check`, whether all is there.
# The picture is picture.awk's, which is read together with this file.
#
# Input, with tabs between: `machine KEY VALUE`, `line NAME TITLE`, `sys NAME`, `sample USER SYSTEM LINE ROUND
# NS`, `curve NAME TITLE X-AXIS UNIT`, `point NAME SERIES X VALUE`, `cost USER SYSTEM LINE WHAT VALUE`, `figure NAME VALUE UNIT`.
BEGIN { FS = "\t"; OFS = "\t" }

$1 == "machine" { if (!($2 in machine)) keys[++nkeys] = $2; machine[$2] = $3 }
$1 == "line" && !($2 in title) { lines[++nlines] = $2; title[$2] = $3 }
$1 == "system" && !($2 in known) { systems[++nsystems] = $2; known[$2] = 1 }
$1 == "sample" {
	if (!($2 in is_user)) { users[++nusers] = $2; is_user[$2] = 1 }
	ns[$2, $3, $4, $5] = $6
	if ($5 > rounds) rounds = $5
	has[$2, $3] = 1
}
$1 == "limit" { limit[$2] = $3 "/" $4 }
$1 == "road" { roads[$2] = roads[$2] (roads[$2] == "" ? "" : ", ") column($3) " " $4; nroads++; road_of[nroads] = $2 FS $3 FS $4 }
$1 == "curve" { curves[++ncurves] = $2; curve_title[$2] = $3; curve_x[$2] = $4; curve_unit[$2] = $5 }
$1 == "point" {
	if (!(($2, $3) in is_series)) { is_series[$2, $3] = 1; series[$2, ++nseries[$2]] = $3 }
	n = ++npoints[$2, $3]
	point_x[$2, $3, n] = $4
	point_y[$2, $3, n] = $5
}
$1 == "cost" { costs[++ncosts] = $2 FS $3 FS $4 FS $5 FS $6 }
$1 == "figure" { figures[++nfigures] = $2 FS $3 FS $4 FS $5 FS $6 }

# Sorts v[1..n].
function sort(v, n,   i, j, x) {
	for (i = 2; i <= n; i++) {
		x = v[i]
		for (j = i - 1; j >= 1 && v[j] > x; j--)
			v[j + 1] = v[j]
		v[j + 1] = x
	}
}

# Sets median, least and most of what was measured: of ratios to the native directory in the same round, or
# of milliseconds. Returns how many rounds there were.
function spread(who, sys, line, ratios,   r, n, v) {
	n = 0
	for (r = 1; r <= rounds; r++) {
		if (!((who, sys, line, r) in ns) || (ratios && !((who, "native", line, r) in ns)))
			continue
		v[++n] = ns[who, sys, line, r] / (ratios ? ns[who, "native", line, r] : 1e6)
	}
	if (n == 0)
		return 0
	sort(v, n)
	median = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
	least = v[1]
	most = v[n]
	return n
}

function short(x) { return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x) }
function as_whom(who) { return who == "root" ? "as root" : "as an ordinary user" }
function on_what() {
	return machine["cores"] " cores, Linux " machine["kernel"] ", " machine["filesystem"] ", " \
		(machine["core"] == "no" ? "not pinned" : "all on one core") ", " rounds (rounds == 1 ? " round" : " rounds")
}
function column(sys) { sub(/^afs-/, "", sys); return sys }
function heading(sys) {
	return sys == "overlayfs" ? "kernel overlayfs" : sys ~ /^afs-/ ? "**agentfensefs " column(sys) "**" : sys
}

# ---- for a terminal: the median, and half of what lies between the least and the most

function cell(who, sys, line) {
	if (!spread(who, sys, line, 1))
		return "-"
	return short(median) " ±" sprintf("%.0f%%", 50 * (most - least) / median)
}

# printf counts bytes, and ± is two of them.
function padded(text, width,   n) {
	n = length(text) - (text ~ /±/ && length("±") == 2)
	while (n++ < width)
		text = " " text
	return text
}

function table(who,   i, j, text) {
	printf "\n%s, ratios to the native directory (1.00), median ±half of the spread; %s\n\n", as_whom(who), on_what()
	printf "%-20s%10s%12s", "", "native ms", "limit p/n"
	for (j = 1; j <= nsystems; j++)
		if (systems[j] != "native" && has[who, systems[j]])
			printf "%s", padded(column(systems[j]), 15)
	printf "\n"
	for (i = 1; i <= nlines; i++) {
		printf "%-20s%s%12s", lines[i], padded(spread(who, "native", lines[i], 0) ? short(median) : "-", 10), limit[lines[i]]
		for (j = 1; j <= nsystems; j++)
			if (systems[j] != "native" && has[who, systems[j]])
				printf "%s", padded(cell(who, systems[j], lines[i]), 15)
		printf "\n"
	}
	if (roads[who] != "")
		print "roads (n: no OPEN is asked for; p: passthrough): " roads[who]
}

# A line for each line, system and user: first what is asked a file, then what a request takes.
function table_of_costs(   i, f, head, heads, text, n) {
	for (i = 1; i <= ncosts; i++) {
		split(costs[i], f, FS)
		head = sprintf("%-16s %s %s:", f[3], column(f[2]), f[1])
		if (!(head in text))
			heads[++n] = head
		if (f[4] == "allocations" || f[4] == "syscalls")
			text[head] = text[head] "\n   "
		text[head] = text[head] " " f[4] " " f[5]
	}
	if (n)
		print "\nrequests for each file (transaction, page, MiB), then what each request takes the daemon"
	for (i = 1; i <= n; i++)
		print heads[i] text[heads[i]]
}

function table_of_growth(   c, s, i, name, who) {
	for (c = 1; c <= ncurves; c++) {
		name = curves[c]
		printf "\n%s (%s), by %s:\n", curve_title[name], curve_unit[name], curve_x[name]
		for (s = 1; s <= nseries[name]; s++) {
			who = series[name, s]
			printf "  %-16s", who
			for (i = 1; i <= npoints[name, who]; i++)
				printf "  %s: %s", point_x[name, who, i], short(point_y[name, who, i])
			printf "\n"
		}
	}
}

function table_of_figures(   i, f) {
	if (nfigures)
		printf "\n"
	for (i = 1; i <= nfigures; i++) {
		split(figures[i], f, FS)
		printf "%-36s %s %s%s\n", f[1], f[2], f[3], f[4] == "" ? "" : "  (" f[4] " to " f[5] ")"
	}
}

# ---- for README

function markdown(who,   i, j) {
	printf "\n%s:\n\n| work |", toupper(substr(as_whom(who), 1, 1)) substr(as_whom(who), 2)
	for (j = 1; j <= nsystems; j++)
		if (systems[j] != "native" && has[who, systems[j]])
			printf " %s |", heading(systems[j])
	printf "\n| --- |"
	for (j = 1; j <= nsystems; j++)
		if (systems[j] != "native" && has[who, systems[j]])
			printf " ---: |"
	printf "\n"
	for (i = 1; i <= nlines; i++) {
		printf "| %s |", title[lines[i]]
		for (j = 1; j <= nsystems; j++)
			if (systems[j] != "native" && has[who, systems[j]])
				printf " %s |", spread(who, systems[j], lines[i], 1) ? short(median) : ""
		printf "\n"
	}
}

# ---- for programs

function quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	gsub(/[\001-\037]/, " ", text)
	return "\"" text "\""
}
function values(name) { return sprintf("\"%s\":{\"median\":%.6g,\"least\":%.6g,\"most\":%.6g}", name, median, least, most) }

function json(   i, j, k, f, comma) {
	printf "{\n\"machine\":{"
	for (i = 1; i <= nkeys; i++)
		printf "%s%s:%s", (i > 1 ? "," : ""), quoted(keys[i]), quoted(machine[keys[i]])
	printf "},\n\"lines\":["
	for (k = 1; k <= nusers; k++)
		for (i = 1; i <= nlines; i++)
			for (j = 1; j <= nsystems; j++) {
				if (!spread(users[k], systems[j], lines[i], 0))
					continue
				printf "%s\n{\"line\":%s,\"title\":%s,\"user\":%s,\"system\":%s,%s", comma, quoted(lines[i]),
					quoted(title[lines[i]]), quoted(users[k]), quoted(systems[j]), values("ms")
				if (spread(users[k], systems[j], lines[i], 1))
					printf ",%s", values("ratio")
				printf "}"
				comma = ","
			}
	printf "],\n\"roads\":["
	for (i = 1; i <= nroads; i++) {
		split(road_of[i], f, FS)
		printf "%s\n{\"user\":%s,\"system\":%s,\"road\":%s}", (i > 1 ? "," : ""), quoted(f[1]), quoted(f[2]), quoted(f[3])
	}
	printf "],\n\"growth\":["
	comma = ""
	for (i = 1; i <= ncurves; i++)
		for (j = 1; j <= nseries[curves[i]]; j++)
			for (k = 1; k <= npoints[curves[i], series[curves[i], j]]; k++) {
				printf "%s\n{\"curve\":%s,\"series\":%s,\"x\":%s,\"value\":%s,\"unit\":%s}", comma,
					quoted(curves[i]), quoted(series[curves[i], j]),
					point_x[curves[i], series[curves[i], j], k],
					point_y[curves[i], series[curves[i], j], k], quoted(curve_unit[curves[i]])
				comma = ","
			}
	printf "],\n\"costs\":["
	for (i = 1; i <= ncosts; i++) {
		split(costs[i], f, FS)
		printf "%s\n{\"user\":%s,\"system\":%s,\"line\":%s,\"what\":%s,\"value\":%s}", (i > 1 ? "," : ""),
			quoted(f[1]), quoted(f[2]), quoted(f[3]), quoted(f[4]), f[5]
	}
	printf "],\n\"figures\":["
	for (i = 1; i <= nfigures; i++) {
		split(figures[i], f, FS)
		printf "%s\n{\"name\":%s,\"value\":%s,\"unit\":%s}", (i > 1 ? "," : ""), quoted(f[1]), f[2], quoted(f[3])
	}
	printf "]\n}\n"
}

# Each line was run on each sys, for each user for whom there is the native directory.
function check(   i, j, k, bad) {
	for (k = 1; k <= nusers; k++)
		for (j = 1; j <= nsystems; j++)
			for (i = 1; i <= nlines; i++)
				if (spread(users[k], systems[j], lines[i], 1) != rounds) {
					print "bench: no " lines[i] " on " systems[j] " " as_whom(users[k])
					bad = 1
				}
	if (nlines == 0 || nusers == 0) {
		print "bench: nothing was measured"
		bad = 1
	}
	exit bad
}

END {
	if (form == "json")
		json()
	else if (form == "check")
		check()
	else if (form == "svg")
		picture()
	else {
		if (form == "markdown")
			print "\n" on_what() "."
		for (u = 1; u <= nusers; u++)
			if (form == "markdown")
				markdown(users[u])
			else
				table(users[u])
		if (form == "table") {
			table_of_growth()
			table_of_costs()
			table_of_figures()
		}
	}
}
