#define _GNU_SOURCE
#include "cli/archlist.h"
#include "cli/archname.h"
#include "cli/cmds.h"
#include "cli/cost_fit.h"
#include "cli/compute.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/table.h"
#include "nas/cost.h"
#include "nas/devices.h"
#include "nas/predictor_file.h"
#include "core/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec cost_options[] = {
    {"device", OPTION_TEXT, "SPEC", "local",
     "local, flops, params, table:FILE[:COLUMN], predict:FILE[:DEVICE], a device of --tables, or "
     "without them a predicted one", 0, 0},
    {"metric", OPTION_TEXT, "NAME", "latency", "latency or energy, for devices from tables", 0, 0},
    {"tables", OPTION_TEXT, "DIR", NULL, "folder of cost tables (default: HDNAS_TABLES)", 0, 0},
    {"list", OPTION_FLAG, NULL, NULL, "list the devices there are instead", 0, 0},
    {"space", OPTION_TEXT, "NAME", "nb201", "search space", 0, 0},
    COST_FIT_OPTIONS,
    INPUT_OPTIONS,
    OPTIONS_COMMON,
};

/* One device of the list, as JSON or as a row. */
static void list_add(struct json *j, struct table *t, const struct device *d)
{
    json_object(j, NULL);
    json_text(j, "device", d->name);
    json_text(j, "metric", d->metric);
    json_text(j, "unit", d->unit);
    json_text(j, "table", d->path);
    json_text(j, "column", d->column);
    json_end(j);
    table_add(t, d->name);
    table_add(t, d->metric);
    table_add(t, d->unit);
    table_printf(t, "%s%s%s", d->path ? d->path : d->column, d->path ? ":" : "",
                 d->path ? d->column : "");
}

/* Those that ship with hdnas as predictors. */
static bool list_predicted(struct json *json, struct table *table, struct arena *keep, struct err *e)
{
    struct predictor *all;
    int n;
    if (!predictor_file_list(&all, &n, keep, e)) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        const struct predictor *p = &all[i];
        list_add(json, table,
                 &(struct device){p->device, p->metric, p->unit, NULL,
                                  arena_printf(keep, "predicted, %.0f %% of networks within 10 %%",
                                               100 * p->error.within10)});
    }
    return true;
}

static bool list_devices(const struct options *o, const char *tables, struct arena *keep,
                         struct err *e)
{
    bool blocks = strcmp(options_text(o, "space"), "fbnet") == 0;
    static const char *const heads[] = {"device", "metric", "unit", "where from"};
    static const struct device built_in[] = {
        {"local", "latency", "ms", NULL, "measured on this machine"},
        {"flops", "multiply-adds", "MFLOP", NULL, "counted"},
        {"params", "parameters", "params", NULL, "counted"},
    };
    struct devices found = {0};
    struct json json;
    struct table table;
    if (tables && !(blocks ? devices_scan_blocks : devices_scan)(&found, keep, tables, e)) {
        return false;
    }
    json_init(&json, keep);
    table_init(&table, keep, heads, (int)N_ELEMS(heads));
    json_array(&json, NULL);
    for (size_t i = 0; i < N_ELEMS(built_in); i++) {
        list_add(&json, &table, &built_in[i]);
    }
    for (int i = 0; i < found.n; i++) {
        list_add(&json, &table, &found.items[i]);
    }
    if (!tables && !blocks && !list_predicted(&json, &table, keep, e)) {
        return false;
    }
    json_end(&json);
    if (o->json) {
        json_print(&json, stdout);
    } else {
        table_print(&table, stdout);
        if (!tables && !o->quiet) {
            fprintf(stderr, "more devices come from tables: --tables DIR or HDNAS_TABLES\n");
        }
    }
    return true;
}

