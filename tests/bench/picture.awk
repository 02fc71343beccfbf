# picture.awk: picture(), the SVG of what report.awk has read: for each user a row for each line, with a mark for
# each system on a scale of ratios; and a small plot for each curve of growth.
BEGIN {
	split("overlayfs #8c8c8c bindfs #c49c3a mergerfs #b06fb0 fuse-overlayfs #5aa469 " \
		"afs-direct #1f5fbf afs-direct-1 #7fb2f0 afs-direct-10k #0b2f66 afs-delta #d04a35", colour_words, " ")
	for (i = 1; colour_words[i] != ""; i += 2)
		colours[colour_words[i]] = colour_words[i + 1]
	colours["native"] = "#8c8c8c"
	colours["direct"] = colours["afs-direct"]
	colours["delta"] = colours["afs-delta"]
	width = 1000
	left = 300
	row = 22
}

function colour(sys) { return sys in colours ? colours[sys] : "#444444" }
function log2(x) { return log(x) / log(2) }

function escaped(text) {
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	return text
}
function words(x, y, anchor, text) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, escaped(text)
}
function segment(x1, y1, x2, y2, stroke, wide) {
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%s\"/>\n",
		x1, y1, x2, y2, stroke, wide
}
function dot(x, y, size, fill) {
	printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\"/>\n", x, y, size, fill
}

# ---- ratios: from a half to 64 times, by doubling

function at(ratio) {
	ratio = ratio < 0.5 ? 0.5 : ratio > 64 ? 64 : ratio
	return left + (log2(ratio) + 1) / 7 * (width - left - 20)
}

function panel(who, y,   i, j, r, place) {
	words(10, y + 14, "start", toupper(substr(as_whom(who), 1, 1)) substr(as_whom(who), 2) \
		": time beside the native directory's (1); left is faster; a bar is from the least to the most")
	place = left - 130
	y += 34
	for (j = 1; j <= nsystems; j++) {
		if (systems[j] == "native" || !has[who, systems[j]])
			continue
		dot(place, y - 4, 5, colour(systems[j]))
		words(place + 9, y, "start", systems[j])
		place += 20 + 7 * length(systems[j])
	}
	y += 12
	for (r = 0.5; r <= 64; r *= 2) {
		segment(at(r), y, at(r), y + nlines * row + 4, r == 1 ? "#666666" : "#dddddd", 1)
		words(at(r), y + nlines * row + 18, "middle", r)
	}
	for (i = 1; i <= nlines; i++) {
		y += row
		words(left - 10, y, "end", title[lines[i]])
		for (j = 1; j <= nsystems; j++)
			if (systems[j] != "native" && spread(who, systems[j], lines[i], 1)) {
				place = y - 4 + (j - nsystems / 2) * 1.6
				segment(at(least), place, at(most), place, colour(systems[j]), 1.5)
				dot(at(median), place, systems[j] ~ /^afs/ ? 4.5 : 3.5, colour(systems[j]))
			}
	}
}

# ---- growth: x by tenfold, y from 0

function plot(name, x, y, wide, high,   s, i, most_x, most_y, who, px, py, last_x, last_y) {
	most_x = 10
	most_y = 0
	for (s = 1; s <= nseries[name]; s++)
		for (i = 1; i <= npoints[name, series[name, s]]; i++) {
			if (point_x[name, series[name, s], i] + 0 > most_x)
				most_x = point_x[name, series[name, s], i] + 0
			if (point_y[name, series[name, s], i] + 0 > most_y)
				most_y = point_y[name, series[name, s], i] + 0
		}
	words(x, y, "start", curve_title[name])
	y += 22
	high -= 50
	words(x, y - 6, "start", short(most_y * 1.1) " " curve_unit[name])
	segment(x, y, x, y + high, "#999999", 1)
	segment(x, y + high, x + wide, y + high, "#999999", 1)
	for (i = 1; i <= most_x; i *= 10)
		words(x + wide * log(i) / log(most_x), y + high + 14, i == 1 ? "start" : "middle", i >= 1000 ? i / 1000 "k" : i)
	words(x + wide, y + high + 27, "end", curve_x[name])
	for (s = 1; s <= nseries[name]; s++) {
		who = series[name, s]
		for (i = 1; i <= npoints[name, who]; i++) {
			px = x + wide * log(point_x[name, who, i]) / log(most_x)
			py = y + high - high * point_y[name, who, i] / (most_y * 1.1)
			if (i > 1)
				segment(last_x, last_y, px, py, colour(who), 2)
			dot(px, py, 3, colour(who))
			last_x = px
			last_y = py
		}
		printf "<g fill=\"%s\">", colour(who)
		words(x + wide - 4 - (nseries[name] - s) * 60, y - 6, "end", who)
		printf "</g>\n"
	}
}

function picture(   high, y, k, i) {
	high = 50 + nusers * (nlines * row + 90) + int((ncurves + 2) / 3) * 220
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" " \
		"font-family=\"sans-serif\" font-size=\"12\">\n", width, high, width, high
	printf "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, high
	words(10, 24, "start", "agentfensefs and others: " on_what())
	y = 40
	for (k = 1; k <= nusers; k++) {
		panel(users[k], y)
		y += nlines * row + 90
	}
	for (i = 1; i <= ncurves; i++)
		plot(curves[i], 20 + (i - 1) % 3 * 330, y + 20 + int((i - 1) / 3) * 220, 290, 200)
	print "</svg>"
}
