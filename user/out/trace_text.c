// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_text.c - the result of a trace for people: the largest call sites, with their source.
 *
 * The quoted line comes from the file that the debug information names, if it lies here and is
 * named like a source file: that name may be anything, and root may read everything.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/units.h"
#include "../who/clean.h"
#include "trace_format.h"

#define SOURCE_BYTES_MAX (16 << 20)
#define LINE_CAP 160
#define UNIT_CAP 32

/* ---- the quoted line ---- */

static int is_source_name(const char *path)
{
	static const char *const endings[] = {
		".c", ".cc", ".cpp", ".cxx", ".c++", ".C", ".h", ".hh", ".hpp", ".hxx", ".inc",
		".inl", ".ipp", ".tcc", ".rs", ".go", ".py", ".pyx", ".js", ".ts", ".java", ".kt",
		".swift", ".m", ".mm", ".d", ".zig", ".f90", ".y", ".l", ".S",
	};
	const char *dot = strrchr(path, '.');
	size_t i;

	for (i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (!strcmp(dot, endings[i]))
			return 1;
	}
	return 0;
}

static FILE *open_source(const char *path)
{
	struct stat st;
	FILE *file;
	int fd;

	if (path[0] != '/' || !is_source_name(path))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return NULL;
	file = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= SOURCE_BYTES_MAX ?
	       fdopen(fd, "r") : NULL;
	if (!file)
		close(fd);
	return file;
}

/* 1 if the line is there: without the blanks around it, clean and cut. */
static int read_source_line(const char *path, unsigned wanted, char *ret_line, size_t cap)
{
	char *line = NULL, *text;
	unsigned number = 0;
	size_t line_cap = 0;
	ssize_t len = -1;
	FILE *file = open_source(path);

	if (!file)
		return 0;
	while (number < wanted && (len = getline(&line, &line_cap, file)) >= 0)
		number++;
	if (len > 0) {
		text = line + strspn(line, " \t");
		for (len = strlen(text); len > 0 && strchr(" \t\r\n", text[len - 1]); len--)
			;
		for (text[len] = '\0'; strchr(text, '\t'); *strchr(text, '\t') = ' ')
			;
		clean__name(text, len, ret_line, cap);
	}
	free(line);
	fclose(file);
	return len > 0;
}

/* ---- frames ---- */

static void put_place(const struct frame *f, struct buf *out)
{
	char clean[TRACE_NAME_CAP];

	if (f->file) {
		clean__name(f->file, strlen(f->file), clean, sizeof(clean));
		buf__printf(out, "  %s", clean);
		if (f->line)
			buf__printf(out, ":%u", f->line);
		return;
	}
	if (!f->module)
		return;
	clean__name(f->module, strlen(f->module), clean, sizeof(clean));
	buf__printf(out, "  (%s", clean);
	if (f->build_id) {
		clean__name(f->build_id, strlen(f->build_id), clean, sizeof(clean));
		buf__printf(out, " [%.12s]", clean);
	}
	buf__puts(out, ")");
}

static void put_frame(const struct frame *f, struct buf *out)
{
	char name[TRACE_NAME_CAP];

	buf__printf(out, "      %s", trace_format__frame_name(f, name, sizeof(name)));
	if (f->function && !f->file && f->offset)
		buf__printf(out, "+0x%llx", (unsigned long long)f->offset);
	put_place(f, out);
	buf__puts(out, f->inlined ? "  (inlined)\n" : "\n");
}

/* Containers and strings of a language's library: their lines say nothing of the program. */
static int is_system_source(const char *path)
{
	return !strncmp(path, "/usr/include/", 13) || !strncmp(path, "/usr/lib/", 9);
}

/* The innermost frame of the program whose source can be read gets its line. */
static void put_frames(const struct site *s, const struct trace_format_options *opt,
		       struct buf *out)
{
	int i, is_quoted = opt->no_sources;
	char line[LINE_CAP];

	for (i = 0; i < s->frame_cnt; i++) {
		const struct frame *f = &s->frames[i];

		put_frame(f, out);
		if (is_quoted || !f->file || !f->line || is_system_source(f->file) ||
		    !read_source_line(f->file, f->line, line, sizeof(line)))
			continue;
		buf__printf(out, "    %5u | %s\n", f->line, line);
		is_quoted = 1;
	}
	if (!s->is_whole && s->frame_cnt > 0 && s->frames[0].address)
		buf__puts(out, "      (the callers of this could not be followed)\n");
}

/* ---- sites ---- */

static const char *size_text(double bytes, char buf[UNIT_CAP])
{
	return isfinite(bytes) ? units__format_bytes(bytes, buf, UNIT_CAP) : "unknown";
}

/* "12.3 MiB", or "12.3 MiB (95 %: 11.9 MiB to 12.8 MiB)" where it is an estimate. */
static void put_interval(double bytes, double lo, double hi, struct buf *out)
{
	char a[UNIT_CAP], b[UNIT_CAP], c[UNIT_CAP];

	buf__puts(out, size_text(bytes, a));
	if (lo < hi)
		buf__printf(out, " (95 %%: %s to %s)", size_text(lo, b), size_text(hi, c));
}

