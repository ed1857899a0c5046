#include "cli/archlist.h"

#include <stdio.h>
#include <string.h>

enum { LINE_LEN = 1024 };

/* A list that grows by doubling in its arena. */
struct archlist {
    struct arch *archs;
    int n, cap;
};

static bool archlist_add(struct archlist *list, struct arena *keep, const struct space *space,
                         const char *text, struct err *e)
{
    if (list->n == list->cap) {
        int cap = MAX(64, 2 * list->cap);
        struct arch *archs = arena_try(keep, (size_t)cap, sizeof *archs, e);
        if (!archs) {
            return false;
        }
        memcpy(archs, list->archs ? list->archs : archs, (size_t)list->n * sizeof *archs);
        list->archs = archs;
        list->cap = cap;
    }
    return space->parse(&list->archs[list->n++], text, e);
}

static bool archlist_stdin(struct archlist *list, struct arena *keep, const struct space *space,
                           struct err *e)
{
    char line[LINE_LEN];
    for (int number = 1; fgets(line, sizeof line, stdin); number++) {
        size_t len = strlen(line);
        if (len + 1 == sizeof line && line[len - 1] != '\n') {
            return err_set(e, ERR_INPUT, "standard input: line %d: longer than %d characters",
                           number, LINE_LEN - 2);
        }
        char *word = line + strspn(line, " \t");
        word[strcspn(word, " \t\r\n")] = 0;
        if (word[0] == 0 || word[0] == '#') {
            continue;
        }
        if (!archlist_add(list, keep, space, word, e)) {
            return err_wrap(e, "standard input: line %d", number);
        }
    }
    return true;
}

bool archlist_read(struct arch **archs, int *n, struct arena *keep, const struct space *space,
                   const struct options *o, struct err *e)
{
    struct archlist list = {0};
    bool from_stdin = o->n_args == 0 || (o->n_args == 1 && strcmp(o->args[0], "-") == 0);
    if (from_stdin && !archlist_stdin(&list, keep, space, e)) {
        return false;
    }
    for (int i = 0; !from_stdin && i < o->n_args; i++) {
        if (!archlist_add(&list, keep, space, o->args[i], e)) {
            return false;
        }
    }
    if (list.n == 0) {
        err_set(e, ERR_USAGE, "no architecture given");
        return err_hint(
            e,
            "name them as index (13714), code (333123) or string, or one a line on standard input");
    }
    *archs = list.archs;
    *n = list.n;
    return true;
}
