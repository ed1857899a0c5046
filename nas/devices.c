#include "nas/devices.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How tables name a metric: the ends of column names, longer ones first. */
static const struct {
    const char *suffix, *metric, *unit;
} fashions[] = {
    {"_latency_ms", "latency", "ms"}, {"_lat_ms", "latency", "ms"},   {"_latency", "latency", "ms"},
    {"_ms", "latency", "ms"},         {"_energy_mj", "energy", "mJ"}, {"_energy", "energy", "mJ"},
    {"_mj", "energy", "mJ"},
};

/* Of the header line; our widest table has a thousand. */
enum { MAX_HEADER_BYTES = 1 << 16 };

bool devices_split(const char *column, char *name, const char **metric, const char **unit)
{
    size_t len = strlen(column);
    for (size_t i = 0; i < N_ELEMS(fashions); i++) {
        size_t end = strlen(fashions[i].suffix);
        if (len > end && strcmp(column + len - end, fashions[i].suffix) == 0) {
            memcpy(name, column, len - end);
            name[len - end] = 0;
            *metric = fashions[i].metric;
            *unit = fashions[i].unit;
            return true;
        }
    }
    return false;
}

/* The next field of a header line, unquoted in place; NULL at its end. */
static char *header_field(char **at)
{
    char *p = *at, *out = p, *field = p;
    if (!p) {
        return NULL;
    }
    bool quoted = *p == '"';
    p += quoted;
    while (*p && (quoted || *p != ',')) {
        if (quoted && *p == '"') {
            if (p[1] != '"') {
                quoted = false;
                p++;
                continue;
            }
            p++;
        }
        *out++ = *p++;
    }
    *at = *p == ',' ? p + 1 : NULL;
    *out = 0;
    return field;
}

/* First line of a file without its end; false if it is not text or too long. */
static bool header_read(const char *path, char *line)
{
    FILE *f = fopen(path, "r");
    bool ok = f && fgets(line, MAX_HEADER_BYTES, f) && strlen(line) + 1 < MAX_HEADER_BYTES;
    if (f) {
        fclose(f);
    }
    if (ok) {
        line[strcspn(line, "\r\n")] = 0;
    }
    return ok;
}

/* Rows are named by blocks of networks. */
static bool header_is_blocks(const char *header, struct arena tmp)
{
    char *at = arena_strdup(&tmp, header), *field;
    bool key = false;
    while ((field = header_field(&at))) {
        key = key || strcmp(field, "block") == 0;
    }
    return key;
}

/* Is it a table of ours: rows are named by index or arch, and by nothing else besides. */
static bool header_is_table(const char *header, struct arena tmp)
{
    char *at = arena_strdup(&tmp, header), *field;
    bool key = false, other = false;
    while ((field = header_field(&at))) {
        key = key || strcmp(field, "index") == 0 || strcmp(field, "arch") == 0;
        other = other || strcmp(field, "dataset") == 0; /* several rows an architecture */
    }
    return key && !other;
}