static void put_growth(double bytes_per_hour, struct buf *out)
{
	char text[UNIT_CAP];

	if (isfinite(bytes_per_hour))
		buf__printf(out, ", %s%s/h", bytes_per_hour > 0 ? "+" : "",
			    size_text(bytes_per_hour, text));
}

static void put_ages(const struct site *s, struct buf *out)
{
	char oldest[UNIT_CAP], median[UNIT_CAP], references[SITE_EVIDENCE_LEN];

	units__format_duration(s->oldest_age_s, oldest, sizeof(oldest));
	units__format_duration(s->median_age_s, median, sizeof(median));
	buf__printf(out, "   oldest %s, median %s, %llu sample%s\n", oldest, median,
		    (unsigned long long)s->samples, s->samples == 1 ? "" : "s");
	if (site__ages(s))
		buf__printf(out, "   %s\n", site__ages(s));
	if (*site__say_references(s->asked, s->unreferred, references, sizeof(references)))
		buf__printf(out, "   %s\n", references);
}

static void put_site(size_t number, const struct site *s, const struct trace_format_options *opt,
		     struct buf *out)
{
	buf__printf(out, "\n%zu. %s: ", number, site__verdict_name(s->verdict));
	put_interval(s->outstanding_bytes, s->outstanding_lo_bytes, s->outstanding_hi_bytes, out);
	buf__printf(out, " in %.0f allocation%s", s->outstanding_count,
		    round(s->outstanding_count) == 1 ? "" : "s");
	put_growth(s->growth_bytes_per_hour, out);
	buf__puts(out, "\n");
	put_ages(s, out);
	put_frames(s, opt, out);
}

/* ---- the process ---- */

static void put_head(const struct trace_process *p, double min_age_s, struct buf *out)
{
	char age[UNIT_CAP], duration[UNIT_CAP], size[UNIT_CAP], allocated[UNIT_CAP];
	char freed[UNIT_CAP];
	size_t cnt;

	units__format_duration(p->duration_s, duration, sizeof(duration));
	buf__printf(out, "%s[%d], %s%s, ", p->comm, p->pid, duration,
		    p->ended ? " until it ended" : "");
	if (p->sample_bytes)
		buf__printf(out, "one sample per %s", size_text(p->sample_bytes, size));
	else
		buf__puts(out, "every allocation");
	if (p->allocator)
		buf__printf(out, " (%s, %s)", p->allocator, p->mode);
	buf__printf(out, "\nallocated %s, freed %s, outstanding ",
		    size_text(p->allocated_bytes, allocated), size_text(p->freed_bytes, freed));
	put_interval(p->totals.outstanding_bytes, p->totals.outstanding_lo_bytes,
		     p->totals.outstanding_hi_bytes, out);
	if (min_age_s > 0)
		buf__printf(out, " older than %s",
			    units__format_duration(min_age_s, age, sizeof(age)));
	cnt = trace_format__site_cnt(p, 0);
	buf__printf(out, " from %zu call site%s\n", cnt, cnt == 1 ? "" : "s");
}

static void put_rest(const struct trace_process *p, size_t shown, struct buf *out)
{
	size_t i, cnt = trace_format__site_cnt(p, 0);
	double bytes = 0;
	char size[UNIT_CAP];

	for (i = shown; i < cnt; i++)
		bytes += p->sites[i].outstanding_bytes;
	if (shown < cnt)
		buf__printf(out, "\n%s more in %zu smaller call site%s\n", size_text(bytes, size),
			    cnt - shown, cnt - shown == 1 ? "" : "s");
}

static void put_losses(const struct trace_process *p, struct buf *out)
{
	const struct trace_drop *d;
	const char *const *line;

	for (d = p->drops; d->reason; d++)
		buf__printf(out, "lost: %llu %s\n", (unsigned long long)d->cnt, d->text);
	for (line = p->not_seen; *line; line++)
		buf__printf(out, "not seen: %s\n", *line);
}

/* "cost: 123456 probe hits, 650 ns each, 1.2 % of the CPU time it used" */
static void put_cost(const struct trace_process *p, struct buf *out)
{
	buf__printf(out, "cost: %llu probe hits", (unsigned long long)p->hits);
	if (p->hits)
		buf__printf(out, ", %.0f ns each, %.2f s in all", (double)p->cost_ns / p->hits,
			    p->cost_ns / 1e9);
	if (isfinite(p->target_cpu_percent))
		buf__printf(out, ", %.2g %% of the CPU time it used", p->target_cpu_percent);
	buf__puts(out, "\n");
}

static void put_process(const struct trace_process *p, double min_age_s,
			const struct trace_format_options *opt, struct buf *out)
{
	size_t i, cnt = trace_format__site_cnt(p, opt->top);

	put_head(p, min_age_s, out);
	for (i = 0; i < cnt; i++)
		put_site(i + 1, &p->sites[i], opt, out);
	put_rest(p, cnt, out);
	buf__puts(out, "\n");
	put_losses(p, out);
	put_cost(p, out);
}

int trace_text__write(const struct trace_result *r, const struct trace_format_options *opt,
		      struct buf *out)
{
	int i;

	for (i = 0; i < r->process_cnt; i++) {
		if (i)
			buf__puts(out, "\n");
		put_process(&r->processes[i], r->min_age_s, opt, out);
	}
	return out->err;
}
