#include "cli/report_config.h"

#include <cjson/cJSON.h>
#include <string.h>

static void report_config_option(struct text *out, const cJSON *item, struct arena tmp)
{
    const char *text = cJSON_GetStringValue(item);
    char *printed = NULL;
    if (cJSON_IsNull(item) || (text && !text[0])) {
        text = "\xE2\x80\x93";
    } else if (!text) {
        printed = cJSON_PrintUnformatted(item);
        text = printed ? arena_strdup(&tmp, printed) : "";
        cJSON_free(printed);
    }
    text_add(out, "<div><dt>");
    text_escape(out, item->string ? item->string : "");
    text_add(out, "</dt><dd");
    if (strlen(text) == 64 &&
        strspn(text, "0123456789abcdef") == 64) { /* a SHA-256: its beginning is enough to see */
        text_printf(out, " title=\"%s\"><code>%.16s\xE2\x80\xA6</code>", text, text);
    } else {
        text_add(out, ">");
        text_escape(out, text);
    }
    text_add(out, "</dd></div>\n");
}

static void report_config_command(struct text *out, const struct report_data *d)
{
    const cJSON *words = cJSON_GetObjectItemCaseSensitive(d->config, "arguments"), *word;
    if (!cJSON_IsArray(words)) {
        return;
    }
    text_printf(out, "<pre><code>hdnas %s", d->command ? d->command : "search");
    cJSON_ArrayForEach(word, words)
    {
        const char *s = cJSON_GetStringValue(word);
        bool quote = s && (!*s || strpbrk(s, " |&;<>()$`\"'*?[]#~\\"));
        text_add(out, quote ? " &#39;" : " ");
        text_escape(out, s ? s : "");
        text_add(out, quote ? "&#39;" : "");
    }
    text_add(out, "</code></pre>\n");
}

void report_config(struct text *out, const struct report_data *d, struct arena tmp)
{
    text_add(out, "<section>\n<h2>How it was made</h2>\n");
    report_config_command(out, d);
    text_add(out, "<dl class=\"options\">\n");
    const cJSON *item;
    cJSON_ArrayForEach(item, d->config)
    {
        if (!cJSON_IsObject(item) && strcmp(item->string, "arguments") != 0) {
            report_config_option(out, item, tmp);
        }
    }
    text_add(out, "</dl>\n");
    cJSON_ArrayForEach(item, d->config)
    {
        if (cJSON_IsObject(item)) {
            text_add(out, "<h3>");
            text_escape(out, item->string);
            text_add(out, "</h3>\n<dl class=\"options\">\n");
            const cJSON *inner;
            cJSON_ArrayForEach(inner, item)
            {
                report_config_option(out, inner, tmp);
            }
            text_add(out, "</dl>\n");
        }
    }
    text_add(out, "</section>\n");
}
