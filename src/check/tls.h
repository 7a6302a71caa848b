/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* TLS of probes, by GnuTLS: sessions over sockets that do not block. */

#include "drover/check.h"

/* What sessions share: the authorities that certificates are verified by, read when first needed.
 */
struct tls_trust;

struct tls_session;

/* Returns NULL without memory. */
struct tls_trust *tls_trust_new(void);
void tls_trust_free(struct tls_trust *trust);

/* On a connected socket. Returns NULL on failure: without memory. */
struct tls_session *tls_session_new(
	struct tls_trust *trust, const struct conf_check *check, int fd);
void tls_session_free(struct tls_session *session);

/*
 * Goes on with the handshake when the socket is readable. CHECK_GOOD: it is done; CHECK_PENDING;
 * CHECK_TLS: it has failed, detail says why.
 */
enum check_outcome tls_session_shake(
	struct tls_session *session, char detail[static CHECK_DETAIL_MAX]);

/* As send() and recv(); errno is EAGAIN, or EPROTO for what is wrong with TLS. */
ssize_t tls_session_send(struct tls_session *session, const void *bytes, size_t size);
ssize_t tls_session_receive(struct tls_session *session, void *buffer, size_t size);
