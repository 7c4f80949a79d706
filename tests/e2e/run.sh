#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The end-to-end ring, see run.py. The system's Python, because its Flask is one of the programs.
cd "$(dirname "$0")/../.." || exit 1
export PYTHONDONTWRITEBYTECODE=1
python=/usr/bin/python3
[ -x $python ] || python=python3
exec $python tests/e2e/run.py "$@"
