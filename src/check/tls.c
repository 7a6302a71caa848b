/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <string.h>

struct tls_trust {
	gnutls_certificate_credentials_t credentials;
	bool has_authorities;
};

struct tls_session {
	gnutls_session_t gnutls;
};

struct tls_trust *tls_trust_new(void)
{
	struct tls_trust *trust = calloc(1, sizeof(*trust));

	if (trust && gnutls_certificate_allocate_credentials(&trust->credentials) == 0)
		return trust;
	free(trust);
	return NULL;
}

void tls_trust_free(struct tls_trust *trust)
{
	if (!trust)
		return;
	gnutls_certificate_free_credentials(trust->credentials);
	free(trust);
}

/* Without any, no certificate will do, and the outcome says so. */
static void read_authorities(struct tls_trust *trust)
{
	if (!trust->has_authorities)
		(void)gnutls_certificate_set_x509_system_trust(trust->credentials);
	trust->has_authorities = true;
}

static int set_up(gnutls_session_t session, struct tls_trust *trust, const struct conf_check *check)
{
	const char *name = check->server_name;
	int r = gnutls_set_default_priority(session);

	if (r == 0)
		r = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, trust->credentials);
	if (r == 0 && name)
		r = gnutls_server_name_set(session, GNUTLS_NAME_DNS, name, strlen(name));
	if (r < 0 || !check->verify)
		return r;
	read_authorities(trust);
	gnutls_session_set_verify_cert(session, name, 0);
	return 0;
}

struct tls_session *tls_session_new(struct tls_trust *trust, const struct conf_check *check, int fd)
{
	struct tls_session *session = calloc(1, sizeof(*session));

	if (!session || gnutls_init(&session->gnutls,
				GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
		free(session);
		return NULL;
	}
	gnutls_transport_set_int(session->gnutls, fd);
	if (set_up(session->gnutls, trust, check) == 0)
		return session;
	tls_session_free(session);
	return NULL;
}

/* Says farewell if that can be done at once. */
void tls_session_free(struct tls_session *session)
{
	if (!session)
		return;
	(void)gnutls_bye(session->gnutls, GNUTLS_SHUT_WR);
	gnutls_deinit(session->gnutls);
	free(session);
}

static void describe(gnutls_session_t session, int error, char detail[static CHECK_DETAIL_MAX])
{
	gnutls_datum_t text = { .data = NULL };

	if (error != GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
		snprintf(detail, CHECK_DETAIL_MAX, "%s", gnutls_strerror(error));
		return;
	}
	if (gnutls_certificate_verification_status_print(
		    gnutls_session_get_verify_cert_status(session),
		    gnutls_certificate_type_get2(session, GNUTLS_CTYPE_SERVER), &text, 0) < 0)
		return;
	snprintf(detail, CHECK_DETAIL_MAX, "%s", (const char *)text.data);
	detail[strcspn(detail, "\n")] = '\0';
	gnutls_free(text.data);
}

enum check_outcome tls_session_shake(
	struct tls_session *session, char detail[static CHECK_DETAIL_MAX])
{
	int r;

	do
		r = gnutls_handshake(session->gnutls);
	while (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(r));
	if (r == 0)
		return CHECK_GOOD;
	if (r == GNUTLS_E_AGAIN)
		return CHECK_PENDING;
	describe(session->gnutls, r, detail);
	return CHECK_TLS;
}

static ssize_t result_of(ssize_t r)
{
	if (r >= 0)
		return r;
	/* Many servers close without a farewell. */
	if (r == GNUTLS_E_PREMATURE_TERMINATION)
		return 0;
	errno = gnutls_error_is_fatal((int)r) ? EPROTO : EAGAIN;
	return -1;
}

ssize_t tls_session_send(struct tls_session *session, const void *bytes, size_t size)
{
	return result_of(gnutls_record_send(session->gnutls, bytes, size));
}

/* What is no data, such as a ticket, is taken in by the way. */
ssize_t tls_session_receive(struct tls_session *session, void *buffer, size_t size)
{
	ssize_t r;

	do
		r = gnutls_record_recv(session->gnutls, buffer, size);
	while (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal((int)r));
	return result_of(r);
}
