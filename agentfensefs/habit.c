/*
 * Habits of readers of directories. See habit.h.
 */
#include "habit.h"

#include "inode.h"

static _Atomic uint64_t *slot_of(struct af_habits *habits, uint32_t thread)
{
	return &habits->slots[thread % AF_HABIT_SLOTS];
}

static uint64_t entry_of(uint32_t thread, bool wants)
{
	return (uint64_t)thread << 1 | wants;
}

bool habit_wants_attributes(struct af_habits *habits, struct af_inode *dir, uint32_t thread)
{
	uint64_t entry = atomic_load_explicit(slot_of(habits, thread), memory_order_relaxed);

	if (entry >> 1 == thread)
		return entry & 1;
	return atomic_load_explicit(&dir->habit.wanted, memory_order_relaxed);
}

void habit_names_sent(struct af_habits *habits, struct af_inode *dir, uint32_t thread)
{
	atomic_store_explicit(
		slot_of(habits, thread), entry_of(thread, false), memory_order_relaxed);
	atomic_store_explicit(&dir->habit.wanted, false, memory_order_relaxed);
	atomic_store_explicit(&dir->habit.reader, thread, memory_order_relaxed);
}

void habit_looked_up(struct af_habits *habits, struct af_inode *dir)
{
	uint32_t thread = atomic_load_explicit(&dir->habit.reader, memory_order_relaxed);
	uint64_t names = entry_of(thread, false);

	if (thread == 0)
		return;
	atomic_store_explicit(&dir->habit.reader, 0, memory_order_relaxed);
	atomic_store_explicit(&dir->habit.wanted, true, memory_order_relaxed);
	atomic_compare_exchange_strong(slot_of(habits, thread), &names, entry_of(thread, true));
}
