// SPDX-License-Identifier: BSD-2-Clause
/*
 * top_screen.c - see top_screen.h.
 *
 * One loop: wait for a key, a signal or the next refresh; then draw everything anew, which curses
 * turns into the few bytes that changed. An agent that is away leaves the last rows on the screen
 * and says so; it is asked again until it is back.
 */
#include <errno.h>
#include <math.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "client.h"
#include "field.h"
#include "top_screen.h"

#define ASK_TIMEOUT_S 2 /* keys are not answered while the agent is asked */
#define REFRESH_MIN_S .5
#define RETRY_S 1
#define KEY_ESCAPE 27
#define FIRST_ROW 3 /* header, subheader, titles */

struct screen {
	const char *socket_path;
	struct top_view view;
	struct style style;
	json_t *body;       /* newest answer, or NULL */
	json_t *status;
	struct buf error;   /* why there is no newer one */
	double next_s;      /* when to ask again, CLOCK_MONOTONIC */
	int signal_fd;
	int scroll;         /* rows above the screen */
	int row_cnt;
	int editing;        /* the filter */
	int help;
	int quit;
};

/* ---- drawing ---- */

/* Where the next text goes; text beyond the right edge is left out. */
struct pen {
	const struct screen *screen;
	int y, x;
	attr_t base;
};

static attr_t paint_attr(const struct screen *s, enum paint paint)
{
	switch (paint) {
	case PAINT_BOLD:
		return A_BOLD;
	case PAINT_DIM:
		return A_DIM;
	case PAINT_RED:
	case PAINT_GREEN:
	case PAINT_YELLOW:
		return s->style.color ? COLOR_PAIR(paint) : A_NORMAL;
	default:
		return A_NORMAL;
	}
}

static void put(void *ctx, enum paint paint, const char *text)
{
	struct pen *pen = ctx;
	attr_t attr = pen->base | paint_attr(pen->screen, paint);
	struct buf b = {0};
	int width;

	if (pen->y >= LINES || pen->x >= COLS)
		return;
	width = render__clip(&b, text, COLS - pen->x, CLIP_TAIL, &pen->screen->style);
	if (b.len && !b.err) {
		attrset(attr);
		mvaddstr(pen->y, pen->x, b.data);
		attrset(A_NORMAL);
	}
	pen->x += width;
	buf__free(&b);
}

static void put_line(const struct screen *s, int y, enum paint paint, const char *text)
{
	struct pen pen = {.screen = s, .y = y};

	put(&pen, paint, text);
}

static void draw_header(const struct screen *s)
{
	struct buf line = {0};

	if (!s->body)
		return;
	top_view__header(s->body, s->status, &line);
	put_line(s, 0, PAINT_BOLD, line.len ? line.data : "");
	buf__free(&line);
}

/* What is shown and how; or the filter being typed; or what went wrong. */
static void draw_subheader(const struct screen *s)
{
	struct buf line = {0};

	if (s->editing) {
		buf__printf(&line, "filter: %s_", s->view.filter);
		put_line(s, 1, PAINT_BOLD, line.data);
	} else if (s->error.len) {
		buf__printf(&line, "agent not reachable, retrying: %s", s->error.data);
		put_line(s, 1, PAINT_RED, line.data);
	} else if (s->body) {
		top_view__subheader(&s->view, s->body, &line);
		put_line(s, 1, PAINT_PLAIN, line.len ? line.data : "");
	}
	buf__free(&line);
}

static int visible_rows(void)
{
	int rows = LINES - FIRST_ROW - 1;

	return rows > 0 ? rows : 0;
}

static void clamp_scroll(struct screen *s)
{
	int max = s->row_cnt - visible_rows();

	if (s->scroll > max)
		s->scroll = max;
	if (s->scroll < 0)
		s->scroll = 0;
}

static void draw_row(const struct screen *s, const struct table *t, int row, int y, attr_t base)
{
	struct pen pen = {.screen = s, .y = y, .base = base};

	table__draw(t, row, put, &pen);
}

