# not.sh - `not COMMAND...` succeeds when the command fails. A bare `! COMMAND` is passed over by
# `set -e`: in the middle of a test it cannot fail. Sourced by bed.sh and hsm.sh.
not() { ! "$@"; }
