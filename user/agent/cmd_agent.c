// SPDX-License-Identifier: BSD-2-Clause
/* cmd_agent.c - `seep agent`: parse, build, run, tear down. */
#include <errno.h>
#include <string.h>

#include "agent.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "cli/cli.h"
#include "out/ctl_proto.h"

static int exit_code(int err)
{
	if (!err)
		return SEEP_EXIT_OK;
	return err == -EACCES || err == -EPERM ? SEEP_EXIT_NOT_PERMITTED : SEEP_EXIT_FAILED;
}

int cmd_agent(int argc, char **argv)
{
	struct config cfg;
	struct agent *a;
	int ret, err;

	if (config__parse(&cfg, argc, argv, &ret))
		return ret;
	log__set_level(LOG_LEVEL_INFO + (cfg.verbose > 0));
	log__set_timestamps(1);
	/* while there is one thread, which still has all privileges */
	err = sandbox__prepare();
	if (err)
		log_warn("no sandbox for reading the files of others: %s; call sites will have no "
			 "names", strerror(-err));
	err = agent__new(&cfg, argc, argv, &a);
	if (err)
		return exit_code(err);
	err = agent__run(a);
	agent__free(a);
	return exit_code(err);
}
