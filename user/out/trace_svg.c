// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_svg.c - the result of a trace as a flame graph: one SVG file that needs nothing else.
 *
 * The outermost functions stand at the bottom; the width of a box is the bytes that it and what
 * it calls still own. Boxes narrower than a third of a pixel are left out. Names are escaped;
 * colours follow from them, so that two graphs can be compared. A script zooms and searches where
 * scripts run; without it the graph is whole and every box still has its title.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/units.h"
#include "trace_format.h"
#include "trace_paths.h"

#define WIDTH 1200
#define ROW 17
#define TOP 46
#define BOTTOM 8
#define CHAR_WIDTH 7.4
#define MIN_WIDTH .3
#define DEPTH_MAX 512
#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)

static const char style[] =
	"text{font:12px ui-monospace,Consolas,monospace;pointer-events:none}"
	"rect{stroke:#fff;stroke-width:.5}"
	"g.box{cursor:pointer}g.box:hover rect{stroke:#000}"
	"g.box.found rect{fill:#c2f}g.box.hidden{display:none}"
	"#search{pointer-events:all;cursor:pointer}";

/* Zoom: click a box; click the bottom one to see all. Search: the word top right. */
static const char script[] =
	"(function(){var W=" TEXT_OF(WIDTH) ",all=document.querySelectorAll('g.box'),"
	"boxes=[].slice.call(all);"
	"function place(g,x,w){var r=g.querySelector('rect'),t=g.querySelector('text'),"
	"n=g.getAttribute('data-name'),k=Math.floor((w-6)/7.4);"
	"r.setAttribute('x',x);r.setAttribute('width',w);t.setAttribute('x',x+3);"
	"t.textContent=k<3?'':n.length<=k?n:n.slice(0,k-2)+'..';}"
	"function num(g,a){return parseFloat(g.getAttribute(a));}"
	"function zoom(to){var x0=num(to,'data-x'),w0=num(to,'data-w'),d0=num(to,'data-depth');"
	"boxes.forEach(function(g){var x=num(g,'data-x'),w=num(g,'data-w'),"
	"under=num(g,'data-depth')<d0&&x<=x0+.01&&x+w>=x0+w0-.01,"
	"inside=x>=x0-.01&&x+w<=x0+w0+.01&&num(g,'data-depth')>=d0;"
	"g.classList.toggle('hidden',!under&&!inside);"
	"if(under)place(g,0,W);else if(inside)place(g,(x-x0)*W/w0,w*W/w0);});}"
	"boxes.forEach(function(g){g.addEventListener('click',function(){zoom(g);});});"
	"document.getElementById('search').addEventListener('click',function(){"
	"var word=prompt('Function name (regular expression; empty: none)','');"
	"if(word===null)return;var re=null;try{re=word?new RegExp(word):null;}catch(e){return;}"
	"boxes.forEach(function(g){g.classList.toggle('found',"
	"!!re&&re.test(g.getAttribute('data-name')));});});})();";

/* ---- escaping: names are clean UTF-8 already ---- */

static void put_escaped(struct buf *out, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		switch (text[i]) {
		case '&':
			buf__puts(out, "&amp;");
			break;
		case '<':
			buf__puts(out, "&lt;");
			break;
		case '>':
			buf__puts(out, "&gt;");
			break;
		case '"':
			buf__puts(out, "&quot;");
			break;
		case '\'':
			buf__puts(out, "&#39;");
			break;
		default:
			buf__append(out, &text[i], 1);
		}
	}
}

/* ---- boxes ---- */

/* Paths that begin with the same names, next to each other in the sorted array. */
struct box {
	const struct trace_path *paths;
	size_t cnt;
	const char *name;
	size_t name_len;
	double x, bytes;
	int depth;
};

struct graph {
	struct buf *out;
	double total_bytes;
	int depth_max;
};

static double sum_bytes(const struct trace_path *paths, size_t cnt, double *ret_count)
{
	double bytes = 0, count = 0;
	size_t i;

	for (i = 0; i < cnt; i++) {
		bytes += paths[i].bytes;
		count += paths[i].count;
	}
	if (ret_count)
		*ret_count = count;
	return bytes;
}

static double width_of(const struct graph *g, double bytes)
{
	return g->total_bytes > 0 ? bytes / g->total_bytes * WIDTH : 0;
}

/* Warm colours; the same name always has the same one. */
static unsigned color_of(const char *name, size_t len)
{
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	hash ^= hash >> 15;
	return (205 + hash % 50) << 16 | (80 + (hash >> 8) % 130) << 8 | (hash >> 16) % 60;
}

