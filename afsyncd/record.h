/*
 * The kinds of record in a merge's journal, for record.c and record_load.c; what they mean is merge.h's.
 */
#ifndef AF_RECORD_H
#define AF_RECORD_H

#include "merge.h"

/* BEGIN first; ENTRYs, DIRs, STEPs; the phases and STAYS as they come. */
enum record_type {
	RECORD_BEGIN = 1,
	RECORD_ENTRY,
	RECORD_DIR,
	RECORD_STEP,
	RECORD_STAYS,
	RECORD_PHASE,
	RECORD_UNDO,
};

#endif
