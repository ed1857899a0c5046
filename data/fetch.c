#define _GNU_SOURCE
#include "data/fetch.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "data/network.h"
#include "data/source.h"
#include "data/tar.h"

/* The largest file is 170 MB; an answer longer than this is no data set of ours. */
static const size_t fetch_max_bytes = (size_t)1 << 29;

/* The checksum of a file, by the kind that `like` is. False where it cannot be read. */
static bool fetch_sum(const char *path, const char *like, char hex[65])
{
    unsigned char chunk[1 << 16], digest[EVP_MAX_MD_SIZE];
    size_t n_digest = strlen(like) / 2;
    FILE *f = fopen(path, "rbe");
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok =
        f && md && EVP_DigestInit_ex(md, n_digest == 16 ? EVP_md5() : EVP_sha256(), NULL) == 1;
    for (size_t n; ok && (n = fread(chunk, 1, sizeof chunk, f)) > 0;) {
        EVP_DigestUpdate(md, chunk, n);
    }
    ok = ok && !ferror(f);
    if (ok) {
        EVP_DigestFinal_ex(md, digest, NULL);
        for (size_t i = 0; i < n_digest; i++) {
            snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        }
    }
    EVP_MD_CTX_free(md);
    if (f) {
        fclose(f);
    }
    return ok;
}

static bool fetch_is(const char *path, const char *checksum)
{
    char found[65] = "";
    ASSERT(strlen(checksum) == 32 || strlen(checksum) == 64);
    return file_exists(path) && fetch_sum(path, checksum, found) && strcmp(found, checksum) == 0;
}

/* One download. */
struct fetch_job {
    const struct fetch_options *options;
    const char *name; /* for the progress */
    FILE *out;
    size_t n_before; /* bytes of an earlier try, that this one goes on from */
    size_t n;        /* bytes written in all */
    int write_errno; /* the disk said no */
    bool stopped;    /* progress said no */
};

static size_t fetch_write(char *bytes, size_t size, size_t n, void *user)
{
    struct fetch_job *job = user;
    size_t n_bytes = size * n;
    if (n_bytes > fetch_max_bytes - MIN(job->n, fetch_max_bytes)) {
        job->write_errno = EFBIG;
        return 0;
    }
    if (fwrite(bytes, 1, n_bytes, job->out) != n_bytes) {
        job->write_errno = errno;
        return 0;
    }
    job->n += n_bytes;
    return n_bytes;
}

static int fetch_progress(void *user, curl_off_t n_total, curl_off_t n_now, curl_off_t up_total,
                          curl_off_t up_now)
{
    struct fetch_job *job = user;
    (void)up_total;
    (void)up_now;
    if (!job->options->progress) {
        return 0;
    }
    size_t total = n_total > 0 ? (size_t)n_total + job->n_before : 0;
    job->stopped =
        !job->options->progress(job->options->ctx, job->name, job->n_before + (size_t)n_now, total);
    return job->stopped;
}

static bool fetch_failed(struct fetch_job *job, CURLcode code, long status, const char *url,
                         const char *detail, struct err *e)
{
    if (job->write_errno) {
        return err_set(e, ERR_FAILED, "%s: cannot write what comes from %s: %s", job->options->dir,
                       url, strerror(job->write_errno));
    }
    if (job->stopped) {
        return err_set(e, ERR_INTERRUPTED, "stopped while fetching %s", url);
    }
    if (code == CURLE_HTTP_RETURNED_ERROR) {
        return err_set(e, ERR_FAILED, "%s: the server answered with status %ld", url, status);
    }
    if (code == CURLE_PARTIAL_FILE) {
        return err_set(e, ERR_FAILED, "%s: the connection ended early, after %zu bytes", url,
                       job->n);
    }
    return err_set(e, ERR_FAILED, "%s: %s", url, detail);
}

