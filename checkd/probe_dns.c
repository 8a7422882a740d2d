/*
 * probe_dns.c - asks one name server one question over UDP.  Up: it answers
 * with a record of the type asked for.
 */
#include "checkd/ask.h"
#include "checkd/dns.h"

#include <errno.h>

static size_t
write_question(
    const struct probe *p, const struct ask_token *token, uint8_t buf[static ASK_SIZE_MAX])
{
	int size = dns_query_encode(token->id, p->conf->dns_name, p->conf->dns_type, buf);

	return size < 0 ? 0 : (size_t)size;
}

static enum ask_answer
judge(const struct probe *p, const struct ask_token *token, const uint8_t *bytes, size_t size,
    struct text *detail)
{
	uint8_t query[ASK_SIZE_MAX];
	size_t query_size = write_question(p, token, query);
	struct dns_answer answer;
	int err = query_size == 0 ? -ENOENT
				  : dns_answer_decode(query, query_size, bytes, size, &answer);

	if (err == -ENOENT)
		return ASK_NOT_OURS;
	if (err < 0) {
		text_add(detail, "malformed answer");
		return ASK_BAD;
	}
	if (answer.rcode != 0) {
		text_addf(detail, "rcode %u %s", answer.rcode, dns_rcode_str(answer.rcode));
		return ASK_BAD;
	}
	if (answer.records == 0 && !answer.truncated) {
		text_addf(detail, "no %s record for %s", dns_type_str(p->conf->dns_type),
		    p->conf->dns_name);
		return ASK_BAD;
	}
	return ASK_GOOD;
}

static void
start(struct probe *p)
{
	static const struct ask_class class = {
		.type = SOCK_DGRAM, .write = write_question, .judge = judge
	};

	ask_start(p, &class);
}

const struct probe_class probe_dns = {
	.size = sizeof(struct attempt_probe),
	.start = start,
	.done = attempt_probe_done,
};
