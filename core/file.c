#define _GNU_SOURCE
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/digest.h"

/* One read or write: large enough that the calls cost nothing beside the copying, small enough for
 * a stack. */
enum { FILE_CHUNK_BYTES = 1 << 16 };

/* Linux moves at most 0x7ffff000 bytes a call; asking for less keeps the loop simple. */
enum { FILE_MAX_IO_BYTES = 1 << 30 };

static ssize_t read_some(int fd, void *buf, size_t n)
{
    ssize_t got;
    do {
        got = read(fd, buf, MIN(n, (size_t)FILE_MAX_IO_BYTES));
    } while (got < 0 && errno == EINTR);
    return got;
}

/* All n bytes, however many calls it takes; false leaves the reason in errno. */
static bool write_all(int fd, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    while (n > 0) {
        ssize_t put = write(fd, p, MIN(n, (size_t)FILE_MAX_IO_BYTES));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            errno = put == 0 ? ENOSPC : errno;
            return false;
        }
        p += put;
        n -= (size_t)put;
    }
    return true;
}

/* O_NONBLOCK: opening a pipe that nobody writes to must not hang; regular files do not care. */
static bool open_regular(const char *path, int *fd, size_t *n, struct err *e)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) {
        return err_set(e, ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    }
    if (fstat(*fd, &st) != 0) {
        err_set(e, ERR_INPUT, "%s: cannot look at: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        err_set(e, ERR_INPUT, "%s: expected a regular file, found %s", path,
                S_ISDIR(st.st_mode) ? "a folder" : "a device, pipe or socket");
    } else {
        *n = (size_t)st.st_size;
        return true;
    }
    close(*fd);
    *fd = -1;
    return false;
}

static bool read_exactly(int fd, const char *path, unsigned char *p, size_t n, struct err *e)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read_some(fd, p + at, n - at);
        if (got < 0) {
            return err_set(e, ERR_INPUT, "%s: cannot read at byte %zu: %s", path, at,
                           strerror(errno));
        }
        if (got == 0) {
            return err_set(e, ERR_INPUT, "%s: ended at byte %zu while it was read, expected %zu",
                           path, at, n);
        }
        at += (size_t)got;
    }
    return true;
}

bool file_read(struct arena *keep, const char *path, size_t max_bytes, unsigned char **bytes,
               size_t *n, struct err *e)
{
    ASSERT(keep && path && bytes && n);
    int fd = -1;
    size_t len = 0;
    if (!open_regular(path, &fd, &len, e)) {
        return false;
    }
    bool ok = false;
    if (len > max_bytes) {
        err_set(e, ERR_INPUT, "%s: expected at most %zu bytes, found %zu", path, max_bytes, len);
        goto out;
    }
    unsigned char *p = arena_try(keep, len + 1, 1, e);
    if (!p) {
        err_wrap(e, "%s", path);
        goto out;
    }
    if (!read_exactly(fd, path, p, len, e)) {
        goto out;
    }
    p[len] = 0;
    *bytes = p;
    *n = len;
    ok = true;
out:
    close(fd);
    return ok;
}

static bool system_error(struct err *e, const char *path, const char *what)
{
    return err_set(e, ERR_FAILED, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* The name has to reach the disk too, or a power cut could bring the old file back. Some file
 * systems cannot sync a folder and say EINVAL: nothing more can be done there. */
static bool sync_folder_of(const char *path, struct err *e)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (!slash) {
        strcpy(folder, ".");
    } else if (len == 0) {
        strcpy(folder, "/");
    } else {
        memcpy(folder, path, len);
        folder[len] = 0;
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        /* A folder that may be written but not read cannot be opened for syncing. */
        return errno == EACCES || system_error(e, folder, "open");
    }
    bool ok =
        fsync(fd) == 0 || errno == EINVAL || errno == EROFS || system_error(e, folder, "sync");
    close(fd);
    return ok;
}

/* A device or a pipe (/dev/stdout, /dev/full) cannot be replaced by renaming: write into it. */
static bool write_in_place(const char *path, const void *bytes, size_t n, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return system_error(e, path, "open for writing");
    }
    bool ok = write_all(fd, bytes, n) || system_error(e, path, "write");
    if (close(fd) != 0 && ok) {
        ok = system_error(e, path, "write");
    }
    return ok;
}

/* A new file beside path. The process id keeps two processes apart, the number two threads and the
 * remains of a process that was killed. */
static int open_beside(const char *path, char tmp[PATH_MAX], struct err *e)
{
    for (int i = 0; i < 1000; i++) {
        int len = snprintf(tmp, PATH_MAX, "%s.tmp%ld-%d", path, (long)getpid(), i);
        if (len < 0 || len >= PATH_MAX) {
            err_set(e, ERR_FAILED, "the path is too long: %.100s...", path);
            return -1;
        }
        int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) {
            if (fd < 0) {
                system_error(e, path, "make a file beside it");
            }
            return fd;
        }
    }
    err_set(e, ERR_FAILED, "%s: a thousand temporary files lie beside it", path);
    return -1;
}

