/*
 * The table of nodes: found by id and by identity, counted, freed. See inode.h; their names are
 * inode_name.c's. It makes no decision and no system call but close(2).
 */
#include "inode_table.h"

#include "cleanup.h"
#include "dirfd.h"
#include "overlay.h"

#include <malloc.h>
#include <sys/sysmacros.h>

enum { MIN_BUCKETS = 64, TRIM_NODES = 16384 };

static uint32_t dev_of(const struct stat *st)
{
	return (uint32_t)(major(st->st_dev) << 20) ^ (uint32_t)minor(st->st_dev);
}

/* Fibonacci hashing; the high bits are the good ones. */
static size_t bucket(const struct af_table *table, uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15ULL) >> 20) & table->mask;
}

static uint64_t key_of(uint64_t ino, uint32_t dev, uint16_t type, uint8_t level)
{
	return ino ^ (uint64_t)dev << 32 ^ (uint64_t)type << 40 ^ (uint64_t)level << 60;
}

static uint64_t inode_key(const struct af_inode *inode)
{
	return key_of(inode->ino, inode->dev, inode->type, inode->key_level);
}

bool inode_is(const struct af_inode *inode, const struct stat *st)
{
	return __atomic_load_n(&inode->ino, __ATOMIC_RELAXED) == st->st_ino &&
		__atomic_load_n(&inode->dev, __ATOMIC_RELAXED) == dev_of(st) &&
		inode->type == (st->st_mode & S_IFMT);
}

static void link_id(struct af_table *table, struct af_inode *inode)
{
	struct af_inode **head = &table->by_id[bucket(table, inode->id)];

	inode->next_by_id = *head;
	*head = inode;
}

static void link_key(struct af_table *table, struct af_inode *inode)
{
	struct af_inode **head = &table->by_key[bucket(table, inode_key(inode))];

	inode->next_by_key = *head;
	*head = inode;
}

static void unlink_id(struct af_table *table, struct af_inode *inode)
{
	struct af_inode **link = &table->by_id[bucket(table, inode->id)];

	while (*link != inode)
		link = &(*link)->next_by_id;
	*link = inode->next_by_id;
}

static void unlink_key(struct af_table *table, struct af_inode *inode)
{
	struct af_inode **link = &table->by_key[bucket(table, inode_key(inode))];

	if (inode->flags & AF_INODE_UNHASHED)
		return;
	while (*link != inode)
		link = &(*link)->next_by_key;
	*link = inode->next_by_key;
	inode->flags |= AF_INODE_UNHASHED;
}

/* Rebuilds both tables with `buckets` (a power of two); keeps the old ones when out of memory. */
static void resize(struct af_table *table, size_t buckets)
{
	struct af_inode **old = table->by_id;
	size_t old_buckets = table->mask + 1;
	struct af_inode **by_id = calloc(buckets, sizeof(struct af_inode *));
	struct af_inode **by_key = calloc(buckets, sizeof(struct af_inode *));

	if (!by_id || !by_key) {
		free(by_id);
		free(by_key);
		return;
	}
	free(table->by_key);
	table->by_id = by_id;
	table->by_key = by_key;
	table->mask = buckets - 1;
	for (size_t i = 0; i < old_buckets; i++) {
		struct af_inode *next;

		for (struct af_inode *inode = old[i]; inode; inode = next) {
			next = inode->next_by_id;
			link_id(table, inode);
			if (!(inode->flags & AF_INODE_UNHASHED))
				link_key(table, inode);
		}
	}
	free(old);
}

struct af_inode *table_add(struct af_table *table, const struct stat *st, uint8_t key_level)
{
	struct af_inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->id = table->next_id++;
	inode->ino = inode->shown = st->st_ino;
	inode->dev = dev_of(st);
	inode->type = st->st_mode & S_IFMT;
	inode->key_level = S_ISDIR(st->st_mode) ? 0 : key_level;
	inode->fd = -1;
	if (table->count >= table->mask + 1)
		resize(table, (table->mask + 1) * 2);
	link_id(table, inode);
	link_key(table, inode);
	table->count++;
	if (table->count > table->peak)
		table->peak = table->count;
	return inode;
}

