/*
 * recorder.h - keeps the state file (record.h) up to date.  Some checks are
 * written in each turn of the loop: ten thousands take longer than others may
 * be kept waiting.
 */
#ifndef CHECKD_RECORDER_H
#define CHECKD_RECORDER_H

#include "checkd/checks.h"

struct recorder;

/* 'on_written': a whole file is in place, or could not be made (logged once). */
struct recorder *recorder_new(
    uv_loop_t *, const char *path, const struct checks *, void (*on_written)(void *aux), void *aux);

/* A check is different; 'matters' as in target.h. */
void recorder_note(struct recorder *, bool matters);

/* Write all of it now, and end. */
void recorder_finish(struct recorder *);

#endif