static void fetch_set_up(const struct network *net, CURL *curl, struct fetch_job *job,
                         const char *url, char *detail)
{
    long timeout_s = job->options->timeout_s > 0 ? job->options->timeout_s : 60;
    net->easy_setopt(curl, CURLOPT_URL, url);
    net->easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    net->easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    net->easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    net->easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    net->easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    net->easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    net->easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)fetch_max_bytes);
    net->easy_setopt(curl, CURLOPT_USERAGENT, "hdnas");
    net->easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, MIN(timeout_s, 30L));
    net->easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L); /* bytes a second, over the time below */
    net->easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, timeout_s);
    net->easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    net->easy_setopt(curl, CURLOPT_WRITEFUNCTION, fetch_write);
    net->easy_setopt(curl, CURLOPT_WRITEDATA, job);
    net->easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    net->easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, fetch_progress);
    net->easy_setopt(curl, CURLOPT_XFERINFODATA, job);
    net->easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)job->n_before);
}

/* Append to the open .part file from job->n_before on. *cannot_resume: the server will not go on
 * from there. */
static bool fetch_download(struct fetch_job *job, const char *url, bool *cannot_resume,
                           struct err *e)
{
    char detail[CURL_ERROR_SIZE] = "";
    struct network net;
    if (!network_open(&net, e)) {
        return false;
    }
    CURL *curl = net.easy_init();
    CURLcode code = CURLE_FAILED_INIT;
    long status = 0;
    if (curl) {
        fetch_set_up(&net, curl, job, url, detail);
        code = net.easy_perform(curl);
        net.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        net.easy_cleanup(curl);
    }
    *cannot_resume = job->n_before > 0 && (code == CURLE_RANGE_ERROR || status == 416);
    bool ok = code == CURLE_OK && !*cannot_resume;
    if (ok && (fflush(job->out) != 0 || fsync(fileno(job->out)) != 0)) {
        job->write_errno = errno;
        ok = false;
    }
    if (!ok) {
        fetch_failed(job, code, status, url, *detail ? detail : net.easy_strerror(code), e);
    }
    network_close(&net);
    return ok;
}

/* Download url to part, going on where an earlier try stopped. Where the disk is full, nothing is
 * left. */
static bool fetch_part(const struct fetch_options *options, const char *name, const char *url,
                       const char *part, bool *resumed, struct err *e)
{
    FILE *out = fopen(part, "abe");
    struct stat st;
    if (!out || fstat(fileno(out), &st) != 0 || !S_ISREG(st.st_mode)) {
        err_set(e, ERR_FAILED, "%s: cannot open for writing: %s", part, strerror(errno));
        if (out) {
            fclose(out);
        }
        return false;
    }
    struct fetch_job job = {.options = options, .name = name, .out = out};
    job.n_before = job.n = (size_t)st.st_size;
    *resumed = job.n_before > 0;
    bool ok = false, cannot_resume = false;
    if (flock(fileno(out), LOCK_EX | LOCK_NB) != 0) {
        err_set(e, ERR_FAILED, "%s: another process is writing it", part);
        goto out;
    }
    ok = fetch_download(&job, url, &cannot_resume, e);
    if (!ok && cannot_resume && ftruncate(fileno(out), 0) == 0) {
        job.n_before = job.n = 0;
        *resumed = false;
        ok = fetch_download(&job, url, &cannot_resume, e);
    }
out:
    if (fclose(out) != 0 && ok) {
        ok = err_set(e, ERR_FAILED, "%s: cannot write: %s", part, strerror(errno));
        job.write_errno = EIO;
    }
    if (job.write_errno) {
        unlink(part);
    } else if (!ok && e->code == ERR_FAILED && job.n > 0) {
        err_hint(e, "run the command again: it goes on after %zu bytes", job.n);
    }
    return ok;
}

/* Download from one address and verify. What an earlier try left may be bad: then once more from
 * the beginning. */
static bool fetch_from(const struct fetch_options *options, const char *base,
                       const struct fetch_file *file, const char *part, struct err *e)
{
    char url[1024];
    const char *slash = *base && base[strlen(base) - 1] == '/' ? "" : "/";
    int len = snprintf(url, sizeof url, "%s%s%s", base, slash, file->name);
    if (len < 0 || len >= (int)sizeof url) {
        return err_set(e, ERR_USAGE, "the address is too long: %.100s...", base);
    }
    for (bool resumed = true; resumed;) {
        if (!fetch_part(options, file->name, url, part, &resumed, e)) {
            return false;
        }
        char found[65] = "";
        if (!fetch_sum(part, file->checksum, found)) {
            return err_set(e, ERR_FAILED, "%s: cannot read it again", part);
        }
        if (strcmp(found, file->checksum) == 0) {
            return true;
        }
        unlink(part);
        err_set(e, ERR_INPUT, "%s: expected the checksum %s, found %s", url, file->checksum, found);
    }
    return false;
}

