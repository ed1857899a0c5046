/*
 * json.h: JSON as it is written, value by value. Commas, indentation and escapes are seen to;
 * numbers read back to the same bits; NaN and infinities become null. Reading is cJSON's business.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "cli/text.h"

#include <stdio.h>

enum { JSON_MAX_DEPTH = 16 };

struct json {
    struct text text;
    int depth;
    int n[JSON_MAX_DEPTH + 1];      /* values written at each depth */
    bool array[JSON_MAX_DEPTH + 1]; /* what is open at each depth */
};

void json_init(struct json *j, struct arena *keep);

/* key: the name inside an object; NULL inside an array and at the top. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j); /* closes what was opened last */
void json_text(struct json *j, const char *key, const char *value); /* NULL = null */
void json_real(struct json *j, const char *key, double value);
void json_int(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);

/* Everything closed: print it with a newline. */
void json_print(const struct json *j, FILE *f);

#endif
