/*
 * host.h - secure.h's view of the file system, on the real one.
 */
#ifndef COMMON_RUNNER_HOST_H
#define COMMON_RUNNER_HOST_H

#include "common/runner/secure.h"

struct secure_host secure_host_real(void);

#endif