static bool fetch_part_path(char path[SOURCE_MAX_PATH], const struct fetch_options *options,
                            const char *name, struct err *e)
{
    char part[256];
    snprintf(part, sizeof part, "%s.part", name);
    return source_path(path, options->dir, part, e);
}

/* Leave a verified file in its .part, or nothing to do where the final one is there already. */
static bool fetch_verified(const struct fetch_set *set, const struct fetch_options *options,
                           const struct fetch_file *file, struct err *e)
{
    char path[SOURCE_MAX_PATH], part[SOURCE_MAX_PATH];
    if (!source_path(path, options->dir, file->name, e) ||
        !fetch_part_path(part, options, file->name, e)) {
        return false;
    }
    if ((!set->members[0].name && fetch_is(path, file->checksum)) ||
        fetch_is(part, file->checksum)) {
        return true;
    }
    if (options->base) {
        return fetch_from(options, options->base, file, part, e);
    }
    for (size_t i = 0; i < N_ELEMS(set->bases) && set->bases[i]; i++) {
        if (fetch_from(options, set->bases[i], file, part, e)) {
            return true;
        }
        if (e->code == ERR_INTERRUPTED) {
            return false;
        }
    }
    return e->hint[0] ? false
                      : err_hint(e, "another address that holds the files may be given with --url");
}

/* All members are there with the right checksums. */
static bool fetch_has_members(const struct fetch_set *set, const struct fetch_options *options)
{
    char path[SOURCE_MAX_PATH];
    struct err ignored;
    int i = 0;
    for (; i < FETCH_MAX_FILES && set->members[i].name; i++) {
        const struct fetch_member *m = &set->members[i];
        if (!m->checksum || !source_path(path, options->dir, m->name, &ignored) ||
            !fetch_is(path, m->checksum)) {
            return false;
        }
    }
    return i > 0;
}

static bool fetch_unpack(const struct fetch_set *set, const struct fetch_options *options,
                         struct arena tmp, struct err *e)
{
    char part[SOURCE_MAX_PATH], path[SOURCE_MAX_PATH];
    struct tar_member members[FETCH_MAX_FILES] = {{NULL, 0, NULL, 0}};
    int n = 0;
    while (n < FETCH_MAX_FILES && set->members[n].name) {
        members[n].name = set->members[n].name;
        members[n].max_bytes = set->members[n].max_bytes;
        n++;
    }
    if (!fetch_part_path(part, options, set->files[0].name, e) ||
        !tar_read_gz(part, members, n, &tmp, e)) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (!source_path(path, options->dir, members[i].name, e) ||
            !file_write(path, members[i].bytes, members[i].n, e)) {
            return false;
        }
    }
    unlink(part);
    return true;
}

static bool fetch_put_in_place(const struct fetch_set *set, const struct fetch_options *options,
                               struct err *e)
{
    char path[SOURCE_MAX_PATH], part[SOURCE_MAX_PATH];
    for (int i = 0; i < FETCH_MAX_FILES && set->files[i].name; i++) {
        if (!source_path(path, options->dir, set->files[i].name, e) ||
            !fetch_part_path(part, options, set->files[i].name, e)) {
            return false;
        }
        if (file_exists(part) && rename(part, path) != 0) {
            return err_set(e, ERR_FAILED, "%s: cannot put it in place: %s", path, strerror(errno));
        }
    }
    return true;
}

bool fetch_run(const struct fetch_set *set, const struct fetch_options *options, struct arena tmp,
               struct err *e)
{
    ASSERT(set && options && options->dir && set->files[0].name);
    if (!file_mkdirs(options->dir, e)) {
        return false;
    }
    if (set->members[0].name && fetch_has_members(set, options)) {
        return true;
    }
    bool ok = true;
    for (int i = 0; ok && i < FETCH_MAX_FILES && set->files[i].name; i++) {
        ok = fetch_verified(set, options, &set->files[i], e);
    }
    if (!ok) {
        return false;
    }
    return set->members[0].name ? fetch_unpack(set, options, tmp, e)
                                : fetch_put_in_place(set, options, e);
}
