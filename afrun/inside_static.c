/*
 * `inside PATH`: our first process inside a root that is not the host's, so linked with nothing. What it
 * does is inside.c's; here it only finds whom it works for.
 */
#include "cleanup.h"
#include "inside.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (argc != 2 || getpid() != 1 || control < 0 ||
		strlen(argv[1]) >= sizeof(address.sun_path))
		return 125;
	memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
	if (connect(control, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return 125;
	return inside_main(control);
}