/* The name cut to its box, at the beginning of a character. */
static size_t fitting_len(const char *name, size_t len, double width)
{
	size_t max = width > 3 * CHAR_WIDTH + 6 ? (size_t)((width - 6) / CHAR_WIDTH) : 0;

	if (len <= max)
		return len;
	max = max > 2 ? max - 2 : 0;
	while (max && ((unsigned char)name[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static void put_title(const struct graph *g, const struct box *b)
{
	double count = 0, bytes = sum_bytes(b->paths, b->cnt, &count);
	char size[32];

	buf__puts(g->out, "<title>");
	put_escaped(g->out, b->name, b->name_len);
	buf__printf(g->out, ": %s in %.0f allocations (%.2f %%)</title>",
		    units__format_bytes(bytes, size, sizeof(size)), count,
		    g->total_bytes > 0 ? 100 * bytes / g->total_bytes : 0);
}

static void put_box(const struct graph *g, const struct box *b)
{
	double width = width_of(g, b->bytes);
	int y = TOP + (g->depth_max - b->depth) * ROW;
	size_t len = fitting_len(b->name, b->name_len, width);

	buf__printf(g->out, "<g class=\"box\" data-x=\"%.3f\" data-w=\"%.3f\" data-depth=\"%d\" "
		    "data-name=\"", b->x, width, b->depth);
	put_escaped(g->out, b->name, b->name_len);
	buf__puts(g->out, "\">");
	put_title(g, b);
	buf__printf(g->out, "<rect x=\"%.3f\" y=\"%d\" width=\"%.3f\" height=\"%d\" rx=\"1\" "
		    "fill=\"#%06x\"/><text x=\"%.3f\" y=\"%d\">", b->x, y, width, ROW - 1,
		    color_of(b->name, b->name_len), b->x + 3, y + 12);
	put_escaped(g->out, b->name, len);
	buf__puts(g->out, len < b->name_len && len ? "..</text></g>\n" : "</text></g>\n");
}

/* The next child of b, whose paths begin at `from`; names begin at `skip` in each path. */
static struct box next_child(const struct box *b, size_t from, size_t skip)
{
	const char *name = b->paths[from].names + skip;
	struct box child = {
		.paths = b->paths + from,
		.cnt = 1,
		.name = name,
		.name_len = strcspn(name, ";"),
		.depth = b->depth + 1,
	};

	while (from + child.cnt < b->cnt &&
	       !strncmp(b->paths[from + child.cnt].names + skip, name, child.name_len + 1))
		child.cnt++;
	child.bytes = sum_bytes(child.paths, child.cnt, NULL);
	return child;
}

/* Depth first; what a path holds is bounded by the depth of stacks. */
static void put_children(const struct graph *g, const struct box *b, size_t skip)
{
	struct box child;
	double x = b->x;
	size_t i;

	for (i = 0; i < b->cnt; i += child.cnt) {
		if (!b->paths[i].names[skip]) {
			child.cnt = 1; /* ends here: its bytes are b's own */
			x += width_of(g, b->paths[i].bytes);
			continue;
		}
		child = next_child(b, i, skip);
		child.x = x;
		x += width_of(g, child.bytes);
		if (width_of(g, child.bytes) < MIN_WIDTH || child.depth > DEPTH_MAX)
			continue;
		put_box(g, &child);
		put_children(g, &child, skip + child.name_len + 1);
	}
}

/* ---- the picture ---- */

static int depth_of(const struct trace_path *paths, size_t cnt)
{
	int depth, max = 0;
	const char *p;
	size_t i;

	for (i = 0; i < cnt; i++) {
		depth = 0;
		for (p = paths[i].names; (p = strchr(p, ';')); p++)
			depth++;
		max = depth > max ? depth : max;
	}
	return max < DEPTH_MAX ? max : DEPTH_MAX;
}

static void put_heading(const struct trace_result *r, double bytes, struct buf *out)
{
	char size[32], duration[32], text[256];

	units__format_bytes(bytes, size, sizeof(size));
	units__format_duration(r->duration_s, duration, sizeof(duration));
	if (r->process_cnt == 1)
		snprintf(text, sizeof(text), "%s[%d]: %s outstanding after %s",
			 r->processes[0].comm, r->processes[0].pid, size, duration);
	else
		snprintf(text, sizeof(text), "%d processes: %s outstanding after %s",
			 r->process_cnt, size, duration);
	buf__printf(out, "<text x=\"%d\" y=\"24\" text-anchor=\"middle\">", WIDTH / 2);
	put_escaped(out, text, strlen(text));
	buf__printf(out, "</text>\n<text id=\"search\" x=\"%d\" y=\"24\" text-anchor=\"end\">"
		    "search</text>\n", WIDTH - 8);
}

static void put_picture(const struct trace_result *r, const struct trace_path *paths, size_t cnt,
			struct buf *out)
{
	struct graph g = {
		.out = out,
		.total_bytes = sum_bytes(paths, cnt, NULL),
		.depth_max = depth_of(paths, cnt),
	};
	struct box all = {.paths = paths, .cnt = cnt, .name = "all", .name_len = 3};
	int height = TOP + (g.depth_max + 1) * ROW + BOTTOM;

	all.bytes = g.total_bytes;
	buf__printf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
		    "<svg version=\"1.1\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
		    "xmlns=\"http://www.w3.org/2000/svg\">\n<style>%s</style>\n"
		    "<rect x=\"0\" y=\"0\" width=\"100%%\" height=\"100%%\" fill=\"#fff8ee\"/>\n",
		    WIDTH, height, WIDTH, height, style);
	put_heading(r, g.total_bytes, out);
	put_box(&g, &all);
	put_children(&g, &all, 0);
	buf__printf(out, "<script><![CDATA[%s]]></script>\n</svg>\n", script);
}

int trace_svg__write(const struct trace_result *r, const struct trace_format_options *opt,
		     struct buf *out)
{
	struct trace_path *paths;
	size_t cnt;
	int err;

	(void)opt;
	err = trace_paths__new(r, &paths, &cnt);
	if (err)
		return err;
	put_picture(r, paths, cnt, out);
	trace_paths__free(paths, cnt);
	return out->err;
}