bool file_write(const char *path, const void *bytes, size_t n, struct err *e)
{
    ASSERT(path && (bytes || n == 0));
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (exists && !S_ISREG(st.st_mode)) {
        return write_in_place(path, bytes, n, e);
    }
    char tmp[PATH_MAX];
    int fd = open_beside(path, tmp, e);
    if (fd < 0) {
        return false;
    }
    bool ok = write_all(fd, bytes, n) || system_error(e, path, "write");
    ok = ok && (!exists || fchmod(fd, st.st_mode & 07777) == 0 || system_error(e, path, "chmod"));
    ok = ok && (fsync(fd) == 0 || system_error(e, path, "sync"));
    if (close(fd) != 0 && ok) {
        ok = system_error(e, path, "write");
    }
    ok = ok && (rename(tmp, path) == 0 || system_error(e, path, "replace"));
    if (!ok) {
        unlink(tmp);
        return false;
    }
    return sync_folder_of(path, e);
}

bool file_log_open(struct file_log *log, const char *path, bool truncate, struct err *e)
{
    ASSERT(log && path);
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (truncate ? O_TRUNC : 0);
    *log = (struct file_log){.fd = open(path, flags, 0666), .path = path};
    return log->fd >= 0 || system_error(e, path, "open for writing");
}

bool file_log_write(struct file_log *log, const char *text, size_t n, struct err *e)
{
    ASSERT(log && log->fd >= 0 && (text || n == 0));
    struct stat st;
    bool regular = fstat(log->fd, &st) == 0 && S_ISREG(st.st_mode);
    if (write_all(log->fd, text, n)) {
        return true;
    }
    system_error(e, log->path, "write");
    /* Take the half line back, so that what is there stays readable. */
    if (regular && ftruncate(log->fd, st.st_size) != 0) {
        err_wrap(e, "a half line may be left");
    }
    return false;
}

void file_log_close(struct file_log *log)
{
    ASSERT(log);
    if (log->path && log->fd >= 0) {
        close(log->fd);
    }
    *log = (struct file_log){.fd = -1};
}

bool file_log_lock(const struct file_log *log, struct err *e)
{
    ASSERT(log && log->fd >= 0);
    int code;
    do {
        code = flock(log->fd, LOCK_EX);
    } while (code != 0 && errno == EINTR);
    return code == 0 || system_error(e, log->path, "lock");
}

void file_log_unlock(const struct file_log *log)
{
    ASSERT(log && log->fd >= 0);
    flock(log->fd, LOCK_UN);
}

int64_t file_log_bytes(const struct file_log *log)
{
    struct stat st;
    return fstat(log->fd, &st) == 0 ? (int64_t)st.st_size : -1;
}

bool file_log_cut(const struct file_log *log, size_t n, struct err *e)
{
    return ftruncate(log->fd, (off_t)n) == 0 || system_error(e, log->path, "cut");
}

bool file_mkdirs(const char *path, struct err *e)
{
    ASSERT(path);
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part) {
        return err_set(e, ERR_FAILED, "cannot make a folder: the path is %s",
                       len ? "too long" : "empty");
    }
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != 0) {
            continue;
        }
        memcpy(part, path, i);
        part[i] = 0;
        /* A part that is there is fine whatever mkdir says (EEXIST, EROFS, EACCES). */
        struct stat st;
        if (mkdir(part, 0777) != 0 && !(stat(part, &st) == 0 && S_ISDIR(st.st_mode))) {
            errno = errno == EEXIST ? ENOTDIR : errno;
            return system_error(e, part, "make this folder");
        }
    }
    return true;
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool file_sha256(const char *path, char hex[65], struct err *e)
{
    ASSERT(path && hex);
    int fd = -1;
    size_t n = 0;
    if (!open_regular(path, &fd, &n, e)) {
        return false;
    }
    unsigned char chunk[FILE_CHUNK_BYTES];
    struct digest sum = {0};
    bool ok = digest_open(&sum, e);
    for (ssize_t got = 1; ok && got > 0;) {
        got = read_some(fd, chunk, sizeof chunk);
        if (got < 0) {
            ok = err_set(e, ERR_INPUT, "%s: cannot read: %s", path, strerror(errno));
        } else {
            digest_add(&sum, chunk, (size_t)got);
        }
    }
    if (ok) {
        digest_close(&sum, hex);
    }
    digest_drop(&sum);
    close(fd);
    return ok;
}

bool file_share_path(struct arena *keep, const char *name, char **path, struct err *e)
{
    ASSERT(keep && name && path);
    const char *share = getenv("HDNAS_SHARE");
    if (share && *share) {
        *path = arena_printf(keep, "%s/%s", share, name);
        return file_exists(*path) ||
               err_set(e, ERR_INPUT, "%s: not found (HDNAS_SHARE says to look there)", *path);
    }
    char exe[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (len <= 0) {
        err_set(e, ERR_INPUT, "%s: cannot tell where hdnas is installed", name);
        return err_hint(e, "set HDNAS_SHARE to the folder that holds %s", name);
    }
    exe[len] = 0;
    *strrchr(exe, '/') = 0;
    /* A source tree, a test program two folders below one, an installation. */
    static const char *const places[] = {"data/builtin", "../../data/builtin", "../share/hdnas"};
    for (size_t i = 0; i < N_ELEMS(places); i++) {
        *path = arena_printf(keep, "%s/%s/%s", exe, places[i], name);
        if (file_exists(*path)) {
            return true;
        }
    }
    err_set(e, ERR_INPUT, "%s: not found in data/builtin or share/hdnas near %s", name, exe);
    return err_hint(e, "set HDNAS_SHARE to the folder that holds %s", name);
}
