/*
 * network.h: libcurl, found when it is first needed. Only `hdnas data fetch` talks to servers, and
 * libcurl brings some thirty libraries along: loading them with every start took longer than what
 * most commands do, and a machine without a network need not have them.
 */
#ifndef DATA_NETWORK_H
#define DATA_NETWORK_H

#include <curl/curl.h>

#include "core/err.h"

/* The calls of libcurl that are used here, under their own names. */
struct network {
    void *library; /* of dlopen */
    CURLcode (*global_init)(long);
    void (*global_cleanup)(void);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    const char *(*easy_strerror)(CURLcode);
    void (*easy_cleanup)(CURL *);
};

/* Loads and starts libcurl. False: e says what is missing and which package has it. Call
 * network_close after. */
bool network_open(struct network *net, struct err *e);
void network_close(struct network *net);

#endif
