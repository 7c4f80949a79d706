// SPDX-License-Identifier: BSD-2-Clause
/*
 * inject.c - a library for LD_PRELOAD that makes chosen library calls of a process fail.
 *
 * $SEEP_FAULTS names a file of sizeof(struct control) bytes that the driver (tests/e2e/faults.py)
 * and the process map together: what is to fail is chosen, and changed, while the process runs.
 * A call is chosen by its class and its place, the hash of the call stack that leads to it; the
 * places that a process has come by are collected in the file, so that a driver can first watch
 * and then go through all of them. One place may stand for thousands of calls: `skip` chooses
 * among them. Without a place every call of the class counts.
 *
 * The shifts are added to what the process reads from the clocks; timers stay as they are.
 *
 * Children are started without this library. What the C library calls inside itself cannot be
 * reached (the write(2) of a FILE): its entrances (fopen, getline, opendir) stand for it.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PLACES_MAX 16384 /* a power of two */
#define DEPTH	   12	 /* frames that tell places apart, and some of the injector's own */

enum call_class {
	CALL_ALLOC = 1 << 0,
	CALL_OPEN = 1 << 1,
	CALL_READ = 1 << 2,
	CALL_WRITE = 1 << 3,
	CALL_SYNC = 1 << 4,
	CALL_SOCKET = 1 << 5,
	CALL_BPF = 1 << 6,
	CALL_FD = 1 << 7, /* epoll, eventfd, timers, pipes */
	CALL_THREAD = 1 << 8,
	CALL_DIR = 1 << 9, /* mkdir, rename, unlink, flock, truncate */
	CALL_MAP = 1 << 10,
	CALL_ALL = (1 << 11) - 1,
};

/* Shared with the driver, which knows the offsets: keep them. */
struct control {
	uint64_t classes;      /*   0: what is watched; 0 = nothing */
	uint64_t place;	       /*   8: what is to fail; 0 = any */
	uint64_t skip;	       /*  16: so many of it succeed first */
	uint64_t fail_cnt;     /*  24: then so many fail */
	uint64_t err;	       /*  32: with this errno */
	uint64_t seen;	       /*  40: calls of the classes (and at the place) */
	uint64_t failed;       /*  48: of them failed */
	int64_t realtime_ns;   /*  56: shift of CLOCK_REALTIME */
	int64_t boottime_ns;   /*  64: shift of CLOCK_BOOTTIME */
	uint64_t collect;      /*  72: enter places */
	char prefix[128];      /*  80: only open and read what is below; "" = all */
	char where[3888];      /* 208: "file+offset" of the frames of the first failure */
	uint64_t places[PLACES_MAX]; /* 4096 */
};

static struct control *control;
static void *own, *sanitizer; /* where these libraries begin; calls of a sanitizer never fail */
static __thread int inside __attribute__((tls_model("initial-exec")));

static void enter_place(uint64_t place)
{
	uint64_t i, at, empty;

	for (i = 0; i < PLACES_MAX; i++) {
		at = (place + i) % PLACES_MAX;
		empty = 0;
		if (control->places[at] == place ||
		    __atomic_compare_exchange_n(&control->places[at], &empty, place, 0,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
		    empty == place)
			return;
	}
}

static void say_where(void *const *frames, int cnt)
{
	size_t len = 0;
	Dl_info info;
	int i;

	for (i = 0; i < cnt && len + 300 < sizeof(control->where); i++)
		if (dladdr(frames[i], &info) && info.dli_fname)
			len += snprintf(control->where + len, 300, "%s+0x%lx\n", info.dli_fname,
					(long)frames[i] - (long)info.dli_fbase - 1);
}

static int fails_here(void *const *frames, int cnt)
{
	uint64_t nth;

	nth = __atomic_add_fetch(&control->seen, 1, __ATOMIC_RELAXED);
	if (nth <= control->skip || nth > control->skip + control->fail_cnt)
		return 0;
	if (__atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED) == 1)
		say_where(frames, cnt);
	return 1;
}

/*
 * The same in every run, wherever the files are mapped: a file is told by its size. The lowest bits
 * are the class.
 */
