/*
 * probe_http_curl.c - the module probe_http.so: libcurl's multi interface on
 * the libuv loop (curl_multi_socket_action(3)).  Nothing else of trivet is
 * linked into it; what it is asked and what it tells stands in fetch.h.
 */
#include "checkd/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CA_FILE		 "/etc/ssl/certs/ca-certificates.crt"
#define CA_CACHE_SECONDS -1L /* for ever: in the meantime other runs would time out */
#define CERTIFICATES_MAX 16  /* of a chain that are looked at */

/*
 * All fetches that trust the same authorities.  To read the system's takes a
 * tenth of a second, in which nothing else happens; libcurl keeps what it read,
 * but only one file for each multi handle.  And all whose kept connections come
 * from one place: libcurl, which does not know of it, shares them.
 */
struct pool {
	struct pool *next;
	uv_loop_t *loop;
	char *key; /* the file of authorities, and the place */
	CURLM *multi;
	uv_timer_t timer;
};

struct fetch_engine {
	uv_loop_t *loop;
	struct pool *pools; /* as many as the configuration has had keys */
};

/* A socket of libcurl's, watched; it lives until libuv has closed its handle. */
struct watch {
	uv_poll_t poll;
	struct pool *pool;
	curl_socket_t fd;
};

struct fetch {
	struct pool *pool;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	void (*on_end)(void *aux, const struct fetch_reply *);
	void *aux;
	bool connected, tls, header_overflow, body_overflow;
	int socket_errno; /* why there was no socket at all; 0: there was */
	struct sockaddr_storage from;
	socklen_t from_size;  /* 0: from anywhere */
	char from_if[16];     /* "": any */
	unsigned redirects;   /* left */
	uint64_t deadline_ms; /* of them all, by the loop's clock */
	size_t header_size, body_size, body_room;
	char *body; /* body_room + 1 bytes */
	char error[CURL_ERROR_SIZE];
};

/* ---- the end of a fetch ---- */

static void
fetch_free(struct fetch *f)
{
	curl_multi_remove_handle(f->pool->multi, f->easy);
	curl_easy_cleanup(f->easy);
	curl_slist_free_all(f->headers);
	curl_slist_free_all(f->connect_to);
	free(f->body);
	free(f);
}

/* How far it came. */
static const char *
phase(const struct fetch *f)
{
	curl_off_t connected = 0, secured = 0;
	long status = 0;

	curl_easy_getinfo(f->easy, CURLINFO_CONNECT_TIME_T, &connected);
	curl_easy_getinfo(f->easy, CURLINFO_APPCONNECT_TIME_T, &secured);
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	if (connected == 0 && !f->connected) /* the former is set when TLS is done, too */
		return "no connection";
	if (f->tls && secured == 0)
		return "no end of the TLS handshake";
	return status == 0 ? "no answer" : "the answer did not end";
}

static enum fetch_end
end_of_connect(const struct fetch *f, const char **ret_why)
{
	long err = 0;

	curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &err);
	if (f->socket_errno != 0)
		err = f->socket_errno;
	*ret_why = err != 0 ? strerror((int)err) : f->error;
	switch (err) {
	case ECONNREFUSED:
		return FETCH_REFUSED;
	case ETIMEDOUT:
		return FETCH_TIMEOUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case EADDRNOTAVAIL:
	case EACCES: /* a firewall's answer (ICMP prohibited) */
		return FETCH_UNREACHABLE;
	default:
		return FETCH_SYSTEM;
	}
}

/* OpenSSL's own words, without libcurl's before them. */
static const char *
tls_words(const char *error)
{
	static const char *const prefixes[] = { "SSL certificate problem: ", "SSL: " };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(error, prefixes[i], strlen(prefixes[i])) == 0)
			return error + strlen(prefixes[i]);
	return error;
}