static void draw_table(struct screen *s)
{
	struct table *t = s->body ? top_view__table(&s->view, s->body, &s->style) : NULL;
	int i;

	if (!t)
		return;
	table__layout(t, &s->style);
	s->row_cnt = table__rows(t);
	clamp_scroll(s);
	draw_row(s, t, -1, FIRST_ROW - 1, A_UNDERLINE);
	for (i = 0; i < visible_rows() && s->scroll + i < s->row_cnt; i++)
		draw_row(s, t, s->scroll + i, FIRST_ROW + i, A_NORMAL);
	if (!s->row_cnt)
		put_line(s, FIRST_ROW, PAINT_DIM,
			 *s->view.filter ? "nothing matches the filter" : "nothing to show");
	table__free(t);
}

static const struct {
	int key;
	int sort;
	const char *label;
} sort_keys[] = {
	{'g', TOP_SORT_GROWTH, "g growth"}, {'r', TOP_SORT_RSS, "r rss"},
	{'a', TOP_SORT_ANON, "a anon"},     {'s', TOP_SORT_SWAP, "s swap"},
	{'n', TOP_SORT_PID, "n pid"},       {'v', TOP_SORT_VERDICT, "v verdict"},
};

#define SORT_KEYS (sizeof(sort_keys) / sizeof(sort_keys[0]))

static void draw_footer(const struct screen *s)
{
	struct pen pen = {.screen = s, .y = LINES - 1};
	size_t i;

	if (LINES <= FIRST_ROW)
		return;
	put(&pen, PAINT_PLAIN, "q quit ");
	for (i = 0; i < SORT_KEYS; i++) {
		put(&pen, PAINT_PLAIN, " ");
		pen.base = sort_keys[i].sort == s->view.sort ? A_REVERSE : A_NORMAL;
		put(&pen, PAINT_PLAIN, sort_keys[i].label);
		pen.base = A_NORMAL;
	}
	put(&pen, PAINT_PLAIN, "  p/c/b/w  / filter  h help");
}

static void draw_help(const struct screen *s)
{
	static const char *const lines[] = {
		"q            quit",
		"up, down     scroll by a row (also k and j)",
		"PgUp, PgDn   scroll by a screen; Home and End go to the ends",
		"g r a s n v  sort by growth, RSS, anon, swap, pid, verdict; again: reverse",
		"p c b w      rows are processes, cgroups, pods, workloads",
		"/            filter by any text of a row; Enter keeps it, Esc drops it",
		"h            this help",
		"",
		"ANON: memory of its own. GROWTH/h: robust slope of the floor. HISTORY: the",
		"window up to now. LIMIT: the level at which it is killed.",
	};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		put_line(s, FIRST_ROW + i, PAINT_PLAIN, lines[i]);
}

static void draw(struct screen *s)
{
	s->style.width = COLS;
	erase();
	draw_header(s);
	draw_subheader(s);
	if (s->help)
		draw_help(s);
	else
		draw_table(s);
	draw_footer(s);
	refresh();
}

/* ---- asking ---- */

static double now_s(void)
{
	return clock__ns(CLOCK_MONOTONIC) / 1e9;
}

static int ask(struct screen *s, const char *cmd, json_t *args, json_t **ret_json)
{
	struct buf why = {0};
	json_t *json = NULL;
	int code;

	code = client__ask_json(s->socket_path, ASK_TIMEOUT_S, cmd, args, &json, &why);
	if (code) {
		buf__free(&s->error);
		s->error = why;
		return code;
	}
	buf__free(&why);
	json_decref(*ret_json);
	*ret_json = json;
	return code;
}

static void update(struct screen *s)
{
	json_t *args = json_pack("{s:s, s:i}", "by", top_by_names[s->view.by], "n", TOP_ROWS_MAX);
	double interval_s;

	buf__free(&s->error);
	if (!ask(s, "top", args, &s->body))
		ask(s, "status", NULL, &s->status);
	json_decref(args);
	interval_s = s->error.len ? RETRY_S : field__num(s->body, "interval_s");
	/* fmax also turns an unknown interval into the shortest */
	s->next_s = now_s() + fmin(fmax(interval_s, REFRESH_MIN_S), 3600);
}

/* ---- keys ---- */

static void set_by(struct screen *s, enum top_by by)
{
	if (s->view.by == (int)by)
		return;
	s->view.by = by;
	s->scroll = 0;
	json_decref(s->body); /* rows of the other kind */
	s->body = NULL;
	s->next_s = 0;
}

static int take_sort_key(struct screen *s, int key)
{
	size_t i;

	for (i = 0; i < SORT_KEYS; i++) {
		if (sort_keys[i].key != key)
			continue;
		s->view.reverse = s->view.sort == sort_keys[i].sort && !s->view.reverse;
		s->view.sort = sort_keys[i].sort;
		return 1;
	}
	return 0;
}