static uint64_t place_of(enum call_class class, void *const *frames, int cnt)
{
	uint64_t place = 0xcbf29ce484222325;
	struct dl_find_object file;
	int i;

	for (i = 0; i < cnt; i++) {
		if (_dl_find_object(frames[i], &file))
			continue;
		place ^= (char *)frames[i] - (char *)file.dlfo_map_start;
		place *= 0x100000001b3;
		place ^= (char *)file.dlfo_map_end - (char *)file.dlfo_map_start;
		place *= 0x100000001b3;
	}
	return (place & ~(uint64_t)CALL_ALL) | class;
}

static void *library_of(void *address)
{
	struct dl_find_object file;

	return address && !_dl_find_object(address, &file) ? file.dlfo_map_start : NULL;
}

/* The frames up to the call itself are ours, or of a sanitizer that looks at us. */
static int find_caller(void *const *frames, int cnt)
{
	int i = 0;

	while (i < cnt && library_of(frames[i]) != own)
		i++;
	while (i < cnt && library_of(frames[i]) == own)
		i++;
	return i;
}

static int strikes(enum call_class class)
{
	int cnt, caller, saved = errno, strike = 0;
	void *frames[DEPTH];
	uint64_t place;

	if (!control || !(control->classes & class) || inside)
		return 0;
	inside = 1;
	cnt = backtrace(frames, DEPTH);
	caller = find_caller(frames, cnt);
	if (caller == cnt || (sanitizer && library_of(frames[caller]) == sanitizer))
		goto out;
	place = place_of(class, frames + caller, cnt - caller);
	if (control->collect)
		enter_place(place);
	if (!control->place || control->place == place)
		strike = fails_here(frames + caller, cnt - caller);
out:
	inside = 0;
	errno = strike ? (int)control->err : saved;
	return strike;
}

static int is_below(const char *path)
{
	return !control || !control->prefix[0] ||
	       !strncmp(path, control->prefix, strlen(control->prefix));
}

/* Is it a file that may fail? Only asked when a prefix was given. */
static int is_file_below(int fd)
{
	char link[64], path[512];
	ssize_t n;

	if (!control || !control->prefix[0])
		return 1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return 0;
	path[n] = '\0';
	return is_below(path);
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("SEEP_FAULTS");
	void *frames[2], *map;
	int fd;

	own = library_of((void *)strikes);
	sanitizer = library_of(dlsym(RTLD_DEFAULT, "__asan_init"));
	unsetenv("LD_PRELOAD");
	backtrace(frames, 2); /* loads what it needs now */
	fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	control = map == MAP_FAILED ? NULL : map;
}

/* ---- the calls ---------------------------------------------------------------------------- */

#define REAL(name) ((typeof(&name))next(&next_##name, #name))
#define NEXT(name) static void *next_##name

static void *next(void **ret_fn, const char *name)
{
	if (!*ret_fn)
		*ret_fn = dlsym(RTLD_NEXT, name);
	return *ret_fn;
}

/* A call that may always fail, and how. */
#define CALL(class, type, bad, name, params, args)                                                 \
	NEXT(name);                                                                                \
	type name params                                                                           \
	{                                                                                          \
		return strikes(class) ? (bad) : REAL(name) args;                                   \
	}

/* One that may fail on some files. */
#define CALL_ON(class, allowed, type, bad, name, params, args)                                     \
	NEXT(name);                                                                                \
	type name params                                                                           \
	{                                                                                          \
		return (allowed) && strikes(class) ? (bad) : REAL(name) args;                      \
	}

CALL(CALL_ALLOC, void *, NULL, malloc, (size_t size), (size))
CALL(CALL_ALLOC, void *, NULL, calloc, (size_t cnt, size_t size), (cnt, size))
CALL(CALL_ALLOC, void *, NULL, realloc, (void *old, size_t size), (old, size))
CALL(CALL_ALLOC, void *, NULL, reallocarray, (void *old, size_t cnt, size_t size), (old, cnt, size))
CALL(CALL_ALLOC, void *, NULL, aligned_alloc, (size_t align, size_t size), (align, size))
CALL(CALL_ALLOC, int, ENOMEM, posix_memalign, (void **ret, size_t align, size_t size),
     (ret, align, size))