/* libcurl keeps a header line of 100 KB at most, and calls a longer one a want of memory. */
static bool
began_to_answer(const struct fetch *f)
{
	curl_off_t first_byte = 0;

	curl_easy_getinfo(f->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
	return first_byte > 0;
}

/* In the words of response.c, which reads the answers that need no library. */
static const char *
words_for(const struct fetch *f, CURLcode code, const char *words)
{
	switch (code) {
	case CURLE_GOT_NOTHING:
		return "connection closed before the answer";
	case CURLE_PARTIAL_FILE:
		return "connection closed before the answer ended";
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: anything at all */
		return "that is not HTTP";
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		if (strstr(words, strerror(ECONNRESET)) == NULL)
			return words;
		return began_to_answer(f) ? "connection reset before the answer ended"
					  : "connection reset before the answer";
	default:
		return words;
	}
}

static enum fetch_end
end_of(const struct fetch *f, CURLcode code, const char **ret_why)
{
	*ret_why = f->error[0] != '\0' ? f->error : curl_easy_strerror(code);
	switch (code) {
	case CURLE_OK:
		*ret_why = "";
		return FETCH_DONE;
	case CURLE_WRITE_ERROR:
		*ret_why = f->body_overflow ? "" : "its headers do not end";
		return f->body_overflow ? FETCH_DONE : FETCH_PROTOCOL;
	case CURLE_OPERATION_TIMEDOUT:
		*ret_why = phase(f);
		return FETCH_TIMEOUT;
	case CURLE_COULDNT_CONNECT:
		return end_of_connect(f, ret_why);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		*ret_why = tls_words(*ret_why);
		return FETCH_TLS;
	case CURLE_OUT_OF_MEMORY:
		if (!began_to_answer(f))
			return FETCH_SYSTEM;
		*ret_why = "its headers do not end";
		return FETCH_PROTOCOL;
	case CURLE_FAILED_INIT:
	case CURLE_COULDNT_RESOLVE_HOST: /* no name was asked for */
		return FETCH_SYSTEM;
	default:
		*ret_why = words_for(f, code, *ret_why);
		return FETCH_PROTOCOL;
	}
}

/* ---- certificates ---- */

static time_t
when(const char *expiry)
{
	return expiry != NULL ? curl_getdate(expiry, NULL) : -1;
}

/* Of the chain that came, the end that comes first. */
static const char *
first_expiry(const struct fetch *f)
{
	static const char label[] = "Expire date:";
	const struct curl_certinfo *info = NULL;
	const char *first = NULL;

	if (curl_easy_getinfo(f->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || info == NULL)
		return NULL;
	for (int i = 0; i < info->num_of_certs && i < CERTIFICATES_MAX; i++)
		for (const struct curl_slist *s = info->certinfo[i]; s != NULL; s = s->next) {
			const char *date = s->data + strlen(label);

			if (strncmp(s->data, label, strlen(label)) != 0 || when(date) < 0)
				continue;
			if (first == NULL || when(date) < when(first))
				first = date;
		}
	return first;
}

static void
tell(struct fetch *f, CURLcode code)
{
	struct fetch_reply reply = { .body = f->body, .body_size = f->body_size };
	long status = 0;

	reply.end = end_of(f, code, &reply.why);
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	reply.status = (unsigned)status;
	if (f->tls)
		reply.expiry = first_expiry(f);
	if (f->body == NULL)
		reply.body = "";
	else
		f->body[f->body_size] = '\0';
	f->on_end(f->aux, &reply);
}

/* ---- redirects ---- */

static bool
same_host(const char *a, const char *b)
{
	CURLU *x = curl_url(), *y = curl_url();
	char *host_x = NULL, *host_y = NULL;
	bool same = x != NULL && y != NULL && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
		    curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK &&
		    curl_url_get(x, CURLUPART_HOST, &host_x, 0) == CURLUE_OK &&
		    curl_url_get(y, CURLUPART_HOST, &host_y, 0) == CURLUE_OK &&
		    strcasecmp(host_x, host_y) == 0;

	curl_free(host_x);
	curl_free(host_y);
	curl_url_cleanup(x);
	curl_url_cleanup(y);
	return same;
}

/*
 * True: the answer points to another place of the same host, which is asked
 * now.  Another host would be another check: no name is resolved here.
 */
static bool
follow(struct fetch *f, CURLcode code)
{
	const char *to = NULL, *here = NULL;
	uint64_t now;

	if (code != CURLE_OK || f->redirects == 0)
		return false;
	curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &to);
	curl_easy_getinfo(f->easy, CURLINFO_EFFECTIVE_URL, &here);
	uv_update_time(f->pool->loop);
	now = uv_now(f->pool->loop);
	if (to == NULL || here == NULL || !same_host(to, here) || now >= f->deadline_ms)
		return false;
	f->redirects--;
	f->tls = f->tls || strncasecmp(to, "https:", 6) == 0;
	f->header_size = f->body_size = 0;
	curl_multi_remove_handle(f->pool->multi, f->easy);
	curl_easy_setopt(f->easy, CURLOPT_URL, to);
	curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, (long)(f->deadline_ms - now));
	return curl_multi_add_handle(f->pool->multi, f->easy) == CURLM_OK;
}

