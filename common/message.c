/*
 * message.c - see message.h.
 */
#include "common/message.h"

#include "common/util.h"

#include <string.h>

/* clang-format off */
const struct message_kind message_kinds[] = {
{ "to", "MASTER",
    "b6d5a95f3d2c54f19e31c21842722640", "an instance became master" },
{ "to", "BACKUP",
    "0ee6cc4ff3c6d90f769081c602c9e566", "an instance became backup" },
{ "to", "FAULT",
    "e60dd52f41cb6ddd43ad0cfa6643c18d", "an instance cannot be master" },
{ "to", "INIT",
    "64116ec37fd1b0f6f08095c7f66e53f8", "an instance was stopped" },
{ "resumed", NULL,
    "b0a6a281812d444bad42a15ef0a23155", "a new process went on as master" },
{ "vip", NULL,
    "a7819ed7baf8bd05ed65813570dc2dbe", "an address was taken from us" },
{ "configuration", "last-good",
    "95884c270c0054ca6513a0f604906434", "the last good configuration runs" },
{ "configuration", "refused",
    "d6a9645261bfa4158b64e4a6f351a26e", "a reload was refused" },
{ "configuration", "reloaded",
    "944790853c55b9289e1f2a5e3f4f02a1", "another configuration is in force" },
{ "handover", "taken",
    "59ce13bb1c194a4489346911797689eb", "sockets and sessions were taken over" },
{ "state", "down",
    "0e4a6ff57ce1e31772321b09481ff4bd", "a check or a server is down" },
{ "state", "up",
    "095b8e8b8ab6d05b593259408788c45b", "a check or a server is up" },
{ "state", NULL,
    "1fcbd78becc8a8bd7546cc2b97aa2788", "a check or a server is neither up nor down" },
{ "administrative", NULL,
    "6ba1e5584b973f73f97a648d84945a94", "somebody forces or pauses a check" },
{ "why", NULL,
    "8978948c77260b9a281341bbac5a7c29", "an instance's priority or circumstances changed" },
{ "adoption", NULL,
    "3ed61ab990d1c6a644a7fa32eab27899", "a new process did not go on where the last one stopped" },
{ "startup", NULL,
    "de3bf219f01f6e72a7fa629d1efd31e2", "instances wait after the start" },
{ "differs", NULL,
    "e790aa4c06e13895979418274a04cdd2", "another node is configured differently" },
{ "network", NULL,
    "06a826755632492b55023389ec4b8deb", "the system refuses what an instance needs of the network" },
{ "script", "done",
    "2eebc90e2cc7e9402378dc70d7264971", "a notify script ran" },
{ "script", NULL,
    "c0dca60ebc31db246ccdb623413bdcd7", "a notify script failed or was not run" },
{ "producer", "silent",
    "303121b7a3e8e4088d99b20bd573beab", "another daemon does not answer" },
{ "producer", "answers",
    "51865e9b66fa8f5b081978cffd819175", "another daemon answers" },
{ "listening", "yes",
    "5ec0a54bb1654617da26a4c3dd96e6a7", "a listener accepts clients" },
{ "listening", "no",
    "75dc21634e69849f116e55fda7e873bc", "a listener cannot be opened" },
{ "resolves", NULL,
    "e4ef2461e47b2ff8c9998635bf04765d", "a server's name resolves to other addresses" },
};
/* clang-format on */

const size_t message_n_kinds = ARRAY_LEN(message_kinds);

static const char *
find(const char *const *fields, const char *key)
{
	for (size_t i = 0; fields[i] != NULL && fields[i + 1] != NULL; i += 2)
		if (strcmp(fields[i], key) == 0)
			return fields[i + 1];
	return NULL;
}

const char *
message_id(const char *const *fields)
{
	for (size_t i = 0; fields != NULL && i < message_n_kinds; i++) {
		const struct message_kind *kind = &message_kinds[i];
		const char *value = find(fields, kind->key);

		if (value != NULL && (kind->value == NULL || strcmp(value, kind->value) == 0))
			return kind->id;
	}
	return NULL;
}
