/*
 * A living session's merge. See session_merge.h.
 */
#include "session_merge.h"

#include "cleanup.h"
#include "control.h"
#include "log.h"
#include "writes.h"

#include <string.h>
#include <sys/wait.h>

enum { KILLED = 128 };

static void answer(int asker, int value)
{
	struct af_control message = {.kind = AF_CONTROL_ANSWER, .value = value};

	control_send(asker, &message, NULL, 0);
}

void session_merge_refuse(int asker)
{
	answer(asker, -EBUSY);
}

static void end(struct af_session_merge *merge, int value)
{
	answer(merge->asker, value);
	close(merge->asker);
	for (int i = 0; i < 2; i++)
		close(merge->streams[i]);
	*merge = AF_SESSION_MERGE_NONE;
}

bool session_merge_begin(struct af_session_merge *merge, const struct af_run *run, int asker,
	const int streams[2], bool tells)
{
	int err;

	*merge = AF_SESSION_MERGE_NONE;
	merge->asker = asker;
	merge->streams[0] = streams[0];
	merge->streams[1] = streams[1];
	merge->tells = tells;
	err = fsmount_hold(run->mount);
	if (!err) {
		err = writes_start_merge(run->plan, tells, merge->streams, &merge->child);
		/* A view that is lost is seen by its daemon's end. */
		if (err)
			fsmount_go_on(run->mount);
	}
	if (err)
		end(merge, err);
	return !err;
}

/* Half a merge is not left below a view that goes on: the next afsyncd ends it. */
static bool start_anew(struct af_session_merge *merge, const struct af_run *run, int status)
{
	if (status < KILLED || merge->again)
		return false;
	merge->again = true;
	return writes_start_merge(run->plan, merge->tells, merge->streams, &merge->child) == 0;
}

int session_merge_ended(struct af_session_merge *merge, const struct af_run *run)
{
	int status = 0, err;

	while (waitpid(merge->child.pid, &status, 0) < 0 && errno == EINTR)
		;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : KILLED + WTERMSIG(status);
	close(merge->child.pidfd);
	merge->child = AF_CHILD_NONE;
	if (start_anew(merge, run, status))
		return 1;
	err = fsmount_go_on(run->mount);
	end(merge, status);
	return err;
}