static void
collect_ended(struct pool *p)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(p->multi, &left)) != NULL) {
		struct fetch *f;
		CURLcode code = message->data.result; /* gone with the handle */

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&f);
		if (follow(f, code))
			continue;
		tell(f, code);
		fetch_free(f);
	}
}

/* ---- libcurl's sockets and its timer, on the loop ---- */

static void
on_event(uv_poll_t *poll, int status, int events)
{
	struct watch *w = (struct watch *)poll;
	struct pool *p = w->pool;
	/* An error is told again, and better, by the next call on the socket. */
	int flags = status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0, running;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(p->multi, w->fd, flags, &running);
	collect_ended(p);
}

static void
on_timer(uv_timer_t *timer)
{
	struct pool *p = timer->data;
	int running;

	curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_ended(p);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *aux)
{
	struct pool *p = aux;

	(void)multi;
	if (timeout_ms < 0) {
		uv_timer_stop(&p->timer);
		return 0;
	}
	uv_update_time(p->loop);
	return uv_timer_start(&p->timer, on_timer, (uint64_t)timeout_ms, 0);
}

static void
on_watch_closed(uv_handle_t *h)
{
	free(h);
}

static struct watch *
watch_new(struct pool *p, curl_socket_t fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->pool = p;
	w->fd = fd;
	if (uv_poll_init(p->loop, &w->poll, fd) < 0) {
		free(w);
		return NULL;
	}
	curl_multi_assign(p->multi, fd, w);
	return w;
}

static int
set_socket(CURL *easy, curl_socket_t fd, int what, void *aux, void *socket_aux)
{
	struct pool *p = aux;
	struct watch *w = socket_aux;
	struct fetch *f;
	int events = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&f);
	f->connected = f->connected ||
		       (what & CURL_POLL_IN) != 0; /* until then it waits to write */
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			curl_multi_assign(p->multi, fd, NULL);
			uv_close((uv_handle_t *)&w->poll, on_watch_closed);
		}
		return 0;
	}
	if (w == NULL && (w = watch_new(p, fd)) == NULL)
		return -1;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return uv_poll_start(&w->poll, events, on_event) < 0 ? -1 : 0;
}

static const char *
authorities(const struct fetch_request *r)
{
	return r->ca != NULL ? r->ca : CA_FILE;
}

static struct pool *
pool_new(struct fetch_engine *e, const char *key)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->key = strdup(key);
	p->multi = curl_multi_init();
	if (p->key == NULL || p->multi == NULL) {
		curl_multi_cleanup(p->multi);
		free(p->key);
		free(p);
		return NULL;
	}
	p->loop = e->loop;
	uv_timer_init(p->loop, &p->timer);
	uv_unref((uv_handle_t *)&p->timer);
	p->timer.data = p;
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	p->next = e->pools;
	e->pools = p;
	return p;
}

