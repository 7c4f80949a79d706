/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli.h - the command table behind `seep COMMAND`.
 *
 * A command is one file cmd_NAME.c with one function; adding a command means adding a file and a
 * row in cli.c. Exit codes are enum seep_exit (out/ctl_proto.h).
 */
#ifndef SEEP_CLI_CLI_H
#define SEEP_CLI_CLI_H

struct cli_command {
	const char *name;
	const char *summary; /* one line for `seep --help` */
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

/* Dispatch; prints help and version. Returns the exit code. */
int cli__main(int argc, char **argv);

int cmd_agent(int argc, char **argv);  /* user/agent/cmd_agent.c: the agent stands above cli/ */
int cmd_config(int argc, char **argv); /* user/agent/cmd_config.c: the same */
int cmd_top(int argc, char **argv);
int cmd_leaks(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_mute(int argc, char **argv);
int cmd_mutes(int argc, char **argv);
int cmd_unmute(int argc, char **argv);
int cmd_drill(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_heap(int argc, char **argv);

#endif /* SEEP_CLI_CLI_H */
