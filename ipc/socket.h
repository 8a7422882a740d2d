/*
 * socket.h - making a daemon's socket, finding a sibling's, and who is at the
 * other end.  Paths may be longer than sun_path (unix(7)): long ones are
 * reached through their directory's descriptor.
 */
#ifndef IPC_SOCKET_H
#define IPC_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ipc_listening {
	int fd;	     /* listening, non-blocking */
	int lock_fd; /* PATH.lock, held for as long as we serve */
	char *path;
	dev_t dev; /* of the inode we made, to remove no successor's */
	ino_t ino;
};

/*
 * Serve at 'path', replacing what a dead daemon left: bound beside it and
 * renamed over it, so that at no moment connecting finds nothing.  Whoever may
 * write to the inode may connect: owner and 'group' ((gid_t)-1: as it is).
 * 0; -EADDRINUSE: a living daemon serves it; other -errno.
 */
int ipc_socket_listen(const char *path, gid_t group, struct ipc_listening *ret);

/* Closes, and removes the socket if it still is ours.  Zeroed or -1 descriptors are fine. */
void ipc_socket_close(struct ipc_listening *);

/* 0 and a non-blocking descriptor; -ENOENT, -ECONNREFUSED, -EACCES, -EAGAIN (its queue is full). */
int ipc_socket_connect(const char *path, int *ret_fd);

/* uid and pid at the other end, as they were when it connected or listened.  0 or -errno. */
int ipc_socket_peer(int fd, uid_t *ret_uid, gid_t *ret_gid, pid_t *ret_pid);

/* Is the peer in 'group', by its gid or its supplementary groups (SO_PEERGROUPS)? */
bool ipc_socket_peer_in_group(int fd, gid_t group);

/* Who may stand behind a daemon's socket. */
struct ipc_trust {
	uid_t uid;     /* of the user _trivet-NAME */
	bool has_user; /* it exists */
};
struct ipc_trust ipc_trust_daemon(const char *daemon); /* asks NSS: not in the loop */

/* 0: root, ourselves or the daemon's user serves this connection; -EPERM: a stranger. */
int ipc_trust_check(const struct ipc_trust *, int fd, uid_t *ret_uid);

/* RUN_DIR/DAEMON.sock, to be freed. */
char *ipc_socket_path(const char *run_dir, const char *daemon);

#endif
