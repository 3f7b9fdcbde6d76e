/*
 * tlstbs.h - is this what a TLS client signs to prove that it has its key? Pure.
 */
#pragma once

#include "common/signing.h"

/*
 * TLS 1.3 (RFC 8446 section 4.4.3): 64 spaces, "TLS 1.3, client CertificateVerify", 0, and a
 * hash of the handshake. TLS 1.2 (RFC 5246 section 7.4.8): the handshake's messages, from the
 * client's hello to its key exchange, which is as much as can be seen of them here. Nothing
 * else is signed by a key for TLS: no certificate, no assertion, no server's signature.
 */
bool tlstbs_is_client(struct slice tbs);
