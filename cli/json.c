#include "cli/json.h"

#include <inttypes.h>

void json_init(struct json *j, struct arena *keep)
{
    *j = (struct json){0};
    text_init(&j->text, keep);
}

static void json_string(struct text *t, const char *s)
{
    text_add(t, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') {
            text_printf(t, "\\%c", *s);
        } else if ((unsigned char)*s < 32) {
            text_printf(t, "\\u%04x", (unsigned)*s);
        } else {
            text_add_n(t, s, 1);
        }
    }
    text_add(t, "\"");
}

static void json_before(struct json *j, const char *key)
{
    ASSERT(j->depth == 0 || j->array[j->depth] == (key == NULL));
    ASSERT(j->depth > 0 || (j->n[0] == 0 && !key));
    if (j->depth > 0) {
        text_add(&j->text, j->n[j->depth] > 0 ? ",\n" : "\n");
        text_printf(&j->text, "%*s", 2 * j->depth, "");
    }
    j->n[j->depth]++;
    if (key) {
        json_string(&j->text, key);
        text_add(&j->text, ": ");
    }
}

static void json_open(struct json *j, const char *key, bool array)
{
    json_before(j, key);
    ASSERT(j->depth < JSON_MAX_DEPTH);
    j->depth++;
    j->n[j->depth] = 0;
    j->array[j->depth] = array;
    text_add(&j->text, array ? "[" : "{");
}

void json_object(struct json *j, const char *key)
{
    json_open(j, key, false);
}

void json_array(struct json *j, const char *key)
{
    json_open(j, key, true);
}

void json_end(struct json *j)
{
    ASSERT(j->depth > 0);
    bool array = j->array[j->depth], empty = j->n[j->depth] == 0;
    j->depth--;
    if (!empty) {
        text_printf(&j->text, "\n%*s", 2 * j->depth, "");
    }
    text_add(&j->text, array ? "]" : "}");
}

void json_text(struct json *j, const char *key, const char *value)
{
    json_before(j, key);
    if (value) {
        json_string(&j->text, value);
    } else {
        text_add(&j->text, "null");
    }
}

void json_real(struct json *j, const char *key, double value)
{
    json_before(j, key);
    text_number(&j->text, value);
}

void json_int(struct json *j, const char *key, int64_t value)
{
    json_before(j, key);
    text_printf(&j->text, "%" PRId64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    json_before(j, key);
    text_add(&j->text, value ? "true" : "false");
}

void json_print(const struct json *j, FILE *f)
{
    ASSERT(j->depth == 0);
    fprintf(f, "%s\n", j->text.s);
}
