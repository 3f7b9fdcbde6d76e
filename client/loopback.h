/*
 * loopback.h - whose is the other end of a TCP connection on this machine? Any user can connect to
 * a loopback port.
 */
#pragma once

#include <stdbool.h>

/* Does the peer of FD, a connected TCP socket, belong to this user, or to root? FALSE also when
 * it cannot be told. */
bool loopback_peer_is_ours(int fd);
