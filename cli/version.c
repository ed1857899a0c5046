#include "cli/version.h"

#ifndef HDNAS_VERSION
#define HDNAS_VERSION "unknown"
#endif

const char *version_text(void)
{
    return HDNAS_VERSION;
}

const char *version_compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}
