#!/usr/bin/env bash
# What the interoperability runner starts in the container. /setup.sh and /wait-for-it.sh are of its
# base image: routes through the simulator, and waiting until that is there.
set -euo pipefail

/setup.sh
if [ "$ROLE" = client ]; then /wait-for-it.sh sim:57832 -s -t 30; fi
exec stoq_hq endpoint