struct af_inode *table_release(struct af_table *table, struct af_inode *inode)
{
	struct af_inode *dead = NULL;

	while (inode && inode->nlookup == 0 && inode->refs == 0 && inode != table->root) {
		struct af_inode *parent = inode->parent;

		unlink_id(table, inode);
		unlink_key(table, inode);
		table->count--;
		if (inode->flags & AF_INODE_LINKED)
			table->linked--;
		inode->next_by_id = dead;
		dead = inode;
		if (parent)
			parent->refs--;
		inode = parent;
	}
	return dead;
}

void table_free_chain(const struct af_table *table, struct af_inode *inode)
{
	while (inode) {
		struct af_inode *next = inode->next_by_id;

		if (S_ISDIR(inode->type))
			dirfd_forget(table->dirfds, inode);
		if (inode->fd >= 0)
			close(inode->fd);
		free(inode->name);
		free(inode);
		inode = next;
	}
}

/* Whether much has been freed since the peak: then tables shrink and the heap is trimmed. */
static bool shrink(struct af_table *table)
{
	size_t buckets = table->mask + 1;

	if (table->peak < TRIM_NODES || table->count > table->peak / 4)
		return false;
	while (buckets > MIN_BUCKETS && buckets > table->count * 2)
		buckets /= 2;
	resize(table, buckets);
	table->peak = table->count;
	return true;
}

int table_init(struct af_table *table, const struct stat *root, struct af_dirfds *dirfds)
{
	*table =
		(struct af_table){.mask = MIN_BUCKETS - 1, .next_id = AF_ROOT_ID, .dirfds = dirfds};
	pthread_mutex_init(&table->lock, NULL);
	table->by_id = calloc(MIN_BUCKETS, sizeof(struct af_inode *));
	table->by_key = calloc(MIN_BUCKETS, sizeof(struct af_inode *));
	if (!table->by_id || !table->by_key)
		return -ENOMEM;
	table->root = table_add(table, root, 0);
	return table->root ? 0 : -ENOMEM;
}

void table_fini(struct af_table *table)
{
	for (size_t i = 0; table->by_id && i <= table->mask; i++)
		table_free_chain(table, af_steal(&table->by_id[i]));
	free(table->by_id);
	free(table->by_key);
	pthread_mutex_destroy(&table->lock);
}

struct af_inode *inode_get(struct af_table *table, uint64_t id)
{
	struct af_inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = table->by_id[bucket(table, id)];
	while (inode && inode->id != id)
		inode = inode->next_by_id;
	if (inode)
		inode->refs++;
	pthread_mutex_unlock(&table->lock);
	return inode;
}

struct af_inode *inode_ref(struct af_table *table, struct af_inode *inode)
{
	pthread_mutex_lock(&table->lock);
	inode->refs++;
	pthread_mutex_unlock(&table->lock);
	return inode;
}

void inode_put(struct af_table *table, struct af_inode *inode)
{
	struct af_inode *dead;

	if (!inode)
		return;
	pthread_mutex_lock(&table->lock);
	inode->refs--;
	dead = table_release(table, inode);
	pthread_mutex_unlock(&table->lock);
	table_free_chain(table, dead);
}

void inode_forget(struct af_table *table, uint64_t id, uint64_t nlookup)
{
	struct af_inode *inode = inode_get(table, id);
	struct af_inode *dead;
	bool trim;

	if (!inode)
		return;
	pthread_mutex_lock(&table->lock);
	/* The kernel's count is not trusted to match ours. */
	inode->nlookup -= nlookup < inode->nlookup ? nlookup : inode->nlookup;
	inode->refs--;
	dead = table_release(table, inode);
	trim = shrink(table);
	pthread_mutex_unlock(&table->lock);
	table_free_chain(table, dead);
	if (trim)
		malloc_trim(0);
}

