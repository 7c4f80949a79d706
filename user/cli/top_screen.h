/* SPDX-License-Identifier: BSD-2-Clause */
/* top_screen.h - the live screen of `seep top` (curses). */
#ifndef SEEP_CLI_TOP_SCREEN_H
#define SEEP_CLI_TOP_SCREEN_H

#include "top_view.h"

/* Runs until the user quits. The view is where it starts. Returns an exit code. */
int top_screen__run(const char *socket_path, const struct top_view *view, int color);

#endif /* SEEP_CLI_TOP_SCREEN_H */
