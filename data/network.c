#include "data/network.h"

#include <dlfcn.h>
#include <string.h>

static const char network_library[] = "libcurl.so.4";

/* ISO C has no conversion from an object's pointer to a function's; POSIX promises that the bits
 * are the same. */
static bool network_find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found;
}

bool network_open(struct network *net, struct err *e)
{
    /* NODELETE: its libraries leave work for the end of the program. */
    *net = (struct network){.library = dlopen(network_library, RTLD_NOW | RTLD_NODELETE)};
    if (!net->library) {
        err_set(e, ERR_FAILED, "%s cannot be loaded: %s", network_library, dlerror());
        return err_hint(e, "install it (Debian: libcurl4), or download the files by hand");
    }
    bool ok = network_find(net->library, "curl_global_init", &net->global_init) &&
              network_find(net->library, "curl_global_cleanup", &net->global_cleanup) &&
              network_find(net->library, "curl_easy_init", &net->easy_init) &&
              network_find(net->library, "curl_easy_setopt", &net->easy_setopt) &&
              network_find(net->library, "curl_easy_perform", &net->easy_perform) &&
              network_find(net->library, "curl_easy_getinfo", &net->easy_getinfo) &&
              network_find(net->library, "curl_easy_strerror", &net->easy_strerror) &&
              network_find(net->library, "curl_easy_cleanup", &net->easy_cleanup) &&
              net->global_init(CURL_GLOBAL_DEFAULT) == 0;
    if (!ok) {
        dlclose(net->library);
        net->library = NULL;
        err_set(e, ERR_FAILED, "%s does not start", network_library);
    }
    return ok;
}

void network_close(struct network *net)
{
    if (net->library) {
        net->global_cleanup();
        dlclose(net->library);
        net->library = NULL;
    }
}
