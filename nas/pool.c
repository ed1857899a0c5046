#include "nas/pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"

static const char first_line[] = "hdnas pool 1";
static const char columns[] = "arch,score,seconds";

/* A larger file is not one of ours. */
static const size_t max_bytes = (size_t)64 << 20, max_networks = 1000000;

/* Of the map: 2^21 places of 40 bytes at most, and as much for those it has outgrown. */
static const size_t known_bytes = (size_t)256 << 20;

/* The next line of a file's text, without its end; *line counts it. NULL at the end. The text has
 * no half lines. */
static char *next_line(char **at, size_t *line)
{
    char *begin = *at, *end = strchr(begin, '\n');
    if (!end) {
        return NULL;
    }
    *end = 0;
    *at = end + 1;
    ++*line;
    return begin;
}

static bool pool_head(const struct pool *p, char **at, size_t *line, struct err *e)
{
    const char *path = p->log.path, *text = next_line(at, line);
    if (!text || strcmp(text, first_line) != 0) {
        err_set(e, ERR_INPUT, "%s: line 1: expected '%s', found '%.40s'", path, first_line,
                text ? text : "");
        return err_hint(e, "--pool wants a file that an earlier run began, or a new one");
    }
    for (int i = 0; i < p->n_settings; i++) {
        const struct pool_setting *s = &p->settings[i];
        size_t len = strlen(s->name);
        text = next_line(at, line);
        if (!text || strncmp(text, s->name, len) != 0 || text[len] != ' ') {
            return err_set(e, ERR_INPUT, "%s: line %zu: expected the setting '%s', found '%.40s'",
                           path, *line, s->name, text ? text : "");
        }
        if (strcmp(text + len + 1, s->value) != 0) {
            err_set(e, ERR_USAGE, "%s: line %zu: its scores were made with %s %.80s, not %.80s",
                    path, *line, s->name, text + len + 1, s->value);
            return err_hint(e, "another --pool, or the settings that the first lines name");
        }
    }
    text = next_line(at, line);
    return (text && strcmp(text, columns) == 0) ||
           err_set(e, ERR_INPUT, "%s: line %zu: expected '%s', found '%.40s'", path, *line, columns,
                   text ? text : "");
}

/* A whole field as a finite number; empty is NaN where that is allowed. */
static bool field_number(const char *text, bool may_be_empty, double *value)
{
    char *end;
    *value = NAN;
    if (!*text) {
        return may_be_empty;
    }
    *value = strtod(text, &end);
    return *end == 0 && isfinite(*value);
}

static bool pool_row(struct pool *p, char *text, size_t line, struct err *e)
{
    char *score = strchr(text, ','), *seconds = score ? strchr(score + 1, ',') : NULL;
    struct arch a;
    double value, ignored;
    if (!seconds || strchr(seconds + 1, ',')) {
        return err_set(e, ERR_INPUT, "%s: line %zu: expected %s, found '%.80s'", p->log.path, line,
                       columns, text);
    }
    *score++ = 0;
    *seconds++ = 0;
    if (!p->space->parse(&a, text, e)) {
        return err_wrap(e, "%s: line %zu", p->log.path, line);
    }
    if (!field_number(score, true, &value) || !field_number(seconds, false, &ignored)) {
        return err_set(e, ERR_INPUT, "%s: line %zu: expected two numbers, found '%.40s,%.40s'",
                       p->log.path, line, score, seconds);
    }
    const double *known = archmap_get(&p->scores, &a);
    if (known && *known != value && !(isnan(*known) && isnan(value))) {
        return err_set(e, ERR_INPUT, "%s: line %zu: %.100s had another score before: %.17g",
                       p->log.path, line, text, *known);
    }
    if (!known && p->scores.n >= max_networks) {
        return err_set(e, ERR_INPUT, "%s: line %zu: more than %zu networks", p->log.path, line,
                       max_networks);
    }
    archmap_set(&p->scores, &a, value);
    return true;
}

