/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control_fixture.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

/* --- the daemon ------------------------------------------------------------- */

json_t *answer(const json_t *request, void *user_data)
{
	const char *command = json_string_value(json_object_get(request, "command"));
	struct fixture *f = user_data;

	if (strcmp(command, "echo") == 0)
		return json_pack("{s:b, s:O}", "ok", 1, "request", request);
	if (strcmp(command, "big") == 0) {
		_cleanup_(free_p) char *text = malloc(BIG_REPLY);

		memset(text, 'x', BIG_REPLY);
		return json_pack("{s:b, s:s#}", "ok", 1, "text", text, BIG_REPLY);
	}
	if (strcmp(command, "later") == 0) {
		f->call = control_server_defer(f->server);
		return NULL;
	}
	if (strcmp(command, "now") == 0) {
		control_server_answer(f->server, f->call, json_pack("{s:b}", "late", 1));
		return control_reply_ok();
	}
	if (strcmp(command, "nothing") == 0)
		return NULL;
	return control_reply_error("unknown command \"%s\"", command);
}

static int on_stop(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	(void)fd;
	(void)events;
	(void)user_data;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

/* From here to the join the loop and the server belong to this thread. */
static void *serve(void *user_data)
{
	struct fixture *f = user_data;

	(void)sd_event_loop(f->event);
	return NULL;
}

int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	strcpy(f->directory, "/tmp/drover-control-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/control.sock", f->directory);
	assert_true(sd_event_new(&f->event) >= 0);
	f->stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(f->stop_fd >= 0);
	assert_true(sd_event_add_io(f->event, NULL, f->stop_fd, POLLIN, on_stop, f) >= 0);
	assert_int_equal(control_server_new(f->event, f->path, answer, f, &f->server), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	return 0;
}

int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(eventfd_write(f->stop_fd, 1), 0);
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	if (f->server)
		control_server_free(f->server);
	sd_event_unref(f->event);
	close(f->stop_fd);
	/* The server has removed its file, or this fails. */
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

/* --- a client that does as it likes --------------------------------------------- */

int connect_raw(const struct fixture *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strncpy(address.sun_path, f->path, sizeof(address.sun_path) - 1);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void send_raw(int fd, const void *bytes, size_t size)
{
	assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

void send_text(int fd, const char *text)
{
	send_raw(fd, text, strlen(text));
}

bool is_readable_within(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) > 0;
}

json_t *receive_reply(int fd)
{
	static char line[BIG_REPLY * 2];
	size_t size = 0;
	json_t *reply;

	do {
		const char *newline;
		ssize_t n;

		assert_true(size < sizeof(line));
		assert_true(is_readable_within(fd, PATIENCE_MS));
		n = recv(fd, line + size, sizeof(line) - size, MSG_PEEK);
		if (n <= 0)
			return NULL;
		/* No byte of the next reply may be taken along. */
		newline = memchr(line + size, '\n', (size_t)n);
		if (newline)
			n = newline + 1 - (line + size);
		assert_int_equal(recv(fd, line + size, (size_t)n, 0), n);
		size += (size_t)n;
	} while (line[size - 1] != '\n');
	reply = json_loadb(line, size, 0, NULL);
	assert_non_null(reply);
	return reply;
}

void expect_refusal(int fd, const char *part)
{
	_cleanup_(json_decref_p) json_t *reply = receive_reply(fd);

	assert_non_null(reply);
	assert_true(json_is_false(json_object_get(reply, "ok")));
	assert_non_null(strstr(json_string_value(json_object_get(reply, "error")), part));
}

void expect_end(int fd)
{
	assert_null(receive_reply(fd));
}

char *make_request(const char *command)
{
	_cleanup_(free_p) char *netns = control_netns();
	char *line;

	assert_non_null(netns);
	assert_true(
		asprintf(&line, "{\"command\": \"%s\", \"netns\": \"%s\"}\n", command, netns) > 0);
	return line;
}

int ask(const struct fixture *f, const char *command, json_t **ret_reply)
{
	_cleanup_(json_decref_p) json_t *request = json_pack("{s:s}", "command", command);

	return control_ask(f->path, request, PATIENCE_MS, ret_reply);
}

void expect_alive(const struct fixture *f)
{
	_cleanup_(json_decref_p) json_t *reply = NULL;

	assert_int_equal(ask(f, "echo", &reply), 0);
	assert_true(json_is_true(json_object_get(reply, "ok")));
}
