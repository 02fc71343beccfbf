/*
 * Copying and hashing the data of one file. See copy.h. It knows nothing about attributes
 * (copy_attrs.c).
 *
 * A file that fits into the buffer costs one pread(2) and one pwrite(2). Where the hash or the
 * text is wanted, bytes go through the buffer rather than by copy_file_range(2): they have to be
 * looked at anyway, and are looked at while they are in the processor's cache.
 */
#include "copy.h"

#include "cleanup.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <xxhash.h>

enum {
	SMALL_SIZE = 64 << 10, /* bytes: below this a reflink costs more than it saves */
	/* bytes: it fits into a processor's own cache, where it is hashed and written out of, and is less than
	   what malloc(3) has the kernel map, and fill, anew each time */
	BUFFER_SIZE = 96 << 10,
	PEEK_SIZE = 4 << 10,   /* bytes: what is no text has a NUL in so many, mostly */
	RANGE_SIZE = 16 << 20, /* bytes: of one copy_file_range(2), between two calls of progress */
	ZEROS_SIZE = 64 << 10, /* bytes */
};

static const char zeros[ZEROS_SIZE];

struct copy {
	int from, to; /* to: -1 where the data is only looked at */
	const struct copy_options *options;
	uint64_t size;       /* bytes: not more than this is copied, however the file grows */
	uint64_t done;       /* bytes */
	bool wants_bytes;    /* for the hash or the text */
	bool is_whole;       /* the buffer has room for the whole file, and gets it at its place */
	bool by_range;       /* copy_file_range(2) */
	bool is_sparse;      /* look for holes */
	char *buffer;        /* owned */
	size_t room;         /* bytes */
	XXH3_state_t *state; /* owned; NULL: no hash, or of the whole buffer at the end */
};

static void copy_fini(struct copy *copy)
{
	free(copy->buffer);
	XXH3_freeState(copy->state);
}

static int report(const struct copy *copy)
{
	const struct copy_options *options = copy->options;

	if (!options->progress || copy->done == 0)
		return 0;
	return options->progress(options->arg, copy->done, copy->size) ? -ECANCELED : 0;
}