/* Everything from byte n_read on; the lock is held, so a line without an end is a crash's. */
static bool pool_read(struct pool *p, struct err *e)
{
    if (file_log_bytes(&p->log) == (int64_t)p->n_read && p->n_lines > 0) {
        return true;
    }
    struct arena tmp = p->scratch;
    unsigned char *bytes;
    size_t n, line = p->n_lines;
    if (!file_read(&tmp, p->log.path, max_bytes, &bytes, &n, e)) {
        return false;
    }
    if (n < p->n_read) {
        return err_set(e, ERR_INPUT, "%s: it has become shorter while it was in use", p->log.path);
    }
    size_t whole = n;
    while (whole > p->n_read && bytes[whole - 1] != '\n') {
        whole--;
    }
    const unsigned char *zero = memchr(bytes + p->n_read, 0, whole - p->n_read);
    if (zero) {
        return err_set(e, ERR_INPUT, "%s: offset %td: a zero byte in a text file", p->log.path,
                       zero - bytes);
    }
    bytes[whole] = 0;
    char *at = (char *)bytes + p->n_read, *text;
    if (p->n_lines == 0 && whole > 0 && !pool_head(p, &at, &line, e)) {
        return false;
    }
    while ((text = next_line(&at, &line))) {
        if (!pool_row(p, text, line, e)) {
            return false;
        }
    }
    p->n_read = whole;
    p->n_lines = line;
    /* Only what is known to be a pool is mended. */
    return whole == n || line == 0 || file_log_cut(&p->log, whole, e);
}

/* A line (or several) at the end of the file; the lock is held and everything there is known. */
static bool pool_append(struct pool *p, const char *text, size_t n, size_t n_lines, struct err *e)
{
    if (!file_log_write(&p->log, text, n, e)) {
        return false;
    }
    p->n_read += n;
    p->n_lines += n_lines;
    return true;
}

static bool pool_begin(struct pool *p, struct err *e)
{
    struct arena tmp = p->scratch;
    const char *text = arena_printf(&tmp, "%s\n", first_line);
    for (int i = 0; i < p->n_settings; i++) {
        ASSERT(!strchr(p->settings[i].value, '\n') && !strchr(p->settings[i].name, ' '));
        text = arena_printf(&tmp, "%s%s %s\n", text, p->settings[i].name, p->settings[i].value);
    }
    text = arena_printf(&tmp, "%s%s\n", text, columns);
    return pool_append(p, text, strlen(text), (size_t)p->n_settings + 2, e);
}

bool pool_open(struct pool *p, const struct space *space, const char *path,
               const struct pool_setting *settings, int n_settings, struct err *e)
{
    ASSERT(n_settings >= 0 && n_settings <= POOL_MAX_SETTINGS);
    *p = (struct pool){
        .space = space, .settings = settings, .n_settings = n_settings, .log = {.fd = -1}};
    if (!arena_init(&p->known, known_bytes, e) ||
        !arena_init(&p->scratch, max_bytes + (1 << 20), e)) {
        return false;
    }
    archmap_init(&p->scores, &p->known);
    if (!file_log_open(&p->log, path, false, e) || !file_log_lock(&p->log, e)) {
        return false;
    }
    bool ok = pool_read(p, e);
    if (ok && p->n_lines == 0) {
        ok = p->n_read == 0 && file_log_bytes(&p->log) > 0
                 ? err_set(e, ERR_INPUT, "%s: line 1: expected '%s'", path, first_line)
                 : pool_begin(p, e);
    }
    file_log_unlock(&p->log);
    return ok;
}

void pool_close(struct pool *p)
{
    file_log_close(&p->log);
    arena_release(&p->scratch);
    arena_release(&p->known);
}

bool pool_refresh(struct pool *p, struct err *e)
{
    if (file_log_bytes(&p->log) == (int64_t)p->n_read) {
        return true;
    }
    if (!file_log_lock(&p->log, e)) {
        return false;
    }
    bool ok = pool_read(p, e);
    file_log_unlock(&p->log);
    return ok;
}

bool pool_get(const struct pool *p, const struct arch *a, double *score)
{
    const double *known = archmap_get(&p->scores, a);
    *score = known ? *known : NAN;
    return known;
}

bool pool_add(struct pool *p, const struct arch *a, double score, double seconds, struct err *e)
{
    char arch[SPACE_TEXT_LEN], number[NUMBER_LEN], line[SPACE_TEXT_LEN + 96];
    double known;
    if (pool_get(p, a, &known) || p->scores.n >= max_networks) {
        return true;
    }
    p->space->format(a, arch);
    number_format(number, score);
    int n = snprintf(line, sizeof line, "%s,%s,%.3f\n", arch, number, seconds);
    ASSERT(n > 0 && (size_t)n < sizeof line);
    if (!file_log_lock(&p->log, e)) {
        return false;
    }
    bool ok = pool_read(p, e); /* another process may have been faster */
    if (ok && !pool_get(p, a, &known)) {
        ok = pool_append(p, line, (size_t)n, 1, e);
        archmap_set(&p->scores, a, score);
    }
    file_log_unlock(&p->log);
    return ok;
}