/* malloc()ed; NULL: no memory. */
static char *
pool_key(const struct fetch_request *r)
{
	char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "", *key;
	bool kept = r->keep_alive;

	if (kept && r->from != NULL)
		getnameinfo(r->from, r->from_size, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	if (asprintf(&key, "%s %s %s %s", authorities(r),
		kept && r->from_if != NULL ? r->from_if : "", host, port) < 0)
		return NULL;
	return key;
}

static struct pool *
pool_for(struct fetch_engine *e, const struct fetch_request *r)
{
	char *key = pool_key(r);
	struct pool *p = e->pools;

	if (key == NULL)
		return NULL;
	while (p != NULL && strcmp(p->key, key) != 0)
		p = p->next;
	if (p == NULL)
		p = pool_new(e, key);
	free(key);
	return p;
}

static struct fetch_engine *
engine_new(uv_loop_t *loop)
{
	struct fetch_engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->loop = loop;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == 0)
		return e;
	free(e);
	return NULL;
}

/* ---- what comes ---- */

static size_t
on_header(char *bytes, size_t size, size_t n, void *aux)
{
	struct fetch *f = aux;

	(void)bytes;
	f->header_size += size * n;
	f->header_overflow = f->header_size > FETCH_HEADER_MAX;
	return f->header_overflow ? 0 : size * n;
}

/* Room grows with what came: most answers are small, and there may be thousands at once. */
static bool
make_room(struct fetch *f, size_t more)
{
	size_t room = f->body_room;
	char *body;

	while (room < f->body_size + more)
		room = room == 0 ? 1024 : room * 2;
	if (room == f->body_room)
		return true;
	body = realloc(f->body, room + 1);
	if (body == NULL)
		return false;
	f->body = body;
	f->body_room = room;
	return true;
}

static size_t
on_body(char *bytes, size_t size, size_t n, void *aux)
{
	struct fetch *f = aux;
	size_t given = size * n, take = given;

	if (f->body_size + take > FETCH_BODY_MAX)
		take = FETCH_BODY_MAX - f->body_size;
	if (!make_room(f, take))
		return 0;
	memcpy(f->body + f->body_size, bytes, take);
	f->body_size += take;
	f->body_overflow = take < given;
	return take;
}

static in_port_t
port_of(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)ss)->sin6_port
					 : ((const struct sockaddr_in *)ss)->sin_port;
}

/* As attempt.c does: the next run uses the same port to the same peer. */
static void
free_port_at_the_end(int fd)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
}

/* 0 or an errno. */
static int
bind_source(const struct fetch *f, int fd)
{
	if (f->from_if[0] != '\0' && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, f->from_if,
					 (socklen_t)strlen(f->from_if)) < 0)
		return errno;
	if (f->from_size == 0)
		return 0;
	if (port_of(&f->from) != 0)
		free_port_at_the_end(fd);
	setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
	return bind(fd, (const struct sockaddr *)&f->from, f->from_size) < 0 ? errno : 0;
}

/* As libcurl does it, which would not tell why it cannot. */
static curl_socket_t
open_socket(void *aux, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct fetch *f = aux;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	(void)purpose;
	f->socket_errno = fd < 0 ? errno : bind_source(f, fd);
	if (f->socket_errno == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return CURL_SOCKET_BAD;
}

/* ---- what is asked ---- */

static bool
add(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

static bool
mentions(const struct fetch_request *r, const char *name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (strncasecmp(r->headers[i], name, strlen(name)) == 0)
			return true;
	return false;
}

/*
 * "Name:" alone would remove one of libcurl's own; "Name;" sends it empty.
 * Without keep-alive the server closes first: the TIME_WAIT is not ours.
 */
static bool
add_headers(struct fetch *f, const struct fetch_request *r)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (!add(&f->headers, r->headers[i]))
			return false;
	if (!r->keep_alive && !mentions(r, "Connection:"))
		return add(&f->headers, "Connection: close");
	return true;
}

static bool
add_connect_to(struct fetch *f, const struct fetch_request *r)
{
	char line[80];

	snprintf(line, sizeof(line), "::%.64s:", r->connect_to);
	return add(&f->connect_to, line);
}

/* The URL with another host: the one that TLS asks for; the old one goes into Host. */
static char *
url_for_sni(struct fetch *f, const struct fetch_request *r)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL, *url = NULL, line[512];

	if (u == NULL)
		return NULL;
	if (curl_url_set(u, CURLUPART_URL, r->url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_HOST, r->sni, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK && !mentions(r, "Host:")) {
		if (curl_url_get(u, CURLUPART_PORT, &port, 0) != CURLUE_OK)
			port = NULL;
		snprintf(line, sizeof(line), "Host: %.400s%s%.8s", host, port != NULL ? ":" : "",
		    port != NULL ? port : "");
		add(&f->headers, line);
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return url;
}

static bool
set_url(struct fetch *f, const struct fetch_request *r)
{
	char *url;
	CURLcode rc;

	if (r->sni == NULL)
		return curl_easy_setopt(f->easy, CURLOPT_URL, r->url) == CURLE_OK;
	url = url_for_sni(f, r);
	if (url == NULL)
		return false;
	rc = curl_easy_setopt(f->easy, CURLOPT_URL, url);
	curl_free(url);
	return rc == CURLE_OK;
}

static void
set_method(CURL *c, const char *method)
{
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, "GET") != 0)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
}