struct af_inode *table_find(struct af_table *table, const struct stat *st, uint8_t level)
{
	uint16_t type = st->st_mode & S_IFMT;
	struct af_inode *inode;

	if (S_ISDIR(st->st_mode))
		level = 0;
	inode = table->by_key[bucket(table, key_of(st->st_ino, dev_of(st), type, level))];
	while (inode && !(inode->key_level == level && inode_is(inode, st)))
		inode = inode->next_by_key;
	return inode;
}

struct af_inode *inode_known(struct af_table *table, const struct stat *st, enum af_level level)
{
	struct af_inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = table_find(table, st, (uint8_t)level);
	if (inode)
		inode->refs++;
	pthread_mutex_unlock(&table->lock);
	return inode;
}

void inode_flag(struct af_table *table, struct af_inode *inode, enum af_inode_flag flag)
{
	pthread_mutex_lock(&table->lock);
	__atomic_store_n(&inode->flags, (uint8_t)(inode->flags | flag), __ATOMIC_RELAXED);
	pthread_mutex_unlock(&table->lock);
}

void inode_rekey(struct af_table *table, struct af_inode *inode, const struct stat *st)
{
	bool hashed;

	pthread_mutex_lock(&table->lock);
	hashed = !(inode->flags & AF_INODE_UNHASHED);
	if (hashed)
		unlink_key(table, inode);
	/* Only where a new policy lets be written what was open for reading: then it gets a new node. */
	if (inode->backing_id) {
		inode->flags |= AF_INODE_REBACKED;
		hashed = false;
	}
	__atomic_store_n(&inode->dev, dev_of(st), __ATOMIC_RELAXED);
	__atomic_store_n(&inode->ino, st->st_ino, __ATOMIC_RELAXED);
	if (hashed) {
		inode->flags &= (uint8_t)~AF_INODE_UNHASHED;
		link_key(table, inode);
	}
	pthread_mutex_unlock(&table->lock);
}

bool inode_unsettle(struct af_table *table, struct af_inode *inode)
{
	bool hashed;

	pthread_mutex_lock(&table->lock);
	hashed = !(inode->flags & AF_INODE_UNHASHED);
	unlink_key(table, inode);
	pthread_mutex_unlock(&table->lock);
	return hashed;
}

void inode_settle(
	struct af_table *table, struct af_inode *inode, const struct af_found *found, bool hashed)
{
	pthread_mutex_lock(&table->lock);
	inode->dev = dev_of(&found->st);
	inode->ino = found->st.st_ino;
	inode->shown = found->ino;
	inode->fresh_until_ms = 0;
	inode->flags &= (uint8_t)~AF_INODE_UPPER;
	if (found->upper && !S_ISDIR(inode->type))
		inode->flags |= AF_INODE_UPPER;
	if (hashed && !table_find(table, &found->st, inode->key_level)) {
		inode->flags &= (uint8_t)~AF_INODE_UNHASHED;
		link_key(table, inode);
	}
	pthread_mutex_unlock(&table->lock);
}

struct af_inode *inode_nameless(
	struct af_table *table, const struct stat *st, enum af_level level, int path_fd)
{
	struct af_inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = table_add(table, st, (uint8_t)level);
	if (inode) {
		inode->fd = path_fd;
		inode->nlookup = 1;
		inode->refs = 1;
		inode->verdict.level = (uint8_t)level;
	}
	pthread_mutex_unlock(&table->lock);
	return inode;
}

uint64_t inode_sibling(struct af_table *table, const struct af_inode *inode)
{
	const struct af_inode *other = NULL;
	uint64_t key, id;

	if (inode->key_level != AF_WRITE)
		return 0;
	pthread_mutex_lock(&table->lock);
	key = key_of(inode->ino, inode->dev, inode->type, AF_READ);
	other = table->by_key[bucket(table, key)];
	while (other &&
		!(other->key_level == AF_READ && other->ino == inode->ino &&
			other->dev == inode->dev && other->type == inode->type))
		other = other->next_by_key;
	id = other ? other->id : 0;
	pthread_mutex_unlock(&table->lock);
	return id;
}
