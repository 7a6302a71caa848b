/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/http.h"

#include "drover/clock.h"
#include "library.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

enum {
	CONNECTIONS_MAX = 16,
	/* One more than are kept: the newest is let in before the oldest has gone. */
	CONNECTIONS_LIMIT = CONNECTIONS_MAX + 1,
	BACKLOG = 128, /* one that is refused by the kernel comes again after a second */
	SILENT_SECONDS = 5,
	REQUEST_BYTES_MAX = 8 * 1024, /* headers of the request and of the answer */
	PAGE_KEPT_US = 250 * 1000,
	/* Whoever connects without end has no more than a part of the loop's time. */
	TURNS_PER_INTERVAL = 64,
	TURN_INTERVAL_US = 100 * 1000,
	US_PER_MS = 1000,
};

#define PAGE_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct connection {
	struct MHD_Connection *connection; /* NULL: this place is free */
	uint64_t number;                   /* in the order in which they came */
};

struct http_server {
	struct library library;
	struct MHD_Daemon *daemon;
	sd_event_source *source, *timer;
	int fd; /* where it listens, until the daemon owns it */
	http_page_t page;
	void *user_data;
	struct MHD_Response *response; /* the last page; clients that read slowly share it */
	uint64_t made_us;
	struct connection connections[CONNECTIONS_LIMIT];
	uint64_t n_connections; /* that ever were */
	bool has_room;          /* one has ended in this turn */
};

/* --- answers ----------------------------------------------------------------------------- */

/* An answer that ends the connection. Takes the text, from malloc(). */
static struct MHD_Response *response_new(
	const struct library *library, char *text, const char *header, const char *value)
{
	struct MHD_Response *response = library->create_response_from_buffer(
		strlen(text), text, MHD_RESPMEM_MUST_FREE);

	if (!response) {
		free(text);
		return NULL;
	}
	if (library->add_response_header(response, header, value) == MHD_NO ||
		library->add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") ==
			MHD_NO) {
		library->destroy_response(response);
		return NULL;
	}
	return response;
}

static void forget_page(struct http_server *server)
{
	if (server->response)
		server->library.destroy_response(server->response);
	server->response = NULL;
}

static enum MHD_Result send_page(struct http_server *server, struct MHD_Connection *connection)
{
	uint64_t now = clock_now_us();

	if (server->response && now - server->made_us >= PAGE_KEPT_US)
		forget_page(server);
	if (!server->response) {
		char *text = server->page(server->user_data);

		if (text)
			server->response = response_new(
				&server->library, text, MHD_HTTP_HEADER_CONTENT_TYPE, PAGE_TYPE);
		server->made_us = now;
	}
	if (!server->response)
		return MHD_NO;
	return server->library.queue_response(connection, MHD_HTTP_OK, server->response);
}

static enum MHD_Result send_refusal(struct http_server *server, struct MHD_Connection *connection,
	unsigned int status, const char *why, const char *header, const char *value)
{
	char *text = strdup(why);
	struct MHD_Response *response = text ? response_new(&server->library, text, header, value)
					     : NULL;
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	result = server->library.queue_response(connection, status, response);
	server->library.destroy_response(response);
	return result;
}

