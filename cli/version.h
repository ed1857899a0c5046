/* version.h: what this program calls itself. The text is compiled into version.c alone, so a new
 * commit rebuilds one file. */
#ifndef CLI_VERSION_H
#define CLI_VERSION_H

/* "0.1", or what git describe says: "v0.1-12-gabc1234-dirty". */
const char *version_text(void);

/* "gcc 12.2.0", "clang 14.0.6": what compiled it. */
const char *version_compiler(void);

#endif
