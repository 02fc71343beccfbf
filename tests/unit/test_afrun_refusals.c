/*
 * Unit test of how afrun counts what the audit log says was refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "refusals.h"

#include <string.h>

static void counting(void **state)
{
	static const char *const lines[] = {
		"{\"time\":\"t\",\"op\":\"open\",\"path\":\"/b\",\"pid\":1}",
		"{\"time\":\"t\",\"op\":\"open\",\"path\":\"/b\",\"pid\":22}",
		"{\"op\":\"create\",\"path\":\"/b\"}",
		"{\"op\":\"open\",\"path\":\"/a\\\"path\\\":\\\"/evil\"}",
		"{\"comm\":\"\\\",\\\"path\\\":\\\"/evil\",\"op\":\"open\",\"path\":\"/c\"}",
		"{\"time\":\"t\",\"dropped\":17}",
		"",
		"{",
		"{\"path\"",
		"{\"path\":\"",
		"{\"path\":\"/x\"}",
		"not json",
		"{\"op\":\"\\",
	};
	struct af_refusals refusals;
	af_autofree char *text = NULL;
	size_t size;
	FILE *out;

	(void)state;
	assert_int_equal(refusals_open(&refusals, -1), 0);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		refusals_count(&refusals, lines[i], strlen(lines[i]));
	assert_int_equal(refusals_paths(&refusals), 3);
	assert_int_equal(refusals.uncounted, 17);
	out = open_memstream(&text, &size);
	refusals_write(&refusals, out);
	fclose(out);
	assert_string_equal(text,
		"[{\"path\":\"/a\\\"path\\\":\\\"/evil\",\"op\":\"open\",\"count\":1},"
		"{\"path\":\"/b\",\"op\":\"create\",\"count\":1},"
		"{\"path\":\"/b\",\"op\":\"open\",\"count\":2},"
		"{\"path\":\"/c\",\"op\":\"open\",\"count\":1}]");
	refusals_close(&refusals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
