/*
 * Who lists directories, and whether they then ask for the attributes of what they have listed.
 *
 * The kernel asks for a listing with attributes at the beginning of each directory, whoever reads it.
 * They cost more than the names, which are all that find(1) or a shell's pattern wants; ls -l or git
 * would ask for each by itself afterwards, which costs most. So a thread gets names alone until
 * something that is no directory is looked up in a directory that it has listed; after that, attributes
 * with the names. A directory whose last reader wanted them is so for a thread that is not known, too.
 *
 * All of it is a guess: what is guessed wrong costs time, no more. Threads share the slots of a table.
 */
#ifndef AF_HABIT_H
#define AF_HABIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { AF_HABIT_SLOTS = 256 };

struct af_inode;

struct af_habits {
	_Atomic uint64_t slots[AF_HABIT_SLOTS]; /* a thread's id, and whether it wants attributes */
};

/* What a directory remembers. */
struct af_habit {
	_Atomic uint32_t
		reader; /* the thread that last got names alone; 0: nobody, or it wanted more */
	_Atomic bool wanted; /* whoever got names alone wanted more */
	_Atomic uint32_t
		plus_until_ms; /* until when the kernel has all attributes; kcache_until_ms() */
};

/* Whether this thread's listing of the directory should come with attributes. */
bool habit_wants_attributes(struct af_habits *habits, struct af_inode *dir, uint32_t thread);
/* The thread got names alone. */
void habit_names_sent(struct af_habits *habits, struct af_inode *dir, uint32_t thread);
/* Something that is no directory was looked up there. */
void habit_looked_up(struct af_habits *habits, struct af_inode *dir);

#endif