static ssize_t read_at(int fd, void *data, size_t size, uint64_t at)
{
	ssize_t got;

	do
		got = pread(fd, data, size, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static int write_at(int fd, const char *data, size_t size, uint64_t at)
{
	while (size > 0) {
		ssize_t done = pwrite(fd, data, size, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		data += done;
		at += (uint64_t)done;
		size -= (size_t)done;
	}
	return 0;
}

/* Goes on to `end` without data: what is between are zeros. */
static int skip_hole(struct copy *copy, uint64_t end)
{
	while (copy->state && copy->done < end) {
		uint64_t left = end - copy->done;
		size_t size = left < ZEROS_SIZE ? (size_t)left : ZEROS_SIZE;

		XXH3_128bits_update(copy->state, zeros, size);
		copy->done += size;
		/* A tebibyte of nothing takes its time. */
		if (copy->done % RANGE_SIZE < size) {
			int err = report(copy);

			if (err)
				return err;
		}
	}
	copy->done = end;
	return 0;
}

/* The next bytes up to `end` through the buffer. 1, 0 where the file ended, or -errno. */
static int copy_some_bytes(struct copy *copy, uint64_t end)
{
	char *data = copy->buffer + (copy->is_whole ? copy->done : 0);
	uint64_t left = end - copy->done;
	ssize_t got = read_at(
		copy->from, data, left < copy->room ? (size_t)left : copy->room, copy->done);

	if (got <= 0)
		return (int)got;
	if (copy->to >= 0) {
		int err = write_at(copy->to, data, (size_t)got, copy->done);

		if (err)
			return err;
	}
	if (copy->state)
		XXH3_128bits_update(copy->state, data, (size_t)got);
	copy->done += (uint64_t)got;
	return 1;
}

/* The same by the kernel alone. -EXDEV: not between these two. */
static int copy_some_range(struct copy *copy, uint64_t end)
{
	off_t in = (off_t)copy->done, out = in;
	uint64_t left = end - copy->done;
	ssize_t got = copy_file_range(
		copy->from, &in, copy->to, &out, left < RANGE_SIZE ? (size_t)left : RANGE_SIZE, 0);

	/* Some filesystems cannot, and say so in many ways, some by no byte at all. */
	if (got == 0 || (got < 0 && (errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)))
		return -EXDEV;
	if (got < 0)
		return errno == EINTR ? 1 : -errno;
	copy->done += (uint64_t)got;
	return 1;
}

static int get_buffer(struct copy *copy)
{
	if (copy->buffer)
		return 0;
	copy->room = copy->is_whole ? (size_t)copy->size : BUFFER_SIZE;
	/* Holes are not read, and must be zeros; and a text's end is marked with one. */
	copy->buffer = copy->is_sparse ? calloc(1, copy->room + 1) : malloc(copy->room + 1);
	return copy->buffer ? 0 : -ENOMEM;
}

/* All data up to `end`. 1, 0 where the file ended before, or -errno. */
static int copy_segment(struct copy *copy, uint64_t end)
{
	while (copy->done < end) {
		int more = copy->by_range ? copy_some_range(copy, end) : 0;

		if (more == -EXDEV)
			copy->by_range = false;
		if (!copy->by_range) {
			more = get_buffer(copy);
			if (!more)
				more = copy_some_bytes(copy, end);
		}
		if (more > 0 && copy->done < copy->size)
			more = report(copy) ? -ECANCELED : 1;
		if (more <= 0)
			return more;
	}
	return 1;
}

/* Where data begins (*start) at or after `at`, and where it ends. */
static int next_data(const struct copy *copy, uint64_t at, uint64_t *start, uint64_t *end)
{
	off_t data = lseek(copy->from, (off_t)at, SEEK_DATA);
	off_t hole;

	*start = *end = copy->size;
	if (data < 0 && errno == ENXIO)
		return 0;
	if (data < 0 && errno == EINVAL) {
		*start = at;
		return 0;
	}
	if (data < 0)
		return -errno;
	hole = lseek(copy->from, data, SEEK_HOLE);
	if (hole < 0 && errno != ENXIO)
		return -errno;
	if ((uint64_t)data < copy->size)
		*start = (uint64_t)data;
	if (hole >= 0 && (uint64_t)hole < copy->size)
		*end = (uint64_t)hole;
	return 0;
}

static int copy_all(struct copy *copy)
{
	while (copy->done < copy->size) {
		uint64_t start = copy->done, end = copy->size;
		int more = copy->is_sparse ? next_data(copy, copy->done, &start, &end) : 0;

		if (more)
			return more;
		more = skip_hole(copy, start);
		if (!more)
			more = copy_segment(copy, end);
		if (more < 0)
			return more;
		if (more == 0)
			break;
	}
	return 0;
}

/* Fills in size, hash and text. */
static void finish(struct copy *copy, struct copy_result *result)
{
	size_t size = (size_t)copy->done;
	XXH128_canonical_t canonical;

	result->size = copy->done;
	if (copy->options->want_hash) {
		XXH128_hash_t hash = copy->state ? XXH3_128bits_digest(copy->state)
						 : XXH3_128bits(copy->buffer, size);

		XXH128_canonicalFromHash(&canonical, hash);
		memcpy(result->hash, canonical.digest, COPY_HASH_SIZE);
		result->has_hash = true;
	}
	if (copy->is_whole && copy->buffer && copy->options->text_max > 0 &&
		size <= copy->options->text_max && !memchr(copy->buffer, 0, size)) {
		copy->buffer[size] = '\0';
		result->text = af_steal(&copy->buffer);
		result->text_size = size;
	}
}

/* Whether a file that is wanted as text, and is large for one, is none at a first look. */
static bool begins_with_binary(const struct copy *copy, const struct stat *st)
{
	char bytes[PEEK_SIZE];
	ssize_t got;

	if (st->st_size <= BUFFER_SIZE)
		return false;
	got = read_at(copy->from, bytes, sizeof(bytes), 0);
	return got > 0 && memchr(bytes, 0, (size_t)got);
}

static int start(struct copy *copy, const struct stat *st)
{
	const struct copy_options *options = copy->options;
	bool want_text = options->text_max > 0 && (uint64_t)st->st_size <= options->text_max &&
		!begins_with_binary(copy, st);

	copy->size = (uint64_t)st->st_size;
	copy->is_sparse =
		st->st_blocks < st->st_size / 512 && (options->keep_holes || copy->to < 0);
	copy->is_whole = copy->size <= BUFFER_SIZE || want_text;
	copy->wants_bytes = options->want_hash || want_text;
	copy->by_range = copy->to >= 0 && copy->size > SMALL_SIZE && !copy->wants_bytes;
	if (copy->is_whole && copy->wants_bytes)
		return get_buffer(copy);
	if (options->want_hash) {
		copy->state = XXH3_createState();
		if (!copy->state)
			return -ENOMEM;
		XXH3_128bits_reset(copy->state);
	}
	return 0;
}

static int get_size(int fd, struct stat *st)
{
	if (fstat(fd, st) != 0)
		return -errno;
	return S_ISREG(st->st_mode) ? 0 : -EINVAL;
}

int copy_hash(int fd, const struct copy_options *options, struct copy_result *result)
{
	__attribute__((cleanup(copy_fini))) struct copy copy = {
		.from = fd, .to = -1, .options = options};
	struct stat st;
	int err = get_size(fd, &st);

	*result = (struct copy_result){.how = COPY_BYTES};
	if (!err)
		err = start(&copy, &st);
	/* What nobody wants to know is not read. */
	if (!copy.wants_bytes)
		copy.done = copy.size;
	if (!err)
		err = copy_all(&copy);
	if (!err)
		finish(&copy, result);
	return err;
}

/* After a reflink, what is wanted to be known of the copy. It may be open for writing alone. */
static int look_at_copy(int to, const struct copy_options *options, struct copy_result *result)
{
	af_autoclose int fd = -1;
	char link[32];
	int err;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", to);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = copy_hash(fd, options, result);
	result->how = COPY_REFLINK;
	return err;
}

int copy_data(int from, int to, const struct copy_options *options, struct copy_result *result)
{
	__attribute__((cleanup(copy_fini))) struct copy copy = {
		.from = from, .to = to, .options = options};
	struct stat st;
	int err = get_size(from, &st);

	*result = (struct copy_result){.how = COPY_BYTES};
	if (err)
		return err;
	if (st.st_size > SMALL_SIZE && ioctl(to, FICLONE, from) == 0)
		return look_at_copy(to, options, result);
	err = start(&copy, &st);
	if (!err)
		err = copy_all(&copy);
	/* It ends in a hole. */
	if (!err && copy.is_sparse && ftruncate(to, (off_t)copy.done) != 0)
		err = -errno;
	if (err)
		return err;
	result->how = copy.by_range ? COPY_RANGE : COPY_BYTES;
	finish(&copy, result);
	return 0;
}

void copy_hash_bytes(const void *data, size_t size, uint8_t hash[COPY_HASH_SIZE])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
	memcpy(hash, canonical.digest, COPY_HASH_SIZE);
}