CALL_ON(CALL_READ, is_file_below(fd), ssize_t, -1, read, (int fd, void *to, size_t len),
	(fd, to, len))
CALL_ON(CALL_READ, is_file_below(fd), ssize_t, -1, pread, (int fd, void *to, size_t len, off_t at),
	(fd, to, len, at))
CALL_ON(CALL_READ, is_file_below(fd), ssize_t, -1, pread64,
	(int fd, void *to, size_t len, off64_t at), (fd, to, len, at))
CALL_ON(CALL_READ, is_file_below(fileno(f)), ssize_t, -1, getline,
	(char **line, size_t *cap, FILE *f), (line, cap, f))
CALL_ON(CALL_READ, is_file_below(fileno(f)), ssize_t, -1, __getdelim,
	(char **line, size_t *cap, int delim, FILE *f), (line, cap, delim, f))
CALL_ON(CALL_READ, is_file_below(fileno(f)), char *, NULL, fgets, (char *to, int len, FILE *f),
	(to, len, f))
CALL_ON(CALL_READ, is_below(path), ssize_t, -1, readlink, (const char *path, char *to, size_t cap),
	(path, to, cap))
CALL_ON(CALL_READ, is_file_below(dir), ssize_t, -1, readlinkat,
	(int dir, const char *path, char *to, size_t cap), (dir, path, to, cap))
CALL_ON(CALL_READ, is_file_below(dirfd(dir)), struct dirent *, NULL, readdir, (DIR * dir), (dir))

CALL(CALL_WRITE, ssize_t, -1, write, (int fd, const void *from, size_t len), (fd, from, len))
CALL(CALL_WRITE, ssize_t, -1, pwrite, (int fd, const void *from, size_t len, off_t at),
     (fd, from, len, at))
CALL(CALL_WRITE, ssize_t, -1, pwrite64, (int fd, const void *from, size_t len, off64_t at),
     (fd, from, len, at))
CALL(CALL_WRITE, ssize_t, -1, writev, (int fd, const struct iovec *from, int cnt), (fd, from, cnt))
CALL(CALL_WRITE, ssize_t, -1, send, (int fd, const void *from, size_t len, int flags),
     (fd, from, len, flags))
CALL(CALL_WRITE, ssize_t, -1, sendmsg, (int fd, const struct msghdr *msg, int flags),
     (fd, msg, flags))
CALL(CALL_WRITE, int, EOF, fflush, (FILE * f), (f))

CALL(CALL_SYNC, int, -1, fsync, (int fd), (fd))
CALL(CALL_SYNC, int, -1, fdatasync, (int fd), (fd))

CALL(CALL_SOCKET, int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
CALL(CALL_SOCKET, int, -1, connect, (int fd, const struct sockaddr *to, socklen_t len),
     (fd, to, len))
CALL(CALL_SOCKET, int, -1, bind, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len))
CALL(CALL_SOCKET, int, -1, listen, (int fd, int backlog), (fd, backlog))
CALL(CALL_SOCKET, int, -1, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags),
     (fd, from, len, flags))
CALL(CALL_SOCKET, ssize_t, -1, recv, (int fd, void *to, size_t len, int flags),
     (fd, to, len, flags))

CALL(CALL_FD, int, -1, epoll_create1, (int flags), (flags))
/* taking out fails for nobody who put it in */
CALL_ON(CALL_FD, op == EPOLL_CTL_ADD, int, -1, epoll_ctl,
	(int epoll, int op, int fd, struct epoll_event *event), (epoll, op, fd, event))
CALL(CALL_FD, int, -1, eventfd, (unsigned value, int flags), (value, flags))
CALL(CALL_FD, int, -1, timerfd_create, (int clock, int flags), (clock, flags))
CALL(CALL_FD, int, -1, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
CALL(CALL_FD, int, -1, pipe2, (int fds[2], int flags), (fds, flags))

CALL(CALL_THREAD, int, (int)control->err, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg),
     (thread, attr, fn, arg))