static int device_compare(const void *pa, const void *pb)
{
    const struct device *a = pa, *b = pb;
    int order = strcmp(a->name, b->name);
    order = order ? order : -strcmp(a->metric, b->metric); /* latency before energy */
    order = order ? order : strcmp(a->path, b->path);
    return order ? order : strcmp(a->column, b->column);
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted paths of the *.csv of a folder, in keep. */
static bool list_tables(char ***paths, int *n, struct arena *keep, const char *dir, struct err *e)
{
    DIR *d = opendir(dir);
    if (!d) {
        return err_set(e, ERR_INPUT, "cannot read the folder of tables %s: %s", dir,
                       strerror(errno));
    }
    enum { MAX_TABLES = 4096 };
    *paths = arena_push(keep, MAX_TABLES, sizeof **paths);
    *n = 0;
    struct dirent *entry;
    while ((entry = readdir(d)) && *n < MAX_TABLES) {
        size_t len = strlen(entry->d_name);
        if (len > 4 && strcmp(entry->d_name + len - 4, ".csv") == 0) {
            (*paths)[(*n)++] = arena_printf(keep, "%s/%s", dir, entry->d_name);
        }
    }
    closedir(d);
    qsort(*paths, (size_t)*n, sizeof **paths, text_compare);
    return true;
}

static int scan_table(struct device *out, int max, struct arena *keep, const char *path, char *line)
{
    int n = 0;
    char *at = line, *column;
    while ((column = header_field(&at)) && n < max) {
        struct device d = {.path = path};
        char *name = arena_push(keep, strlen(column) + 1, 1);
        if (devices_split(column, name, &d.metric, &d.unit)) {
            d.name = name;
            d.column = arena_strdup(keep, column);
            out[n++] = d;
        }
    }
    return n;
}

static bool scan(struct devices *d, struct arena *keep, const char *dir,
                 bool (*wanted)(const char *header, struct arena tmp), struct err *e)
{
    enum { MAX_DEVICES = 16384 };
    char **paths = NULL;
    int n_paths = 0;
    *d = (struct devices){0};
    d->items = arena_push(keep, MAX_DEVICES, sizeof *d->items);
    char *line = arena_push(keep, MAX_HEADER_BYTES, 1);
    if (!list_tables(&paths, &n_paths, keep, dir, e)) {
        return false;
    }
    for (int i = 0; i < n_paths; i++) {
        if (header_read(paths[i], line) && wanted(line, *keep)) {
            d->n += scan_table(d->items + d->n, MAX_DEVICES - d->n, keep, paths[i], line);
        }
    }
    qsort(d->items, (size_t)d->n, sizeof *d->items, device_compare);
    return true;
}

bool devices_scan(struct devices *d, struct arena *keep, const char *dir, struct err *e)
{
    return scan(d, keep, dir, header_is_table, e);
}

bool devices_scan_blocks(struct devices *d, struct arena *keep, const char *dir, struct err *e)
{
    return scan(d, keep, dir, header_is_blocks, e);
}

/* Edit distance [Levenshtein1966], names cut at 40 characters. */
static int distance(const char *a, const char *b)
{
    enum { MAX = 40 };
    int row[MAX + 1], n = MIN((int)strlen(b), MAX);
    for (int j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (int i = 0; a[i] && i < MAX; i++) {
        int corner = row[0];
        row[0] = i + 1;
        for (int j = 0; j < n; j++) {
            int change = corner + (a[i] != b[j]);
            corner = row[j + 1];
            row[j + 1] = MIN(change, 1 + MIN(row[j], row[j + 1]));
        }
    }
    return row[n];
}

static void append(char *text, size_t size, const char *word)
{
    size_t used = strlen(text);
    if (used + strlen(word) + 6 < size) {
        snprintf(text + used, size - used, "%s%s", used ? ", " : "", word);
    } else if (used + 6 < size && (used < 3 || strcmp(text + used - 3, "...") != 0)) {
        snprintf(text + used, size - used, ", ...");
    }
}

/* Names that begin as the wanted one does, else the nearest; and what there is. */
static bool no_device(const struct devices *d, const char *name, struct err *e)
{
    char known[320] = "", near[150] = "";
    int best = 1 + (int)strlen(name) / 3; /* a third of the letters may be wrong */
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < d->n; i++) {
            if (i > 0 && strcmp(d->items[i].name, d->items[i - 1].name) == 0) {
                continue;
            }
            int away = strncmp(d->items[i].name, name, strlen(name)) == 0
                           ? 0
                           : distance(name, d->items[i].name);
            if (pass == 0) {
                append(known, sizeof known, d->items[i].name);
                best = MIN(best, away);
            } else if (away == best) {
                append(near, sizeof near, d->items[i].name);
            }
        }
    }
    err_set(e, ERR_USAGE, "no device '%.80s' in the tables; there are: %s", name,
            d->n ? known : "none");
    return near[0] ? err_hint(e, "did you mean %s?", near)
                   : err_hint(e, "hdnas cost --list shows all");
}

bool devices_find(const struct device **out, const struct devices *d, const char *name,
                  const char *metric, struct err *e)
{
    char found[360] = "";
    int n = 0, n_named = 0;
    for (int i = 0; i < d->n; i++) {
        const struct device *item = &d->items[i];
        if (strcmp(item->name, name) != 0) {
            continue;
        }
        n_named++;
        if (strcmp(item->metric, metric) == 0) {
            char candidate[300];
            snprintf(candidate, sizeof candidate, "%s:%s", item->path, item->column);
            append(found, sizeof found, candidate);
            *out = item;
            n++;
        }
    }
    if (n_named == 0) {
        return no_device(d, name, e);
    }
    if (n == 0) {
        return err_set(e, ERR_USAGE, "device %s has no %s in the tables", name, metric);
    }
    if (n > 1) {
        err_set(e, ERR_USAGE, "device %s (%s) is in more than one column: %s", name, metric, found);
        return err_hint(e, "say which: --device table:FILE:COLUMN");
    }
    return true;
}
