#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# epoch.sh - the time that archives of this tree carry: its commit's, or without git that of the newest
# file of the sources' archive, where all have the commit's.
set -eu
cd "$(dirname "$0")/.."

git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md