/* Costs go out as they come: a measurement takes its time. */
static void cost_print(const struct cost *c, const struct space *space, const struct arch *archs,
                       int n, struct json *json, struct arena *keep)
{
    if (!json) {
        puts("index,arch,cost,unit");
    }
    for (int i = 0; i < n; i++) {
        char text[SPACE_TEXT_LEN], number[32], index_text[24];
        double value;
        int64_t index = space->index(&archs[i]);
        if (!cost_of(c, &archs[i], &value, *keep)) {
            value = NAN; /* empty in CSV, null in JSON */
        }
        space->format(&archs[i], text);
        if (json) {
            json_object(json, NULL);
            archname_index_json(json, index);
            json_text(json, "arch", text);
            json_real(json, "cost", value);
            json_text(json, "unit", c->unit);
            json_end(json);
        } else {
            number_format(number, value);
            printf("%s,%s,%s,%s\n", archname_index(index_text, index), text, number, c->unit);
            fflush(stdout);
        }
    }
}

static bool cost_run(const struct options *o, struct arena *keep, struct err *e)
{
    const char *tables = options_text(o, "tables");
    tables = tables ? tables : getenv("HDNAS_TABLES");
    if (options_flag(o, "list")) {
        return list_devices(o, tables, keep, e);
    }
    struct machine mc;
    struct cost cost;
    struct cost_options co = {
        .device = options_text(o, "device"),
        .metric = options_text(o, "metric"),
        .tables_dir = tables,
        .mc = &mc,
    };
    struct arch *archs = NULL;
    int n = 0;
    if (!compute_open(&mc, o, keep, e) ||
        !space_find(&co.space, options_text(o, "space"), e) || !input_read(&co.model, o, e) ||
        !cost_open(&cost, keep, &co, e)) {
        return false;
    }
    if (options_given(o, "fit")) {
        return cost_fit(o, &cost, co.space, keep, e);
    }
    if (!archlist_read(&archs, &n, keep, co.space, o, e)) {
        return false;
    }
    if (!o->quiet) {
        fprintf(stderr, "%s in %s, %s\n", cost.name, cost.unit[0] ? cost.unit : "its own unit",
                cost.source);
    }
    struct json json;
    json_init(&json, keep);
    json_array(&json, NULL);
    cost_print(&cost, co.space, archs, n, o->json ? &json : NULL, keep);
    json_end(&json);
    if (o->json) {
        json_print(&json, stdout);
    }
    if (cost.kind->remark && !o->quiet) {
        char text[256];
        cost.kind->remark(&cost, text);
        fprintf(stderr, "%s\n", text);
    }
    return true;
}

const struct cmd cmd_cost = {
    .name = "cost",
    .summary = "what architectures cost on a device",
    .usage = "hdnas cost [options] ARCH...",
    .about = "Prints index,arch,cost,unit for every architecture named as index, code or string, "
             "or one a line on standard input. Lower is better; the cost is empty where the device "
             "cannot run the network. A device is counted (flops, params), measured (local: this "
             "machine, our engine, one image, one thread) or looked up: --tables names a folder of "
             "CSV files with a column index or arch, and every column like NAME_latency_ms or "
             "NAME_energy_mj in it is a device. In the space fbnet the folder's tables of blocks "
             "count instead (a column block, as in HW-NAS-Bench): a network costs their sum. "
             "Without tables a device may be predicted: --fit learns one from --sample "
             "architectures that are measured or looked up, and some ship with hdnas (--list).",
    .examples = "hdnas cost 13714 0\n"
                "hdnas cost --list --tables DIR\n"
                "hdnas cost --device fpga --metric energy --tables DIR 13714\n"
                "seq 0 15624 | hdnas cost --device flops > flops.csv\n"
                "hdnas cost --device table:costs.csv:my_phone_ms --json 333123\n"
                "hdnas cost --device local --fit mine.csv --sample 50\n"
                "hdnas cost --device predict:mine.csv 13714\n"
                "hdnas cost --space fbnet --device raspi4 --tables DIR --classes 100 "
                "7818488874147327324245",
    .options = cost_options,
    .n_options = (int)N_ELEMS(cost_options),
    .run = cost_run,
};
