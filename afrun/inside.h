/*
 * Our first process inside the sandbox: `afrun --inside FD`, never called by people.
 */
#ifndef AF_INSIDE_H
#define AF_INSIDE_H

/*
 * Runs until the command has ended or the supervisor is gone; its end ends everything inside.
 * Returns the exit status of the process.
 */
int inside_main(int control);

#endif
