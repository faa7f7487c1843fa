#!/bin/sh
# git calls this with a prompt. The token comes from an inherited descriptor, never from the
# environment; only its number does. Opened again by name, it can be read more than once.
case "$1" in
Username*) printf '%s\n' "$AI_OPS_GIT_USER" ;;
Password*) exec cat "/dev/fd/$AI_OPS_GIT_TOKEN_FD" ;;
*) exit 1 ;;
esac
