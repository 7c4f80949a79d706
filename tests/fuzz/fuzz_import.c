// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_import.c - JSON Lines for `seep import`, through the command and a real database; what was
 * taken is exported, and that must be taken as a whole.
 */
#include <errno.h>
#include <fcntl.h>

#include "cli/cli.h"
#include "fuzz.h"
#include "incident/history.h"
#include "out/ctl_proto.h"

static char state_arg[160], out_path[160];

/* The commands talk; nobody listens. */
static int quietly(int (*cmd)(int argc, char **argv), int argc, char **argv)
{
	int err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC), code;

	fflush(stderr);
	dup2(null, STDERR_FILENO);
	code = cmd(argc, argv);
	fflush(stderr);
	dup2(err, STDERR_FILENO);
	close(err);
	close(null);
	return code;
}

static void make_database(void)
{
	struct history *h;
	const char *why;
	char path[160];

	fuzz__put("incidents.db", NULL, 0);
	snprintf(path, sizeof(path), "%s/incidents.db", fuzz__dir());
	unlink(path);
	if (history__open(path, &h, &why))
		abort();
	history__close(h);
	snprintf(state_arg, sizeof(state_arg), "--state-dir=%s", fuzz__dir());
	snprintf(out_path, sizeof(out_path), "%s/exported", fuzz__dir());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = fuzz__fd(data, size);
	char path[32];
	char *import[] = {(char *)"import", state_arg, (char *)fuzz__path(fd, path), NULL};
	char *export[] = {(char *)"export", state_arg, (char *)"-O", out_path, NULL};
	char *again[] = {(char *)"import", state_arg, out_path, NULL};

	fuzz__remove_dir();
	make_database();
	quietly(cmd_import, 3, import);
	if (quietly(cmd_export, 4, export) != SEEP_EXIT_OK ||
	    quietly(cmd_import, 3, again) != SEEP_EXIT_OK)
		abort();
	close(fd);
	return 0;
}
