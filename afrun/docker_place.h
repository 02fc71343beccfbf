/*
 * What a run in docker needs where dockerd can see it, and that nothing of it is left.
 *
 *     docker.XXXXXX/          in the directory of named.h; locked as long as its run lives
 *         view/               the mount
 *         channel.NAME/       the channels'
 *         inside              our first process, which the container runs
 *         control             the socket by which it finds us
 *
 * The container is called afrun-XXXXXX, and has the labels afrun and afrun.source.
 */
#ifndef AF_DOCKER_PLACE_H
#define AF_DOCKER_PLACE_H

#include "keeper.h"

#include <stdbool.h>

struct af_docker_place {
	char *path;         /* owned; NULL: there is none */
	const char *docker; /* the client; borrowed */
	char name[16];      /* the container's */
	int dir;            /* owned */
	int listener;       /* owned */
	struct af_keeper keeper;
};

#define AF_DOCKER_PLACE_NONE \
	((struct af_docker_place){.dir = -1, .listener = -1, .keeper = {-1, -1}})

/*
 * Makes it, and sweeps what killed runs have left. docker is the client's command. Before this process
 * becomes a subreaper (keeper.h). 0 or -errno, reported.
 */
int docker_place_make(struct af_docker_place *place, const char *docker);
/* Our first process is there, so the container is whole: the socket's name is needed no more. */
void docker_place_came(const struct af_docker_place *place);
/* The container is gone: nobody need look for it. */
void docker_place_container_gone(const struct af_docker_place *place);
/* Takes everything away; a keeper does where we cannot. Harmless where there is none. */
void docker_place_end(struct af_docker_place *place);
/* Takes away what killed runs have left: mounts, containers, files. */
void docker_place_sweep(int dirfd, const char *docker);

#endif