static int take_scroll_key(struct screen *s, int key)
{
	switch (key) {
	case KEY_UP:
	case 'k':
		s->scroll--;
		break;
	case KEY_DOWN:
	case 'j':
		s->scroll++;
		break;
	case KEY_PPAGE:
		s->scroll -= visible_rows();
		break;
	case KEY_NPAGE:
		s->scroll += visible_rows();
		break;
	case KEY_HOME:
		s->scroll = 0;
		break;
	case KEY_END:
		s->scroll = s->row_cnt;
		break;
	default:
		return 0;
	}
	clamp_scroll(s);
	return 1;
}

/* The filter being typed works at once. */
static void edit_filter(struct screen *s, int key)
{
	size_t len = strlen(s->view.filter);

	s->scroll = 0;
	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		s->editing = 0;
	} else if (key == KEY_ESCAPE) {
		s->view.filter[0] = '\0';
		s->editing = 0;
	} else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
		if (len)
			s->view.filter[len - 1] = '\0';
	} else if (key >= ' ' && key < 256 && len + 1 < sizeof(s->view.filter)) {
		s->view.filter[len] = key;
		s->view.filter[len + 1] = '\0';
	}
}

static void take_key(struct screen *s, int key)
{
	if (key == KEY_RESIZE)
		return; /* curses knows the new size already; drawing does the rest */
	if (s->editing) {
		edit_filter(s, key);
		return;
	}
	if (take_sort_key(s, key) || take_scroll_key(s, key))
		return;
	switch (key) {
	case 'q':
	case 'Q':
		s->quit = 1;
		break;
	case 'p':
		set_by(s, TOP_BY_PROCESS);
		break;
	case 'c':
		set_by(s, TOP_BY_CGROUP);
		break;
	case 'b':
		set_by(s, TOP_BY_POD);
		break;
	case 'w':
		set_by(s, TOP_BY_WORKLOAD);
		break;
	case '/':
		s->editing = 1;
		break;
	case 'h':
	case '?':
		s->help = !s->help;
		break;
	case KEY_ESCAPE:
		s->help = 0;
		s->view.filter[0] = '\0';
		break;
	}
}

/* ---- the loop ---- */

/* Wait for input or the next refresh. A resize interrupts the wait. */
static void wait_for_something(struct screen *s)
{
	struct pollfd fds[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = s->signal_fd, .events = POLLIN},
	};
	double wait_s = fmax(s->next_s - now_s(), 0);
	int key;

	if (poll(fds, 2, wait_s * 1000 + 1) < 0 && errno != EINTR)
		s->quit = 1;
	else if (fds[1].revents || fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		s->quit = 1;
	while (!s->quit && (key = getch()) != ERR)
		take_key(s, key);
}

/* Ctrl-C and the like end the loop instead of the process: the terminal must be put back. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void setup_curses(struct screen *s)
{
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	if (!s->style.color)
		return;
	s->style.color = has_colors() && start_color() == OK;
	use_default_colors();
	init_pair(PAINT_RED, COLOR_RED, -1);
	init_pair(PAINT_GREEN, COLOR_GREEN, -1);
	init_pair(PAINT_YELLOW, COLOR_YELLOW, -1);
}

static void loop(struct screen *s)
{
	while (!s->quit) {
		if (now_s() >= s->next_s)
			update(s);
		draw(s);
		wait_for_something(s);
	}
}

int top_screen__run(const char *socket_path, const struct top_view *view, int color)
{
	struct screen s = {.socket_path = socket_path, .view = *view};
	SCREEN *terminal;

	style__of_stdout(&s.style, COLOR_MODE_AUTO);
	s.style.color = color;
	s.signal_fd = open_signals();
	terminal = s.signal_fd >= 0 ? newterm(NULL, stdout, stdin) : NULL;
	if (!terminal) {
		fprintf(stderr, "seep top: cannot use this terminal (TERM=%s); try --once\n",
			getenv("TERM") ? getenv("TERM") : "");
		return SEEP_EXIT_FAILED;
	}
	setup_curses(&s);
	loop(&s);
	endwin();
	delscreen(terminal);
	close(s.signal_fd);
	json_decref(s.body);
	json_decref(s.status);
	buf__free(&s.error);
	return SEEP_EXIT_OK;
}
