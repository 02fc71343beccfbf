/*
 * Names of files as one field of one line, and back: what -n prints, --only reads.
 */
#ifndef AF_NAMES_H
#define AF_NAMES_H

#include <stdio.h>

/*
 * Prints text with control characters (C1 too), bytes that are not UTF-8 and what turns the direction of
 * writing as \xNN, as log_escape() does, and the backslash of a name that itself has a \xNN in it: so
 * names_unescape() gives the name back, byte for byte.
 */
void names_print(FILE *out, const char *text);
/* In place; the result is never longer. A \x00 stays as it is: no name has that byte. */
void names_unescape(char *text);

#endif
