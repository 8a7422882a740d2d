/*
 * logfile.c - see logfile.h.
 *
 * A line is copied under the target's own lock, which nobody holds while writing.
 * Only the first line that waits wakes the writing thread; it then lets a few
 * milliseconds pass before it looks, so that busy listeners pay for few wake-ups.
 */
#include "proxyd/logfile.h"

#include "common/addr.h"
#include "common/loop.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define GATHER_US   (10 * USEC_PER_MSEC)
#define RETRY_US    (5 * USEC_PER_SEC) /* a file that could not be opened */
#define SYSLOG_PORT 514
#define ROOM_FIRST  (16 * 1024)

/* Lines are kept as a byte of severity, two of length, the text and a newline. */
enum { LINE_HEAD = 3 };

struct logfile {
	struct log_target target;
	const char *what;
	size_t buffer_size;
	int64_t flush_us;
	unsigned refs; /* of rules, and the writer's own while it writes; under all.lock */
	TAILQ_ENTRY(logfile) entry;

	/* under 'lock' */
	pthread_mutex_t lock;
	char *waiting;
	size_t used, room;
	mono_t since; /* when the first of them came */
	uint64_t lines, lost;

	/* the writer's */
	int fd;
	char *out;
	size_t out_room;
	bool is_torn; /* the last line was not written whole */
	mono_t open_again;
	int error; /* errno of the last attempt; read by others, atomic */
	struct log_limit say;
};

TAILQ_HEAD(logfile_list, logfile);

static struct {
	pthread_mutex_t lock; /* of what follows; never held while writing */
	pthread_cond_t cond;
	bool ready, running, quit, reopen, flush;
	pthread_t thread;
	struct logfile_list files;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char *
name_of(const struct logfile *f)
{
	return f->target.path != NULL	  ? f->target.path
	       : f->target.syslog != NULL ? f->target.syslog
					  : "stderr";
}

/* ---- any thread ---- */

static bool
make_room(struct logfile *f, size_t n)
{
	size_t room = f->room > 0 ? f->room : ROOM_FIRST;
	char *more;

	if (f->used + n > LOGFILE_WAITING_MAX)
		return false;
	while (room < f->used + n)
		room *= 2;
	if (room == f->room)
		return true;
	more = realloc(f->waiting, room);
	if (more == NULL)
		return false;
	f->waiting = more;
	f->room = room;
	return true;
}

void
logfile_add(struct logfile *f, int severity, const char *line, size_t n)
{
	size_t before;
	bool wake;

	n = MIN(n, LOGFILE_LINE_MAX);
	pthread_mutex_lock(&f->lock);
	before = f->used;
	if (make_room(f, n + LINE_HEAD)) {
		char *p = f->waiting + f->used;

		p[0] = (char)severity;
		p[1] = (char)(n >> 8);
		p[2] = (char)n;
		memcpy(p + LINE_HEAD, line, n);
		f->used += n + LINE_HEAD;
		f->lines++;
	} else {
		f->lost++;
	}
	wake = before == 0 || (before < f->buffer_size && f->used >= f->buffer_size);
	if (before == 0)
		f->since = loop_now();
	pthread_mutex_unlock(&f->lock);
	if (!wake)
		return;
	pthread_mutex_lock(&all.lock);
	pthread_cond_signal(&all.cond);
	pthread_mutex_unlock(&all.lock);
}

/* ---- opening ---- */

/* Made readable for the group, whatever the umask; a FIFO without a reader does not hold us. */
static int
open_path(const char *path)
{
	int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, flags | O_CREAT | O_EXCL, 0640);

	if (fd >= 0) {
		fchmod(fd, 0640);
		return fd;
	}
	fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

static int
open_syslog(const char *server)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_un *sun = (struct sockaddr_un *)&ss;
	struct endpoint ep = { .port = SYSLOG_PORT };
	socklen_t size;
	int fd;

	if (strncmp(server, "unix:", 5) == 0) {
		sun->sun_family = AF_UNIX;
		snprintf(sun->sun_path, sizeof(sun->sun_path), "%s", server + 5);
		size = sizeof(*sun);
	} else {
		if (addr_parse(server, &ep.addr) < 0)
			endpoint_parse(server, &ep);
		size = endpoint_to_sockaddr(&ep, &ss);
	}
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&ss, size) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd < 0 ? -errno : fd;
}