static void
set_tls(CURL *c, const struct fetch_request *r)
{
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, r->verify ? 1L : 0L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, r->verify ? 2L : 0L);
	curl_easy_setopt(c, CURLOPT_CAINFO, r->verify ? authorities(r) : NULL);
	curl_easy_setopt(c, CURLOPT_CAPATH, (char *)NULL); /* with one, libcurl does not cache */
	curl_easy_setopt(c, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_SECONDS);
	curl_easy_setopt(c, CURLOPT_CERTINFO, r->wants_expiry ? 1L : 0L);
}

/* Nothing of the environment, no other protocol, no redirect, no cookie, no proxy. */
static void
set_options(struct fetch *f, const struct fetch_request *r)
{
	CURL *c = f->easy;

	curl_easy_setopt(c, CURLOPT_PRIVATE, f);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, r->user_agent);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, f->headers);
	curl_easy_setopt(c, CURLOPT_CONNECT_TO, f->connect_to);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, f);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)((r->timeout_us + 999) / 1000));
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)((r->timeout_us + 999) / 1000));
	curl_easy_setopt(c, CURLOPT_FORBID_REUSE, r->keep_alive ? 0L : 1L);
	curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, r->keep_alive ? 0L : 1L);
	set_method(c, r->method);
	set_tls(c, r);
}

static struct fetch *
start(struct fetch_engine *e, const struct fetch_request *r,
    void (*on_end)(void *aux, const struct fetch_reply *), void *aux)
{
	struct pool *p = pool_for(e, r);
	struct fetch *f = p != NULL ? calloc(1, sizeof(*f)) : NULL;

	if (f == NULL)
		return NULL;
	f->pool = p;
	f->on_end = on_end;
	f->aux = aux;
	f->tls = strncasecmp(r->url, "https:", 6) == 0;
	f->redirects = r->redirects;
	uv_update_time(e->loop);
	f->deadline_ms = uv_now(e->loop) + (uint64_t)((r->timeout_us + 999) / 1000);
	if (r->from != NULL) {
		memcpy(&f->from, r->from, r->from_size);
		f->from_size = r->from_size;
	}
	if (r->from_if != NULL)
		snprintf(f->from_if, sizeof(f->from_if), "%s", r->from_if);
	f->easy = curl_easy_init();
	if (f->easy == NULL || !add_headers(f, r) || !add_connect_to(f, r) || !set_url(f, r)) {
		fetch_free(f);
		return NULL;
	}
	set_options(f, r);
	if (curl_multi_add_handle(p->multi, f->easy) != CURLM_OK) {
		fetch_free(f);
		return NULL;
	}
	return f;
}

const struct fetch_api trivet_fetch_api = {
	.version = FETCH_VERSION,
	.engine_new = engine_new,
	.start = start,
	.cancel = fetch_free,
};