/* MHD_NO ends the connection without an answer. */
static enum MHD_Result on_request(void *user_data, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version, const char *upload,
	size_t *upload_size, void **request)
{
	struct http_server *server = user_data;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)request;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return send_refusal(server, connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			"only GET and HEAD\n", MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (strcmp(url, "/metrics") != 0)
		return send_refusal(server, connection, MHD_HTTP_NOT_FOUND,
			"there is only /metrics\n", MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
	return send_page(server, connection);
}

/* --- connections --------------------------------------------------------------------------- */

static struct connection *find_place(
	struct http_server *server, const struct MHD_Connection *connection)
{
	for (size_t i = 0; i < CONNECTIONS_LIMIT; i++)
		if (server->connections[i].connection == connection)
			return &server->connections[i];
	return NULL;
}

/* Many silent connections must not lock a scraper out: the oldest goes, however busy it looks. */
static void end_oldest(struct http_server *server)
{
	struct connection *oldest = NULL;
	const union MHD_ConnectionInfo *info;

	for (size_t i = 0; i < CONNECTIONS_LIMIT; i++) {
		struct connection *place = &server->connections[i];

		if (!place->connection)
			return;
		if (!oldest || place->number < oldest->number)
			oldest = place;
	}
	info = server->library.get_connection_info(
		oldest->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	/* Only the library may close it; it sees the end in its next turn. */
	if (info)
		(void)shutdown(info->connect_fd, SHUT_RDWR);
}

static void on_connection(void *user_data, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = user_data;
	struct connection *place;

	(void)context;
	place = find_place(server, code == MHD_CONNECTION_NOTIFY_STARTED ? NULL : connection);
	if (!place)
		return;
	*place = (struct connection){ .connection = NULL };
	if (code != MHD_CONNECTION_NOTIFY_STARTED) {
		server->has_room = true;
		return;
	}
	place->connection = connection;
	place->number = ++server->n_connections;
	end_oldest(server);
}

/* --- the event loop -------------------------------------------------------------------------- */

/* The library listens again only in the turn after the one that made room. */
static void take_turn(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
	bool must_return;

	server->has_room = false;
	(void)server->library.run(server->daemon);
	must_return = server->has_room ||
		      server->library.get_timeout(server->daemon, &timeout_ms) == MHD_YES;
	(void)sd_event_source_set_time_relative(
		server->timer, must_return ? (uint64_t)timeout_ms * US_PER_MS : 0);
	(void)sd_event_source_set_enabled(
		server->timer, must_return ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_event(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	(void)source;
	(void)fd;
	(void)events;
	take_turn(user_data);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t now, void *user_data)
{
	(void)source;
	(void)now;
	take_turn(user_data);
	return 0;
}

static int watch(struct http_server *server, sd_event *event)
{
	const union MHD_DaemonInfo *info = server->library.get_daemon_info(
		server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int r;

	if (!info)
		return -EIO;
	r = sd_event_add_io(event, &server->source, info->epoll_fd, EPOLLIN, on_event, server);
	if (r >= 0)
		r = sd_event_source_set_ratelimit(
			server->source, TURN_INTERVAL_US, TURNS_PER_INTERVAL);
	if (r >= 0)
		r = sd_event_add_time_relative(
			event, &server->timer, CLOCK_MONOTONIC, 0, US_PER_MS, on_timer, server);
	if (r >= 0)
		r = sd_event_source_set_ratelimit(
			server->timer, TURN_INTERVAL_US, TURNS_PER_INTERVAL);
	return r < 0 ? r : 0;
}

/* --- the server ------------------------------------------------------------------------------ */

static socklen_t make_address(
	const struct address *address, uint16_t port, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (address->family == AF_INET6) {
		memcpy(&in6.sin6_addr, address->bytes, sizeof(in6.sin6_addr));
		memcpy(ret_address, &in6, sizeof(in6));
		return sizeof(in6);
	}
	memcpy(&in.sin_addr, address->bytes, sizeof(in.sin_addr));
	memcpy(ret_address, &in, sizeof(in));
	return sizeof(in);
}

/* The address may be that of an interface that is not there yet. Returns a descriptor or -errno. */
static int listen_on(const struct address *address, uint16_t port)
{
	bool is_ipv6 = address->family == AF_INET6;
	struct sockaddr_storage storage = { 0 };
	socklen_t size = make_address(address, port, &storage);
	_cleanup_(close_p) int fd = -1;
	const int on = 1;
	int r;

	fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (setsockopt(fd, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
		    is_ipv6 ? IPV6_FREEBIND : IP_FREEBIND, &on, sizeof(on)) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&storage, size) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	r = fd;
	fd = -1;
	return r;
}

static int start(struct http_server *server)
{
	server->daemon = server->library.start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request,
		server, MHD_OPTION_LISTEN_SOCKET, server->fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)CONNECTIONS_LIMIT, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)SILENT_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)REQUEST_BYTES_MAX, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_END);
	if (!server->daemon)
		return -EIO;
	server->fd = -1;
	return 0;
}

int http_server_new(struct sd_event *event, const struct address *address, uint16_t port,
	http_page_t page, void *user_data, struct http_server **ret_server)
{
	_cleanup_(http_server_free_p) struct http_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->page = page;
	server->user_data = user_data;
	r = server->fd = listen_on(address, port);
	if (r >= 0)
		r = library_load(&server->library);
	if (r >= 0)
		r = start(server);
	if (r >= 0)
		r = watch(server, event);
	if (r < 0)
		return r;
	*ret_server = take_ptr(server);
	return 0;
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	sd_event_source_disable_unref(server->source);
	sd_event_source_disable_unref(server->timer);
	if (server->daemon)
		server->library.stop_daemon(server->daemon);
	forget_page(server);
	if (server->fd >= 0)
		close(server->fd);
	free(server);
}