static void
set_error(struct logfile *f, int error)
{
	__atomic_store_n(&f->error, error, __ATOMIC_RELAXED);
}

/* The old one stays where there is no new one. */
static void
open_file(struct logfile *f)
{
	int fd;

	if (f->target.to_stderr)
		return;
	fd = f->target.path != NULL ? open_path(f->target.path) : open_syslog(f->target.syslog);
	set_error(f, fd < 0 ? -fd : 0);
	f->open_again = fd < 0 ? mono_add(loop_now(), RETRY_US) : MONO_NEVER;
	if (fd < 0) {
		log_limited(&f->say, loop_now(), LOG_WARNING, "%s %s: %s%s", f->what, name_of(f),
		    strerrordesc_np(-fd),
		    f->fd >= 0 ? ": the file that was open is written on"
			       : ": its lines go where these lines go");
		return;
	}
	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd;
	f->is_torn = false;
}

/* ---- writing ---- */

static void
count_lost(struct logfile *f, size_t n, int error)
{
	uint64_t lost;

	pthread_mutex_lock(&f->lock);
	f->lost += n;
	lost = f->lost;
	pthread_mutex_unlock(&f->lock);
	set_error(f, error);
	log_limited(&f->say, loop_now(), LOG_WARNING, "%s %s: %s: %llu lines are lost", f->what,
	    name_of(f), strerrordesc_np(error), (unsigned long long)lost);
}

static const char *
next_line(const char *p, int *ret_severity, const char **ret_text, size_t *ret_n)
{
	*ret_severity = (unsigned char)p[0];
	*ret_n = (size_t)(unsigned char)p[1] << 8 | (unsigned char)p[2];
	*ret_text = p + LINE_HEAD;
	return p + LINE_HEAD + *ret_n;
}

/* In place: heads become ends of lines, which are shorter.  How many bytes. */
static size_t
join_lines(char *lines, size_t size)
{
	const char *p = lines;
	char *to = lines;

	while (p < lines + size) {
		const char *text;
		int severity;
		size_t n;

		p = next_line(p, &severity, &text, &n);
		memmove(to, text, n);
		to += n;
		*to++ = '\n';
	}
	return (size_t)(to - lines);
}

static size_t
count_lines(const char *p, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += p[i] == '\n';
	return n;
}

static void
write_file(struct logfile *f, char *lines, size_t size)
{
	size_t n = join_lines(lines, size), done = 0;

	if (f->is_torn && write(f->fd, "\n", 1) == 1)
		f->is_torn = false;
	while (done < n) {
		ssize_t rc = write(f->fd, lines + done, n - done);

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0) {
			count_lost(f, count_lines(lines + done, n - done), rc < 0 ? errno : ENOSPC);
			f->is_torn = done > 0 && lines[done - 1] != '\n';
			return;
		}
		done += (size_t)rc;
	}
	set_error(f, 0);
}

/* "<190>Nov 28 00:12:01 host trivet: text" (RFC 3164, as nginx sends it). */
static size_t
syslog_head(const struct logfile *f, int severity, char *buf, size_t size)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = time(NULL);
	char host[65] = "";
	struct tm tm;
	int n;

	localtime_r(&now, &tm);
	if (!f->target.no_hostname)
		gethostname(host, sizeof(host) - 1);
	n = snprintf(buf, size,
	    "<%d>%.3s %2d %02d:%02d:%02d %s%s%s: ", f->target.facility << 3 | severity,
	    months + 3 * (tm.tm_mon % 12), tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, host,
	    host[0] != '\0' ? " " : "", f->target.tag);
	return n > 0 ? MIN((size_t)n, size - 1) : 0;
}

