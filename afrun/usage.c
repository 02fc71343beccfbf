/*
 * --help. The manual, the completion and this agree; a test compares them.
 */
#include "opts.h"

#include <stdio.h>

void usage_print(void)
{
	fputs("Usage: afrun [OPTION]... [--] COMMAND [ARG]...\n"
	      "  or:  afrun [OPTION]... -c TEXT\n"
	      "Run a command in a sandbox, on a view of a directory that a policy decides.\n"
	      "With neither COMMAND nor -c, sh reads its commands from standard input.\n\n"
	      "  -C, --source DIR         the directory to show (default: the current one)\n"
	      "  -p, --preset NAME        a preset policy (default: agent-safe)\n"
	      "  -P, --policy FILE        a policy file\n"
	      "  -r, --rule RULE          LEVEL[@PRIORITY]:PATTERN, after all files' rules\n"
	      "  -D, --delta DIR          keep what is written in DIR (default: a temporary delta)\n"
	      "      --delta-size SIZE    at most so much of it (K, M, G, T)\n"
	      "      --sync success|always|never\n"
	      "                           when to merge it into the source (default: success)\n"
	      "      --conflict POLICY    lww, keep, both, fail or merge; see afsyncd(8)\n"
	      "      --state DIR          temporary deltas and undo there, not in .agentfense\n"
	      "      --direct             no delta: write to the source itself\n"
	      "  -e, --env NAME[=VALUE]   set NAME inside (without VALUE: as it is here)\n"
	      "      --env-file FILE      the same, a line each\n"
	      "  -w, --workdir DIR        where the command starts (relative to the view)\n"
	      "      --mount-at DIR       where the view is (default: /workspace)\n"
	      "      --ro-bind SRC[:DST]  show another file or directory, read-only\n"
	      "      --bind SRC[:DST]     the same, writable\n"
	      "      --channel NAME[,size=SIZE][,keep]\n"
	      "                           a directory at /run/channel/NAME that all share who name it\n"
	      "  -n, --net none|host      the network inside (default: none)\n"
	      "  -u, --user USER          run as USER (only root may ask)\n"
	      "  -t, --timeout DURATION   end everything inside after that time, exit 124\n"
	      "      --kill-after DURATION  from SIGTERM to SIGKILL (default: 5s)\n"
	      "  -m, --memory SIZE        at most so much memory (K, M, G, T), of all inside together\n"
	      "      --pids N             at most so many processes and threads\n"
	      "      --cpus F             at most so many processors, such as 0.5\n"
	      "      --cpu-shares N       weight beside others (usual: 1024)\n"
	      "      --limits best-effort|strict\n"
	      "                           go on where one cannot be held; hold them by cgroups only\n"
	      "  -c TEXT                  run TEXT with sh\n"
	      "      --report FILE        JSON of the run; - is stdout, fd:N a descriptor\n"
	      "      --audit FILE         JSON lines of every refusal\n"
	      "  -S, --session NAME       run it in a session, one shell that keeps its state:\n"
	      "      --start              ... begin it, with the options above\n"
	      "      --idle DURATION      ... it ends when nobody has called it for so long\n"
	      "      --status             ... say whether it lives, and what it does\n"
	      "      --stop               ... end it, and merge\n"
	      "      --list               say which sessions and channels live\n"
	      "      --json               --status and --list as JSON\n"
	      "      --dry-run            print what would be run, and stop\n"
	      "  -v, --verbose  -q, --quiet  -h, --help  --version\n\n"
	      "Exit status: the command's own, 128+N for signal N, 124 timed out, 125 afrun\n"
	      "failed, 126 COMMAND cannot be run, 127 COMMAND not found.\n",
		stdout);
}