CALL(CALL_DIR, int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
CALL(CALL_DIR, int, -1, rename, (const char *from, const char *to), (from, to))
CALL(CALL_DIR, int, -1, renameat, (int a, const char *from, int b, const char *to),
     (a, from, b, to))
CALL(CALL_DIR, int, -1, unlink, (const char *path), (path))
CALL(CALL_DIR, int, -1, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
CALL(CALL_DIR, int, -1, flock, (int fd, int op), (fd, op))
CALL(CALL_DIR, int, -1, ftruncate, (int fd, off_t len), (fd, len))
CALL(CALL_DIR, int, -1, ftruncate64, (int fd, off64_t len), (fd, len))
CALL(CALL_DIR, int, -1, fchmod, (int fd, mode_t mode), (fd, mode))

CALL(CALL_MAP, void *, MAP_FAILED, mmap,
     (void *at, size_t len, int prot, int flags, int fd, off_t from),
     (at, len, prot, flags, fd, from))
CALL(CALL_MAP, void *, MAP_FAILED, mmap64,
     (void *at, size_t len, int prot, int flags, int fd, off64_t from),
     (at, len, prot, flags, fd, from))

CALL_ON(CALL_OPEN, is_below(path), FILE *, NULL, fopen, (const char *path, const char *mode),
	(path, mode))
CALL_ON(CALL_OPEN, is_below(path), FILE *, NULL, fopen64, (const char *path, const char *mode),
	(path, mode))
CALL_ON(CALL_OPEN, is_below(path), DIR *, NULL, opendir, (const char *path), (path))
CALL_ON(CALL_OPEN, is_file_below(fd), DIR *, NULL, fdopendir, (int fd), (fd))
CALL_ON(CALL_OPEN, is_file_below(fd), FILE *, NULL, fdopen, (int fd, const char *mode), (fd, mode))
CALL_ON(CALL_OPEN, is_below(path), int, -1, mkostemp, (char *path, int flags), (path, flags))

/* the mode is there or it is not looked at */
#define OPEN(name)                                                                                 \
	NEXT(name);                                                                                \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
		va_start(ap, flags);                                                               \
		mode = va_arg(ap, mode_t);                                                         \
		va_end(ap);                                                                        \
		return is_below(path) && strikes(CALL_OPEN) ? -1 : REAL(name)(path, flags, mode);  \
	}

#define OPENAT(name)                                                                               \
	NEXT(name);                                                                                \
	int name(int dir, const char *path, int flags, ...)                                        \
	{                                                                                          \
		int may = *path == '/' || dir == AT_FDCWD ? is_below(path) : is_file_below(dir);   \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
		va_start(ap, flags);                                                               \
		mode = va_arg(ap, mode_t);                                                         \
		va_end(ap);                                                                        \
		return may && strikes(CALL_OPEN) ? -1 : REAL(name)(dir, path, flags, mode);        \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* bpf, perf_event_open and openat2 have no function of their own. */
NEXT(syscall);
long syscall(long number, ...)
{
	enum call_class class = number == SYS_bpf || number == SYS_perf_event_open ? CALL_BPF :
				number == SYS_openat2				   ? CALL_OPEN :
										     0;
	long a[6];
	va_list ap;
	int i;

	va_start(ap, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (class && (class != CALL_OPEN || is_file_below(a[0])) && strikes(class))
		return -1;
	return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- the clocks --------------------------------------------------------------------------- */

static int64_t shift_ns(clockid_t clock)
{
	if (!control)
		return 0;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		return control->realtime_ns;
	case CLOCK_BOOTTIME:
		return control->boottime_ns;
	default:
		return 0;
	}
}

NEXT(clock_gettime);
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int64_t by_ns = shift_ns(clock), ns;
	int err = REAL(clock_gettime)(clock, ret);

	if (!err && by_ns) {
		ns = ret->tv_sec * 1000000000LL + ret->tv_nsec + by_ns;
		ret->tv_sec = ns / 1000000000;
		ret->tv_nsec = ns % 1000000000;
	}
	return err;
}

time_t time(time_t *ret)
{
	struct timespec ts = {0};

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec ts = {0};

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	ret->tv_sec = ts.tv_sec;
	ret->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