/* One by one: to a syslog server, or among our own. */
static void
send_lines(struct logfile *f, const char *lines, size_t size)
{
	char datagram[256 + LOGFILE_LINE_MAX];

	for (const char *p = lines; p < lines + size;) {
		const char *text;
		int severity;
		size_t n, head;

		p = next_line(p, &severity, &text, &n);
		if (f->fd < 0) {
			log_line(severity, "%.*s", (int)n, text);
			continue;
		}
		head = syslog_head(f, severity, datagram, 256);
		memcpy(datagram + head, text, n);
		if (send(f->fd, datagram, head + n, MSG_NOSIGNAL) < 0 &&
		    send(f->fd, datagram, head + n, MSG_NOSIGNAL) < 0) {
			/* the first may have told of an earlier one (ICMP) */
			int err = errno;

			count_lost(f, 1, err);
			if (err == ENOTCONN || err == ECONNREFUSED || err == ENOENT)
				f->open_again = loop_now(); /* a daemon that came anew */
		} else {
			set_error(f, 0);
		}
	}
}

/* Take what waits and give back an empty buffer, so that lines can go on coming. */
static void
write_out(struct logfile *f)
{
	size_t used, room;
	char *lines;

	pthread_mutex_lock(&f->lock);
	lines = f->waiting;
	used = f->used;
	room = f->room;
	f->waiting = f->out;
	f->room = f->out_room;
	f->used = 0;
	pthread_mutex_unlock(&f->lock);
	f->out = lines;
	f->out_room = room;
	if (used == 0)
		return;
	if (!mono_before(loop_now(), f->open_again))
		open_file(f);
	if (f->target.path != NULL && f->fd >= 0)
		write_file(f, lines, used);
	else
		send_lines(f, lines, used);
}

static void
logfile_free(struct logfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	pthread_mutex_destroy(&f->lock);
	target_done(&f->target);
	free(f->waiting);
	free(f->out);
	free(f);
}

/* ---- the thread ---- */

/* When it is to be written; MONO_NEVER: nothing waits. */
static mono_t
due_at(struct logfile *f)
{
	mono_t due = MONO_NEVER;

	pthread_mutex_lock(&f->lock);
	if (f->used > 0)
		due = f->used >= f->buffer_size ? f->since : mono_add(f->since, f->flush_us);
	pthread_mutex_unlock(&f->lock);
	return due;
}

/* The first that is due now, or when one will be. */
static struct logfile *
next_due(mono_t now, mono_t *ret_when)
{
	struct logfile *f;

	*ret_when = MONO_NEVER;
	TAILQ_FOREACH (f, &all.files, entry) {
		mono_t due = due_at(f);

		if (f->refs == 0 || (!mono_is_never(due) && (all.flush || !mono_before(now, due))))
			return f;
		*ret_when = mono_min(*ret_when, due);
	}
	return NULL;
}

