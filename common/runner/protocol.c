/*
 * protocol.c - see protocol.h.
 */
#include "common/runner/protocol.h"

#include "common/util.h"

#include <errno.h>
#include <string.h>

#define ASK_MAGIC    0x74723151u /* changes with the layout */
#define ANSWER_MAGIC 0x74723141u

/* Fixed parts, in host order: both ends are on one machine.  Strings with their NULs follow. */
struct ask_head {
	uint32_t magic, script;
	uint64_t id;
	int64_t timeout_us;
	char digest[20];
	uint16_t n_args, n_env;
};

struct answer_head {
	uint32_t magic, outcome;
	uint64_t id;
	int64_t duration_us;
	int32_t code;
	uint32_t reserved;
};

_Static_assert(sizeof(struct ask_head) == 48, "no hidden padding");
_Static_assert(sizeof(struct answer_head) == 32, "no hidden padding");

/* ---- words ---- */

static bool
is_printable(const char *word)
{
	for (const unsigned char *p = (const unsigned char *)word; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

bool
runner_arg_allowed(const char *word)
{
	return strnlen(word, RUNNER_ARG_MAX_BYTES + 1) <= RUNNER_ARG_MAX_BYTES &&
	       is_printable(word);
}

bool
runner_env_allowed(const char *word)
{
	static const char prefix[] = "TRIVET_";
	size_t n;

	if (strnlen(word, RUNNER_ENV_MAX_BYTES + 1) > RUNNER_ENV_MAX_BYTES ||
	    strncmp(word, prefix, sizeof(prefix) - 1) != 0)
		return false;
	word += sizeof(prefix) - 1;
	n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	return n > 0 && word[n] == '=' && is_printable(word + n);
}

/* ---- writing ---- */

struct writer {
	char *bytes;
	size_t size;
	int err;
};

static void
put_string(struct writer *w, const char *s)
{
	size_t n = strlen(s) + 1;

	if (w->err != 0 || n > RUNNER_MESSAGE_MAX - w->size) {
		w->err = -EMSGSIZE;
		return;
	}
	memcpy(w->bytes + w->size, s, n);
	w->size += n;
}

static int
writer_end(const struct writer *w, size_t *ret_size)
{
	if (w->err == 0)
		*ret_size = w->size;
	return w->err;
}

static bool
ask_allowed(const struct runner_ask *ask)
{
	if (ask->n_args > RUNNER_ARGS_MAX || ask->n_env > RUNNER_ENV_MAX || ask->timeout_us <= 0 ||
	    ask->timeout_us > RUNNER_TIMEOUT_MAX_US)
		return false;
	for (size_t i = 0; i < ask->n_args; i++)
		if (!runner_arg_allowed(ask->args[i]))
			return false;
	for (size_t i = 0; i < ask->n_env; i++)
		if (!runner_env_allowed(ask->env[i]))
			return false;
	return true;
}

int
runner_ask_encode(
    const struct runner_ask *ask, char buf[static RUNNER_MESSAGE_MAX], size_t *ret_size)
{
	struct ask_head head = {
		.magic = ASK_MAGIC,
		.script = ask->script,
		.id = ask->id,
		.timeout_us = ask->timeout_us,
		.n_args = (uint16_t)ask->n_args,
		.n_env = (uint16_t)ask->n_env,
	};
	struct writer w = { .bytes = buf, .size = sizeof(head) };

	if (!ask_allowed(ask))
		return -EINVAL;
	memcpy(head.digest, ask->digest, RUNNER_DIGEST_SIZE);
	memcpy(buf, &head, sizeof(head));
	for (size_t i = 0; i < ask->n_args; i++)
		put_string(&w, ask->args[i]);
	for (size_t i = 0; i < ask->n_env; i++)
		put_string(&w, ask->env[i]);
	return writer_end(&w, ret_size);
}

int
runner_answer_encode(
    const struct runner_answer *answer, char buf[static RUNNER_MESSAGE_MAX], size_t *ret_size)
{
	struct answer_head head = {
		.magic = ANSWER_MAGIC,
		.outcome = answer->outcome,
		.id = answer->id,
		.duration_us = answer->duration_us,
		.code = answer->code,
	};
	struct writer w = { .bytes = buf, .size = sizeof(head) };

	memcpy(buf, &head, sizeof(head));
	put_string(&w, answer->reason);
	put_string(&w, answer->output);
	put_string(&w, answer->last_line);
	return writer_end(&w, ret_size);
}

/* ---- reading ---- */

struct reader {
	const char *bytes;
	size_t left;
};

/* The next string, or NULL when the message ends before its NUL. */
static const char *
get_string(struct reader *r)
{
	const char *s = r->bytes;
	const char *end = r->left > 0 ? memchr(s, '\0', r->left) : NULL;

	if (end == NULL)
		return NULL;
	r->left -= (size_t)(end - s) + 1;
	r->bytes = end + 1;
	return s;
}

static int
get_strings(struct reader *r, const char **words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((words[i] = get_string(r)) == NULL)
			return -EBADMSG;
	words[n] = NULL;
	return 0;
}

int
runner_ask_decode(const char *bytes, size_t size, struct runner_ask *ret)
{
	struct reader r;
	struct runner_ask ask = { 0 };
	struct ask_head head;

	if (size < sizeof(head) || size > RUNNER_MESSAGE_MAX)
		return -EBADMSG;
	memcpy(&head, bytes, sizeof(head));
	r = (struct reader){ bytes + sizeof(head), size - sizeof(head) };
	if (head.magic != ASK_MAGIC || head.digest[RUNNER_DIGEST_SIZE - 1] != '\0' ||
	    head.n_args > RUNNER_ARGS_MAX || head.n_env > RUNNER_ENV_MAX)
		return -EBADMSG;
	ask.id = head.id;
	ask.script = head.script;
	ask.timeout_us = head.timeout_us;
	memcpy(ask.digest, head.digest, RUNNER_DIGEST_SIZE);
	ask.n_args = head.n_args;
	ask.n_env = head.n_env;
	if (get_strings(&r, ask.args, ask.n_args) < 0 || get_strings(&r, ask.env, ask.n_env) < 0 ||
	    r.left != 0)
		return -EBADMSG;
	*ret = ask;
	return ask_allowed(&ask) ? 0 : -EINVAL;
}

int
runner_answer_decode(const char *bytes, size_t size, struct runner_answer *ret)
{
	struct reader r;
	const char *words[3 + 1];
	struct answer_head head;

	if (size < sizeof(head) || size > RUNNER_MESSAGE_MAX)
		return -EBADMSG;
	memcpy(&head, bytes, sizeof(head));
	r = (struct reader){ bytes + sizeof(head), size - sizeof(head) };
	if (head.magic != ANSWER_MAGIC || head.outcome > RUNNER_NOT_RUN ||
	    get_strings(&r, words, 3) < 0 || r.left != 0)
		return -EBADMSG;
	*ret = (struct runner_answer){
		.id = head.id,
		.outcome = (enum runner_outcome)head.outcome,
		.code = head.code,
		.duration_us = head.duration_us,
		.reason = words[0],
		.output = words[1],
		.last_line = words[2],
	};
	return 0;
}
