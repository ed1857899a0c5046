/*
 * file.h: reading whole files and writing them so that a reader never sees half of one: temporary
 * file beside the target, fsync, rename, fsync of the folder.
 */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include "core/arena.h"

/* Read a whole regular file into the arena, with a zero byte after it (not counted). ERR_INPUT with
 * the path and the system's reason when it cannot be opened, is no file, or is larger than
 * max_bytes. A .gz file is *not* unpacked. */
MUST_USE bool file_read(struct arena *keep, const char *path, size_t max_bytes,
                        unsigned char **bytes, size_t *n, struct err *e);

/* Replace path by these bytes, atomically. ERR_FAILED keeps the old file as it was. */
MUST_USE bool file_write(const char *path, const void *bytes, size_t n, struct err *e);

/* A file that only grows, a line at a time, each line flushed to the system before the call
 * returns. */
struct file_log {
    int fd;
    const char *path; /* not owned */
};
MUST_USE bool file_log_open(struct file_log *log, const char *path, bool truncate, struct err *e);
MUST_USE bool file_log_write(struct file_log *log, const char *text, size_t n, struct err *e);
void file_log_close(struct file_log *log);

/* For a file that several processes add lines to: wait until none of them holds it, and hold it;
 * let it go. It is let go too when the process ends. */
MUST_USE bool file_log_lock(const struct file_log *log, struct err *e);
void file_log_unlock(const struct file_log *log);

/* Bytes in the file, -1 if the system does not tell; cut it to n. */
int64_t file_log_bytes(const struct file_log *log);
MUST_USE bool file_log_cut(const struct file_log *log, size_t n, struct err *e);

/* Make a folder and its parents; fine if it is there. */
MUST_USE bool file_mkdirs(const char *path, struct err *e);

bool file_exists(const char *path);

/* SHA-256 of the file's bytes as 64 hex digits and a zero. */
MUST_USE bool file_sha256(const char *path, char hex[65], struct err *e);

/* Where the files that ship with hdnas are (built-in data and reference): HDNAS_SHARE, else beside
 * the executable (data/builtin in a source tree), else the installed share/hdnas. */
MUST_USE bool file_share_path(struct arena *keep, const char *name, char **path, struct err *e);

#endif