static void
wait_until(mono_t when)
{
	struct timespec ts;
	int64_t us;

	if (mono_is_never(when)) {
		pthread_cond_wait(&all.cond, &all.lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts); /* the loop's clock may be another */
	us = MAX(mono_until(loop_now(), when), 0) + ts.tv_nsec / 1000;
	ts.tv_sec += (time_t)(us / USEC_PER_SEC);
	ts.tv_nsec = us % USEC_PER_SEC * 1000;
	pthread_cond_timedwait(&all.cond, &all.lock, &ts);
}

/* The lock is held; it is not while a file is written.  The writer's reference keeps the file. */
static void
serve(struct logfile *f, void (*what)(struct logfile *))
{
	f->refs++;
	pthread_mutex_unlock(&all.lock);
	what(f);
	pthread_mutex_lock(&all.lock);
	if (--f->refs > 0)
		return;
	TAILQ_REMOVE(&all.files, f, entry);
	logfile_free(f);
}

static void
reopen_all(void)
{
	struct logfile *f, *next;

	for (f = TAILQ_FIRST(&all.files); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		serve(f, write_out);
	}
	for (f = TAILQ_FIRST(&all.files); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		serve(f, open_file);
	}
}

static void *
writer_main(void *aux)
{
	static const struct timespec gather = { .tv_nsec = GATHER_US * 1000 };
	struct logfile *f;
	mono_t when;

	(void)aux;
	pthread_mutex_lock(&all.lock);
	for (;;) {
		if (all.reopen) {
			all.reopen = false;
			reopen_all();
		}
		f = next_due(loop_now(), &when);
		if (f != NULL) {
			serve(f, write_out);
			continue;
		}
		if (all.quit)
			break;
		wait_until(when);
		if (!all.quit) {
			pthread_mutex_unlock(&all.lock);
			nanosleep(&gather, NULL);
			pthread_mutex_lock(&all.lock);
		}
	}
	pthread_mutex_unlock(&all.lock);
	return NULL;
}

/* ---- the control thread ---- */

static void
start(void)
{
	pthread_condattr_t attr;
	sigset_t every, before;
	int rc;

	if (!all.ready) {
		pthread_condattr_init(&attr);
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		pthread_cond_init(&all.cond, &attr);
		pthread_condattr_destroy(&attr);
		TAILQ_INIT(&all.files);
		all.ready = true;
	}
	if (all.running)
		return;
	all.quit = all.flush = false;
	sigfillset(&every); /* signals are the control loop's */
	pthread_sigmask(SIG_SETMASK, &every, &before);
	rc = pthread_create(&all.thread, NULL, writer_main, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		log_err("logs: %s: nothing is written", strerrordesc_np(rc));
		return;
	}
	pthread_setname_np(all.thread, "logs");
	all.running = true;
}

static struct logfile *
find(const struct log_target *target)
{
	struct logfile *f;

	TAILQ_FOREACH (f, &all.files, entry)
		if (target_equal(&f->target, target))
			return f;
	return NULL;
}

struct logfile *
logfile_open(
    const struct log_target *target, const char *what, size_t buffer_size, int64_t flush_us)
{
	struct logfile *f;

	start();
	pthread_mutex_lock(&all.lock);
	f = find(target);
	if (f == NULL) {
		f = xcalloc(1, sizeof(*f));
		f->what = what;
		f->fd = -1;
		f->open_again = MONO_NEVER;
		f->buffer_size = buffer_size;
		f->flush_us = flush_us;
		target_copy(target, &f->target);
		pthread_mutex_init(&f->lock, NULL);
		open_file(f);
		TAILQ_INSERT_TAIL(&all.files, f, entry);
	}
	f->refs++;
	pthread_mutex_lock(&f->lock);
	f->buffer_size = MIN(f->buffer_size, buffer_size);
	f->flush_us = MIN(f->flush_us, flush_us);
	pthread_mutex_unlock(&f->lock);
	pthread_mutex_unlock(&all.lock);
	return f;
}

/* What waits is still written, and the file freed, by the writer. */
void
logfile_close(struct logfile *f)
{
	if (f == NULL)
		return;
	pthread_mutex_lock(&all.lock);
	if (--f->refs == 0 && all.running) {
		pthread_cond_signal(&all.cond);
	} else if (f->refs == 0) {
		TAILQ_REMOVE(&all.files, f, entry);
		logfile_free(f);
	}
	pthread_mutex_unlock(&all.lock);
}

void
logfiles_reopen(void)
{
	if (!all.running)
		return;
	pthread_mutex_lock(&all.lock);
	all.reopen = true;
	pthread_cond_signal(&all.cond);
	pthread_mutex_unlock(&all.lock);
}

void
logfiles_stop(void)
{
	if (!all.running)
		return;
	pthread_mutex_lock(&all.lock);
	all.quit = all.flush = true;
	pthread_cond_signal(&all.cond);
	pthread_mutex_unlock(&all.lock);
	pthread_join(all.thread, NULL);
	all.running = false;
}

void
logfiles_each(void (*found)(void *aux, const struct logfile_counts *), void *aux)
{
	struct logfile *f;

	if (!all.ready)
		return;
	pthread_mutex_lock(&all.lock);
	TAILQ_FOREACH (f, &all.files, entry) {
		struct logfile_counts c = { .name = name_of(f), .error = NULL };
		int error = __atomic_load_n(&f->error, __ATOMIC_RELAXED);

		pthread_mutex_lock(&f->lock);
		c.lines = f->lines;
		c.lost = f->lost;
		c.error = error != 0 ? strerrordesc_np(error) : NULL;
		pthread_mutex_unlock(&f->lock);
		found(aux, &c);
	}
	pthread_mutex_unlock(&all.lock);
}
