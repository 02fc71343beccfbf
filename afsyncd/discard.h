/*
 * Throwing a delta away: --discard.
 */
#ifndef AF_DISCARD_H
#define AF_DISCARD_H

/*
 * Removes the delta at path, and the directory itself. What is in use or no delta is refused and left as it
 * is, and what else lies in the directory stays (with it). 0 or -errno, reported.
 */
int discard_delta(const char *path);

#endif
